"""Judges liars: each run in a process of its own, several side by side.

Liars reach the kit over a socket like any other target: nothing here, and no check, knows what a liar does.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from roomproof_conformance import checks, hooks
from roomproof_conformance.dialects import load
from roomproof_conformance.hooks import Hooks
from roomproof_conformance.offline.rejudging import departures
from roomproof_conformance.results import RunResult
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner
from roomproof_conformance.target import TargetError
from roomproof_conformance.verdicts import Verdict

from .table import Liar

HONEST = "honest"
"""The name under which the hook starts the server without any fault: the control."""

RED = (Verdict.FAIL, Verdict.WARN)


@dataclass(frozen=True)
class Row:
    """What the kit found out about one liar."""

    liar: Liar
    result: RunResult | None  # None when the run was not possible
    trouble: str = ""  # why not, or errors of the kit itself
    full: bool = False  # judged by all checks, not only those of its group
    seconds: float = 0.0

    @property
    def reds(self) -> tuple[str, ...]:
        """The requirements that turned red."""
        found = self.result.by_requirement() if self.result else {}
        return tuple(requirement for requirement, verdict in found.items() if verdict in RED)

    @property
    def caught(self) -> bool:
        """Something turned red."""
        return bool(self.reds)

    @property
    def for_the_reason(self) -> bool:
        """The stated requirement turned red."""
        return self.liar.requirement in self.reds

    @property
    def unrelated(self) -> tuple[str, ...]:
        """What turned red and is neither stated nor allowed for."""
        return tuple(r for r in self.reds if r != self.liar.requirement and r not in self.liar.may_also)

    @property
    def stated(self) -> str:
        """What became of the checks of the stated requirement, for people."""
        if self.result is None:
            return "not run"
        own = [r for r in self.result.results if r.requirement == self.liar.requirement]
        return ", ".join(f"{r.check}: {r.verdict}" for r in own) or "no check judges it"


def hooks_for(template: Hooks, name: str) -> Hooks:
    """The hook file with the liar's name in place of `{liar}`."""
    return replace(template, start=tuple(part.replace("{liar}", name) for part in template.start))


async def judge(name: str, template: Hooks, globs: Sequence[str] = (), *, longest: float | None = None) -> RunResult:
    """Run the chosen checks and all watches, or everything when none are chosen, against the server of that name.

    `longest` leaves out what must wait longer (seconds). Raises TargetError.
    """
    _, watches = checks.load()
    only = (*globs, *(watch.check.id for watch in watches)) if globs else ()
    plan = Plan(load("native"), hooks=hooks_for(template, name), settings=SHORT_TIMERS, only=only, longest=longest)
    return await Runner(plan).run()


def judge_liar(liar: Liar, template: Hooks, longest: float | None = None, full: bool = False) -> Row:
    """Judge one liar by the checks of its group, or by all. What goes wrong is told in the row, without transcripts."""
    began = time.monotonic()
    globs = () if full else liar.globs
    try:
        result = asyncio.run(judge(liar.name, template, globs, longest=longest))
    except TargetError as error:
        return Row(liar, None, str(error), full, time.monotonic() - began)
    troubles = [f"{r.check}: {r.conclusion.explanation}" for r in result.having(Verdict.KIT_ERROR)]
    if full:  # what a transcript says offline is what the run said; a fifth of the time, so not for every table
        troubles += departures(result, RED)
    result.transcripts.clear()
    gc.collect()  # which a run puts off (see `interpreter`): here many runs follow each other
    return Row(liar, result, "; ".join(troubles), full, time.monotonic() - began)


def selftest(
    liars: Iterable[Liar],
    hook_file: str | Path,
    *,
    jobs: int = 3,
    longest: float | None = None,
    full: frozenset[str] = frozenset(),
) -> Iterator[Row]:
    """Judge the liars, `jobs` of them side by side, and give each row when it is there; `full` names those to be
    judged by all checks.

    Each run has a process of its own: in one event loop the end of one run would stall the others longer than the
    shortest heartbeat. What takes longest starts first. Raises `hooks.HookError`.
    """
    template = hooks.load(hook_file)
    ordered = sorted(liars, key=lambda liar: liar.name not in full)
    with ProcessPoolExecutor(jobs, get_context("spawn"), hooks.die_with_parent) as pool:
        try:
            for done in as_completed(
                [pool.submit(judge_liar, liar, template, longest, liar.name in full) for liar in ordered]
            ):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)
