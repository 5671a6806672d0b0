"""The registry: which scenario judges which sentences, and what it needs for that.

A check is one sentence in one situation; its id is the requirement's id, a point, and the situation
(`HIST-2.after-250`). Watches are checks that look at everything that happened in a run.
Knows no socket; scenarios register themselves when `scenarios` is imported.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .case import Case
    from .dialects import Claims
    from .judges import Judge

Run = Callable[["Case"], Awaitable[None]]
ACROSS = "@nodes"
"""How the id of a variant ends (see `across`)."""


@dataclass(frozen=True)
class Check:
    """One sentence in one situation. `title` is the first line of the scenario's docstring."""

    id: str
    title: str
    needs: frozenset[str] = frozenset()

    @property
    def requirement(self) -> str:
        return self.id.partition(".")[0]

    @property
    def variant(self) -> bool:
        """Whether it is another check with its clients on different nodes."""
        return self.id.endswith(ACROSS)


@dataclass(frozen=True)
class Scenario:
    """Drives clients so that its checks can be judged.

    `needs` are capabilities of the target beyond those of the requirement rows; `conns` is the most
    connections it holds at once; `hostile` scenarios send what may bring a server down and run apart;
    `alone` ones touch something global; `waits` gives, from the claims, the seconds that it cannot
    avoid waiting; `settings` are what it wants of a target that the kit starts ([cfg] rows; None: the
    server's own default); with `own_server` it has one for itself, to stop, kill and start again; `hooks` names
    commands of the hook file that it needs.
    """

    run: Run
    checks: tuple[Check, ...]
    needs: frozenset[str] = frozenset()
    conns: int = 4
    hostile: bool = False
    alone: bool = False
    waits: Callable[[Claims], float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    own_server: bool = False
    hooks: frozenset[str] = frozenset()
    nodes: int = 1
    disturbs: bool = False
    judged_as: Mapping[str, str] = field(default_factory=dict)

    @property
    def apart(self) -> bool:
        """Needs a server that was started for it."""
        return bool(self.settings) or self.own_server

    @property
    def name(self) -> str:
        return self.checks[0].id


@dataclass(frozen=True)
class Watch:
    """A check over the transcripts of all cases: a fresh judge folds each of them."""

    check: Check
    judge: Callable[[], Judge]


SCENARIOS: list[Scenario] = []
WATCHES: list[Watch] = []
_ids: set[str] = set()


def _check(identifier: str, title: str, needs: frozenset[str]) -> Check:
    if identifier in _ids:
        raise ValueError(f"check {identifier} is defined twice")
    if "." not in identifier:
        raise ValueError(f"check {identifier} lacks a situation: REQUIREMENT.situation")
    _ids.add(identifier)
    return Check(identifier, title, needs)


def scenario(
    *ids: str,
    needs: str = "",
    conns: int = 4,
    hostile: bool = False,
    alone: bool = False,
    waits: Callable[[Claims], float] | None = None,
    settings: Mapping[str, Any] | None = None,
    own_server: bool = False,
    hooks: str = "",
    nodes: int = 1,
    faults: str = "",
    titles: Mapping[str, str] | None = None,
) -> Callable[[Run], Run]:
    """Register an `async def scenario(case)` under the checks that it judges, the main one first.

    `needs` is a string of capability names. Checks with different needs belong into different scenarios. `faults` names
    the faults that it puts into the service.
    """

    def register(run: Run) -> Run:
        doc = inspect.getdoc(run)
        if not doc:
            raise ValueError(f"scenario {ids[0]} has no docstring: it is the title in every report")
        wanted = frozenset(needs.split())
        title = " ".join(doc.split("\n\n")[0].split())
        checks = tuple(_check(i, (titles or {}).get(i, title), wanted) for i in ids)
        commands = frozenset((hooks + " " + faults).split()) | ({"start"} if settings or own_server else frozenset())
        SCENARIOS.append(
            Scenario(
                run,
                checks,
                wanted,
                conns,
                hostile,
                alone,
                waits,
                settings or {},
                own_server,
                commands,
                nodes,
                bool(faults),
            )
        )
        return run

    return register


def watch(identifier: str, needs: str = "") -> Callable[[type[Judge]], type[Judge]]:
    """Register a judge class (without parameters) that is folded over every transcript of the run."""

    def register(judge: type[Judge]) -> type[Judge]:
        doc = inspect.getdoc(judge) or ""
        check = _check(identifier, " ".join(doc.split("\n\n")[0].split()), frozenset(needs.split()))
        WATCHES.append(Watch(check, judge))
        return judge

    return register


def load() -> tuple[list[Scenario], list[Watch]]:
    """Import every module of `scenarios`, so that all checks are registered, and return them."""
    package = importlib.import_module(f"{__package__}.scenarios")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package.__name__}.{module}")
    return SCENARIOS, WATCHES


def all_checks(*, variants: bool = False) -> list[Check]:
    """Every check, in the order of the requirement table; with `variants` theirs for clusters as well."""
    from roomproof_protocol import requirements

    from . import across

    scenarios, watches = load()
    if variants:
        scenarios = [*scenarios, *across.variants(scenarios)]
    order = {row.id: place for place, row in enumerate(requirements())}
    checks = [check for s in scenarios for check in s.checks] + [w.check for w in watches]
    return sorted(checks, key=lambda check: (order[check.requirement], check.id))
