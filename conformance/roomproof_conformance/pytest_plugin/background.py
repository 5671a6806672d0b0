"""A run in a thread of its own, for a front end that asks for one check after the other.

The kit's scheduler runs all of them at the same time; who asks waits until what it asks for is certain.
Knows no pytest.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from roomproof_conformance.case import Case
from roomproof_conformance.checks import Check
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.run import Plan, Runner
from roomproof_conformance.target import Quiet
from roomproof_conformance.verdicts import Verdict


@dataclass
class Selection(Plan):
    """A plan for exactly these checks: hundreds of patterns would cost more than the checks."""

    ids: frozenset[str] = frozenset()

    def wants(self, check: Check) -> bool:
        return check.id in self.ids


def selection(plan: Plan, ids: frozenset[str]) -> Selection:
    """The same plan, for these checks only."""
    return Selection(**{field.name: getattr(plan, field.name) for field in fields(plan)}, ids=ids)


class Background(Quiet):
    """Start it, ask with `wait_for`, and stop it on every way out: `stop` ends all that the run has started.

    `finish` makes of the run's result what is told.
    """

    def __init__(self, plan: Plan, finish: Callable[[RunResult], RunResult]) -> None:
        plan.progress = self
        self.result: RunResult | None = None
        self._runner = Runner(plan)
        self._finish = finish
        self._results: dict[str, CheckResult] = {}
        self._changed = threading.Condition()
        self._passed: set[str] = set()
        self._over = False
        self._error: BaseException | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[RunResult] | None = None
        self._thread = threading.Thread(target=self._main, name="roomproof", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the run, if it goes on, and every server that it has started; return when they are gone."""
        self._ready.wait()
        if self._loop is not None and self._task is not None and not self._over:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def wait_for(self, check: str, *, end: bool = False) -> CheckResult | None:
        """Wait until it is certain what became of a check: its result, or None when it passed and the run goes on.

        What did not pass is certain at the end only: where a server died, that is run again. `end` waits for
        it in any case. Raises what ended the run: TargetError, or a fault of the kit.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or (check in self._passed and not end))
        if self._error is not None:
            raise self._error
        return self._results[check] if self._over else None

    def finished(self, case: Case, verdicts: Mapping[str, str]) -> None:
        if all(verdict in (Verdict.PASS, Verdict.TOLERATED) for verdict in verdicts.values()):
            with self._changed:
                self._passed |= verdicts.keys()
                self._changed.notify_all()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
            self.result = self._finish(self._runner.result)
            self._results = {result.check: result for result in self.result.results}
        except BaseException as error:  # whoever waits must hear of it, whatever it is
            self._error = error
        finally:
            self._ready.set()
            with self._changed:
                self._over = True
                self._changed.notify_all()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._runner.run())
        self._ready.set()
        try:
            await asyncio.wait([self._task])
        finally:
            await self._runner.stop_all()
        if not self._task.cancelled():
            self._task.result()
