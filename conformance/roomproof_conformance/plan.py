"""What to judge, where, and how: what the command line, the pytest front end and the selftest ask of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .checks import Check
from .dialects import Dialect
from .hooks import Hooks
from .schedule import JOBS
from .target import Progress, Quiet


@dataclass
class Plan:
    """What to judge, where, and how.

    A cluster is the server at `url` with the nodes at the addresses `more` beside it, or `nodes` nodes that the hooks
    start.
    """

    dialect: Dialect
    url: str | None = None
    hooks: Hooks | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    jobs: int = JOBS
    scale: float = 1.0
    longest: float | None = None  # leave out what must wait longer (seconds)
    quick: bool = False  # leave out what takes more than a moment (see `quick`)
    repeat: str = ""  # the command line that repeats this run, without the selection
    progress: Progress = field(default_factory=Quiet)
    more: tuple[str, ...] = ()
    nodes: int = 1

    @property
    def starts(self) -> bool:
        """Whether the kit starts the server itself."""
        return self.hooks is not None and bool(self.hooks.start)

    @property
    def clustered(self) -> bool:
        """Whether several nodes are judged as one service."""
        return bool(self.more) or self.nodes > 1

    @property
    def where(self) -> str:
        """What is judged, in a line: addresses, or the name of the hook file."""
        if self.url:
            return ", ".join((self.url, *self.more))
        name = self.hooks.path.stem if self.hooks else ""
        return f"{name}, {self.nodes} nodes" if self.nodes > 1 else name

    def wants(self, check: Check) -> bool:
        """Whether the selection has it. Variants of a check belong to a cluster, or to who asks for them by name."""
        names = (check.id, check.requirement)
        globs = self.only if self.clustered or not check.variant else [g for g in self.only if "@" in g]
        chosen = any(fnmatchcase(n, g) for g in globs for n in names)
        if not self.only:
            chosen = self.clustered or not check.variant
        return chosen and not any(fnmatchcase(n, g) for g in self.skip for n in names)
