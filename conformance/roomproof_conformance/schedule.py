"""Runs the cases of one target: side by side, long waits first, inside what the target allows.

Knows scenarios only as things to run, and verdicts only as far as an inconclusive one is tried again.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from .case import Case, Stop
from .checks import Scenario, Watch
from .clock import LATE, Budget, LagMeter, Slots
from .hooks import HookError
from .judging import judge_case
from .target import Target, TargetError
from .transport import Unreachable
from .verdicts import Conclusion, Finding, Reason, Verdict
from .watching import watch_case

JOBS = 40
"""How many cases work at the same time unless told otherwise."""
MOST = 5
"""How many times its limit a case may take while it still does something."""
TRIES = 3
"""How often a case is run when clock or link were too noisy to tell."""


_JUDGING = ThreadPoolExecutor(1, "judge")


@dataclass
class Outcome:
    """What became of one scenario: the last case run, and a conclusion for each of its checks."""

    scenario: Scenario
    conclusions: dict[str, Conclusion]
    case: Case | None = None
    seconds: float = 0.0
    tries: int = 1
    watched: Mapping[str, Finding] = field(default_factory=dict)  # of each watch, by its check

    @property
    def passed(self) -> bool:
        return all(c.verdict in (Verdict.PASS, Verdict.TOLERATED) for c in self.conclusions.values())

    @property
    def inconclusive(self) -> bool:
        return any(c.verdict is Verdict.INCONCLUSIVE for c in self.conclusions.values())


@dataclass
class Scheduler:
    """Shares one target among many cases."""

    target: Target
    level: Callable[[str], str]
    lag: LagMeter
    jobs: int = JOBS
    watches: Sequence[Watch] = ()
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._slots = Slots(self.jobs)
        self._budget = Budget(self.target.connections)

    async def side_by_side(self, scenarios: Iterable[Scenario]) -> None:
        """Run them at the same time, the longest wait first; those that want to be alone afterwards, one by one."""
        ordered = sorted(scenarios, key=self.planned, reverse=True)
        async with asyncio.TaskGroup() as group:
            for scenario in ordered:
                if not scenario.alone:
                    group.create_task(self.run(scenario))
        for scenario in ordered:
            if scenario.alone:
                await self.run(scenario)

    def planned(self, scenario: Scenario) -> float:
        """Seconds that the scenario cannot avoid waiting on this target."""
        return scenario.waits(self.target.claims) if scenario.waits else 0.0

    async def run(self, scenario: Scenario) -> Outcome:
        """Run one scenario, again while it is inconclusive, and keep the outcome."""
        conns = 0 if scenario.own_server else scenario.conns  # its own server is its own budget
        try:
            await self._budget.take(conns)
        except ValueError as error:
            refusal = Conclusion(Verdict.NOT_JUDGED, Reason.BUDGET, str(error))
            outcome = Outcome(scenario, {check.id: refusal for check in scenario.checks})
        else:
            try:
                outcome = await self._once(scenario, 1)
                while outcome.tries < TRIES and outcome.inconclusive:
                    await self.lag.calm()
                    if scenario.own_server and not await self._started_again():
                        break
                    outcome = await self._once(scenario, outcome.tries + 1)
            finally:
                await self._budget.give_back(conns)
        self.outcomes.append(outcome)
        if outcome.case is not None:
            verdicts = {check: c.verdict.value for check, c in outcome.conclusions.items()}
            self.target.progress.finished(outcome.case, verdicts)
        return outcome

    async def _started_again(self) -> bool:
        """A scenario with a server of its own may have stopped it; False when it does not come back."""
        process, ready = self.target.process, self.target.ready
        if process is None or ready is None:
            return False
        await process.kill()
        try:
            await process.start()
            await ready()
        except (HookError, TargetError):
            return False
        return True

    async def _once(self, scenario: Scenario, number: int) -> Outcome:
        async with self._slots:
            case = Case(scenario, self.target, self._slots, number=number)
            self.target.progress.started(case)
            self.lag.watch(case.watch, case.noise)
            crash: Conclusion | None = None
            limit = (self.planned(scenario) + 60) * max(1.0, self.target.patience / 5)
            try:
                await _within(limit, scenario, case)
            except Stop:
                pass
            except Unreachable as error:
                late = case.watch.worst >= LATE
                verdict, reason = (
                    (Verdict.INCONCLUSIVE, Reason.NOISE) if late else (Verdict.NOT_JUDGED, Reason.SETUP_FAILED)
                )
                crash = Conclusion(verdict, reason, str(error))
            except HookError as error:
                crash = Conclusion(Verdict.NOT_JUDGED, Reason.SETUP_FAILED, str(error))
            except TimeoutError:
                crash = Conclusion(Verdict.KIT_ERROR, Reason.CRASH, f"the scenario did nothing more for {limit:.0f} s")
            except (
                Exception
            ) as error:  # whatever a scenario does wrong is a verdict about the kit, never a crash of the run
                crash = _crashed(error)
            finally:
                self.lag.unwatch(case.watch)
                with suppress(OSError, HookError):
                    await case.finish()
        if crash is not None:
            assert crash.reason is not None
            case.note("", "crash", verdict=crash.verdict, reason=crash.reason, explanation=crash.explanation)
        seconds = case.watch.now()
        checks = [check.id for check in scenario.checks]
        # In a thread: judging a long transcript must not make the kit deaf to its other cases. In one, for more of them
        # would only take the interpreter from the loop.
        conclusions, watched = await asyncio.get_running_loop().run_in_executor(_JUDGING, self._judge, case, checks)
        return Outcome(scenario, conclusions, case, seconds, number, watched)

    def _judge(self, case: Case, checks: list[str]) -> tuple[dict[str, Conclusion], dict[str, Finding]]:
        try:
            return judge_case(case.transcript, checks, self.level), watch_case(self.watches, case.transcript)
        except Exception as error:  # as above
            return dict.fromkeys(checks, _crashed(error)), {}


def _crashed(error: Exception) -> Conclusion:
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
    return Conclusion(Verdict.KIT_ERROR, Reason.CRASH, text)


async def _within(limit: float, scenario: Scenario, case: Case) -> None:
    """Run a scenario to its end. Raises TimeoutError when it does nothing for `limit` seconds, or takes MOST of them.

    On a machine that gives the kit a tenth of a CPU a long scenario takes long; one that hangs does nothing.
    """
    running = asyncio.ensure_future(scenario.run(case))
    try:
        for _ in range(MOST):
            before = _deeds(case)
            done, _ = await asyncio.wait({running}, timeout=limit)
            if done:
                return running.result()
            if _deeds(case) == before:
                break
        raise TimeoutError
    finally:
        running.cancel()
        await asyncio.wait({running})


def _deeds(case: Case) -> int:
    """How often the scenario, not the server, did something."""
    return sum(1 for record in case.transcript if record.kind in ("open", "op", "statement", "mark", "local"))
