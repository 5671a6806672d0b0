"""One mutant judged by the kit: a scratch copy of server and protocol with one change, and what came of it.

Only the started server gets the copy, by its PYTHONPATH; the kit and its tokens have the honest packages. A line at
the end of each changed module notes in a file that the server imported it from the copy. It must not know how mutants
are made.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from roomproof_conformance import checks
from tools import ROOT
from tools.mutants.operators import Module, Mutant
from tools.support.kit_process import NOT_REACHABLE, RED, Kit, Run, hook_file

PACKAGES = {"roomproof_server": "server", "roomproof_protocol": "protocol"}
TARGETS = (
    *(f"roomproof_server/rules/{name}.py" for name in (
        "address", "heartbeat", "identity", "limiter", "presence", "session", "stream",
    )),
    "roomproof_server/hub.py",
    *(f"roomproof_protocol/{name}.py" for name in (
        "closes", "codec", "errors", "grammar", "limits", "messages", "requests",
    )),
)  # fmt: skip
"""What is mutated: by the server's rules, and by what it needs of the protocol while it serves."""

LIKELY: Mapping[str, Sequence[str]] = {
    "address": ("RATE-14*", "LIMIT-*", "AUTH-*"),
    "heartbeat": ("BEAT-*",),
    "identity": ("AUTH-*",),
    "limiter": ("RATE-*", "ERR-13*"),
    "presence": ("PRES-*",),
    "session": ("ROOM-*", "MSG-*", "HIST-*", "AUTH-*", "CONN-*", "ERR-*", "PRES-*", "DISC-*"),
    "stream": ("HIST-*", "MSG-*"),
    "hub": ("ROOM-*", "HIST-*", "MSG-*", "PRES-*", "DISC-*"),
    "closes": ("CONN-*", "ERR-*", "DISC-*"),
    "codec": ("ERR-*", "LIMIT-*"),
    "errors": ("ERR-*",),
    "grammar": ("ROOM-1*", "MSG-*", "AUTH-*", "ERR-*"),
    "limits": ("CONN-*", "LIMIT-*", "RATE-*"),
    "messages": ("ERR-*", "CONN-*", "MSG-*"),
    "requests": ("ERR-*", "CONN-*"),
}
"""Requirements that are looked at first for a file, to save time: whatever passes them is judged in full."""

SHORT_WAITS = ("--without-long-waits", "2.5")
AGAIN = 8
"""So many reds are looked at again: a red that does not come twice may be the machine's."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant. `unsteady` are checks that were red once and not again."""

    outcome: str  # caught | does not start | survived | timeout | kit error
    checks: Sequence[str] = ()
    unsteady: Sequence[str] = ()
    detail: str = ""
    imported: bool = True
    full: bool = False  # the whole kit was needed
    seconds: float = 0.0


def path_of(target: str) -> Path:
    """The honest file."""
    return ROOT / PACKAGES[target.partition("/")[0]] / target


def all_mutants(targets: Iterable[str] = TARGETS) -> list[Mutant]:
    """Every mutant there is."""
    return [mutant for target in targets for mutant in Module(target, path_of(target).read_bytes()).mutants()]


def _watches() -> list[str]:
    return [option for watch in checks.load()[1] for option in ("--only", watch.check.id)]


@dataclass
class Workshop:
    """A scratch copy in which one mutant at a time is made and judged."""

    folder: Path
    limit: float = 240.0
    _kit: Kit = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        for package, place in PACKAGES.items():
            shutil.copytree(ROOT / place / package, self._copy / package, ignore=shutil.ignore_patterns("__pycache__"))
        start = ["env", f"PYTHONPATH={self._copy}", "{python}", "-m", "roomproof_server.hook"]
        self._kit = Kit(hook_file(self.folder / "mutant.yaml", start=start, ready="10s"), self.folder, self.limit)

    @property
    def _copy(self) -> Path:
        return self.folder / "copy"

    @property
    def _marker(self) -> Path:
        return self.folder / "imported"

    def judge(self, mutant: Mutant) -> Outcome:
        """Judge one mutant: the likely checks, then all, until something is red twice."""
        began = time.monotonic()
        target = path_of(mutant.file)
        self._write(mutant.file, mutant.applied(target.read_bytes()))
        try:
            found = self._judged(Path(mutant.file).stem)
            imported = self._imported()
        finally:
            self._write(mutant.file, target.read_bytes(), marked=False)
        if not imported and found.outcome != "does not start":
            raise RuntimeError(f"the server did not import {mutant.file} from the scratch copy: nothing was judged")
        return replace(found, imported=bool(imported), seconds=round(time.monotonic() - began, 1))

    def control(self, *, short: bool = False) -> Outcome:
        """Judge the copy as it is: nothing may be red, and each module must come from the copy. Raises RuntimeError.

        `short` leaves out the longer waits.
        """
        began, targets = time.monotonic(), TARGETS
        for target in targets:
            self._write(target, path_of(target).read_bytes())
        try:
            found = self._judged(None, *(SHORT_WAITS if short else ()))
            missing = {str(self._copy / target) for target in targets} - self._imported()
        finally:
            for target in targets:
                self._write(target, path_of(target).read_bytes(), marked=False)
        if missing:
            raise RuntimeError(f"the server did not import from the scratch copy: {', '.join(sorted(missing))}")
        if found.outcome != "survived":
            raise RuntimeError(
                f"the server as it is was judged: {found.outcome} {', '.join(found.checks)} {found.detail}"
            )
        return replace(found, seconds=round(time.monotonic() - began, 1))

    def _write(self, target: str, content: bytes, *, marked: bool = True) -> None:
        """The module in the copy; compiled forms go, for they are told apart by size and second only."""
        path = self._copy / target
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()
        self._marker.unlink(missing_ok=True)
        marker = f"\nwith open({str(self._marker)!r}, 'a') as _marker: _marker.write(__file__ + '\\n')\n"
        path.write_bytes(content + (marker.encode() if marked else b""))

    def _imported(self) -> set[str]:
        return set(self._marker.read_text().splitlines()) if self._marker.exists() else set()

    def _judged(self, stem: str | None, *last: str) -> Outcome:
        unsteady: list[str] = []
        likely = [option for glob in LIKELY.get(stem or "", ()) for option in ("--only", glob)]
        rounds: list[tuple[str, ...]] = [(*SHORT_WAITS, *likely, *_watches())] if likely else []
        for options in [*rounds, last]:
            run = self._kit.run(*options)
            found = _without_verdicts(run)
            if found is not None:
                return found
            red = run.having(*RED)
            if red and (again := self._again(red)):
                return Outcome("caught", again, unsteady, full=options == last)
            unsteady += [check["check"] for check in red]
            broken = [check["check"] for check in run.having("kit-error")]
            if broken and options == last:
                return Outcome("kit error", broken, unsteady, full=True)
        return Outcome("survived", (), unsteady, full=True)

    def _again(self, red: Sequence[Mapping[str, Any]]) -> list[str]:
        """Those of the red checks that are so again, with the cases in which watches saw it."""
        names = {name for check in red[:AGAIN] for name in (check["check"], check["case"]) if name}
        for _ in range(2):
            run = self._kit.run(*(option for name in sorted(names) for option in ("--only", name)))
            if again := [check["check"] for check in run.having(*RED)]:
                return again
        return []


def _without_verdicts(run: Run) -> Outcome | None:
    """What a run without a report says: nobody can talk to this server, or it takes for ever."""
    if run.timed_out:
        return Outcome("timeout", detail=f"the kit was not done after {run.seconds:.0f} s")
    if run.report is not None:
        return None
    if run.code == NOT_REACHABLE:
        return Outcome("does not start", detail=run.words[-400:])
    return Outcome("kit error", detail=f"exit code {run.code}: {run.words[-400:]}")


def workshops(folder: Path, count: int, limit: float) -> list[Workshop]:
    """So many, each with a copy of its own."""
    if os.environ.get("PYTHONPATH") or sys.pycache_prefix:
        raise RuntimeError(
            "PYTHONPATH and PYTHONPYCACHEPREFIX must not be set: they would decide which copy is imported"
        )
    return [Workshop(folder / f"workshop-{number}", limit) for number in range(count)]
