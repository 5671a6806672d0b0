"""One run: find the target, decide what applies to it, run that, and gather the result.

Knows hooks, scheduler and requirement table; knows no socket and no report.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from roomproof_protocol import Requirement, requirements

from . import across, quick
from . import checks as registry
from .checks import Check, Scenario, Watch
from .clock import LagMeter
from .faulting import BY_SIGNAL
from .hooks import Process
from .interpreter import tuned
from .plan import Plan
from .results import CheckResult, RunResult
from .schedule import Outcome, Scheduler
from .starting import Starter
from .target import Target, TargetError
from .verdicts import Conclusion, Reason, Verdict
from .watching import conclude_watch

__all__ = ["SHORT_TIMERS", "Plan", "Runner"]

SHORT_TIMERS: Mapping[str, Any] = {
    "heartbeat": {"interval_ms": 1000, "timeout_ms": 1000},
    "hello_ms": 2000,  # on a loaded machine the kit itself needs a good part of a second
    "presence_grace_ms": 2000,  # what must not show within it can then be told from what is merely late
}
"""What `--timers short` asks of a target that the kit starts: the shortest heartbeat that BEAT-7 demands."""


LONG_WAIT = 5.0
"""Seconds from which a case is not run one by one with others."""
CHAINS = 3
"""How many servers that the kit starts take the cases that run one by one, at most."""
EACH = 0.25
"""Seconds that such a case takes beside its waits, where two clients meet at once."""


class Runner:
    """Carries out a plan. `result` can be read at any time, also after an interruption."""

    def __init__(self, plan: Plan) -> None:
        from . import __version__

        self.plan = plan
        self.rows: dict[str, Requirement] = {row.id: row for row in requirements()}
        scenarios, self.watches = registry.load()
        scenarios = [*scenarios, *across.variants(scenarios)]
        self.scenarios = [replace(s, own_server=True) if s.disturbs and plan.starts else s for s in scenarios]
        self.result = RunResult(plan.where, plan.dialect.name, __version__, datetime.now(UTC))
        self._outcomes: list[Outcome] = []
        self._main: Target | None = None
        self._preset: dict[str, Conclusion] = {}
        self._starter = Starter(plan)
        self._lag = LagMeter()

    @property
    def processes(self) -> list[Process]:
        """All servers that were started, the ended ones included."""
        return self._starter.processes

    # -- the run ------------------------------------------------------------------------------------

    async def run(self) -> RunResult:
        """Judge everything that is wanted and applies.

        Raises TargetError when the target cannot be reached or lets no two clients talk.
        """
        began = time.monotonic()
        try:
            with tuned():
                async with self._lag:
                    await self._run()
        except asyncio.CancelledError:
            self.result.interrupted = True
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            self._starter.kill_now()
            self._gather(time.monotonic() - began)
        return self.result

    async def stop_all(self) -> None:
        """End every server that this run started."""
        await self._starter.stop_all()

    async def _run(self) -> None:
        main = self._main = await self._starter.target(self.plan.settings, self.plan.nodes)
        self._note_problems(main)
        plans = self._applicable(main)
        longest = self._longest(main, plans)
        self.result.longest_wait = longest
        self.plan.progress.planned(len(plans), longest)
        together = [s for s in plans if not s.apart and not s.disturbs]
        ordinary = [s for s in together if not s.hostile]
        hostile = [s for s in together if s.hostile]
        disturbing = [s for s in plans if s.disturbs and not s.apart]
        apart: dict[str, list[Scenario]] = {}
        for s in plans:
            if s.apart:
                key = s.name if s.own_server else json.dumps(s.settings, sort_keys=True)
                apart.setdefault(key, []).append(s)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ordinary(main, ordinary))
            if self._starts:
                for chain in self._chains(main, hostile):
                    group.create_task(self._one_by_one(None, chain))
                for scenarios in sorted(apart.values(), key=lambda group: -self._longest(main, group)):
                    group.create_task(self._apart(scenarios))
        if not self._starts:
            await self._one_by_one(main, hostile + disturbing)
        self.result.wall = time.monotonic() - began
        await self.stop_all()

    def _chains(self, target: Target, scenarios: list[Scenario]) -> list[list[Scenario]]:
        """Shares out what runs one by one so that no chain ends long after the others, nor after the longest wait."""
        each = max(EACH, 3 * self._starter.entering)
        whole = sum(self._planned(target, scenario) + each for scenario in scenarios)
        count = min(CHAINS, max(1, round(whole / max(self.result.longest_wait, LONG_WAIT))))
        chains: list[tuple[float, list[Scenario]]] = [(0.0, []) for _ in range(count)]
        for scenario in sorted(scenarios, key=lambda s: self._planned(target, s), reverse=True):
            seconds, chain = min(chains, key=lambda entry: entry[0])
            chains.remove((seconds, chain))
            chains.append((seconds + self._planned(target, scenario) + each, [*chain, scenario]))
        return [chain for _, chain in chains if chain]

    def _scheduler(self, target: Target) -> Scheduler:
        watches = [watch for watch in self.watches if self.plan.wants(watch.check)]
        return Scheduler(target, self._level, self._lag, self.plan.jobs, watches, self._outcomes)

    @property
    def _starts(self) -> bool:
        """Whether the kit starts the server itself."""
        return self.plan.starts

    async def _apart(self, scenarios: list[Scenario]) -> None:
        """Scenarios that want a server set in one same way, or one for themselves."""
        settings = scenarios[0].settings
        asked = {**self.plan.settings, **settings}
        try:
            settings_wanted = {name: value for name, value in asked.items() if value is not None}
            target = await self._starter.target(settings_wanted, self._nodes(scenarios[0]))
        except TargetError as error:
            self._set_aside(scenarios, Reason.SETUP_FAILED, str(error))
            return
        missing = target.process.cannot_set() & set(settings) if target.process else frozenset()
        if missing:
            why = f"the server cannot be set: {', '.join(sorted(missing))}"
            self._set_aside(scenarios, Reason.NEEDS_SETTING, why)
        else:
            await self._scheduler(target).side_by_side(scenarios)
        if target.process:
            await target.process.stop()

    def _set_aside(self, scenarios: Iterable[Scenario], reason: Reason, why: str) -> None:
        """What is not run is not judged, with the reason."""
        conclusion = Conclusion(Verdict.NOT_JUDGED, reason, why)
        self._preset.update({check.id: conclusion for scenario in scenarios for check in scenario.checks})

    async def _ordinary(self, target: Target, scenarios: list[Scenario]) -> None:
        """Everything that should harm no server, side by side.

        Where it did harm one that the kit can start again, whatever did not pass says nothing and is run anew:
        what waits long side by side, the rest one by one, so that the case that does the harm is named.
        """
        await self._scheduler(target).side_by_side(scenarios)
        trouble = await self._starter.two_talk(target)
        if not trouble:
            return
        self.result.notes.append(f"after the cases side by side no two new clients can talk ({trouble})")
        if target.process is None:
            return
        await target.process.stop()
        again = [o.scenario for o in self._outcomes if o.scenario in scenarios and not o.passed]
        self._outcomes[:] = [o for o in self._outcomes if o.scenario not in again]
        long = [s for s in again if self._planned(target, s) > LONG_WAIT]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._one_by_one(None, [s for s in again if s not in long]))
            if long:
                group.create_task(self._anew(long))

    async def _anew(self, scenarios: list[Scenario]) -> None:
        """Side by side on a server that is started for them."""
        try:
            target = await self._starter.target(self.plan.settings, self.plan.nodes)
        except TargetError as error:
            self._set_aside(scenarios, Reason.TARGET_DEAD, f"the server did not start again: {error}")
        else:
            await self._scheduler(target).side_by_side(scenarios)

    async def _one_by_one(self, target: Target | None, scenarios: list[Scenario]) -> None:
        """What may bring a server down: one by one, each followed by a look whether newcomers can still talk."""
        scheduler: Scheduler | None = None
        killer = ""
        for scenario in scenarios:
            if target is None and self._starts:
                try:
                    target = await self._starter.target(self.plan.settings, self.plan.nodes)
                except TargetError as error:
                    killer = str(error)
            if target is None:
                self._set_aside([scenario], Reason.TARGET_DEAD, f"the server was gone: {killer}")
                continue
            if scheduler is None or scheduler.target is not target:
                scheduler = self._scheduler(target)
            await scheduler.run(scenario)
            trouble = await self._starter.two_talk(target)
            if trouble:
                self.result.killers.append(scenario.name)
                killer = f"after {scenario.name} no two new clients can talk ({trouble})"
                self.result.notes.append(killer + ("; started anew" if target.process else "; it stays so"))
                if target.process:
                    await target.process.stop()
                target = None
        if target is not None and target.process is not None:
            await target.process.stop()

    def _nodes(self, scenario: Scenario) -> int:
        """How many nodes a server that is started for a scenario has: one where it does not speak of several."""
        return 1 if scenario.nodes == 1 else max(scenario.nodes, self.plan.nodes)

    # -- what applies -------------------------------------------------------------------------------

    def _applicable(self, target: Target) -> list[Scenario]:
        """The scenarios to run; for every wanted check that is not run, a preset conclusion with its reason."""
        plans = []
        for scenario in self.scenarios:
            wanted = [check for check in scenario.checks if self.plan.wants(check)]
            if not wanted:
                continue
            obstacles = {check.id: self._obstacle(check, scenario, target) for check in wanted}
            self._preset.update({check: why for check, why in obstacles.items() if why is not None})
            if not all(obstacles.values()):
                plans.append(scenario)
        return plans

    def _obstacle(self, check: Check, scenario: Scenario, target: Target) -> Conclusion | None:
        if unclaimed := self._unclaimed(check, target):
            return unclaimed
        if lacking := self._lacking(scenario, target):
            return lacking
        planned = self._planned(target, scenario)
        if self.plan.longest is not None and planned > self.plan.longest:
            return Conclusion(Verdict.NOT_JUDGED, Reason.TOO_LONG, f"must wait {planned:.0f} s")
        if self.plan.quick and (why := quick.left_out(scenario, planned)):
            return Conclusion(Verdict.NOT_JUDGED, Reason.TOO_LONG, why)
        return None

    def _lacking(self, scenario: Scenario, target: Target) -> Conclusion | None:
        """That there are too few nodes, or hooks, for a scenario."""
        hooks = self.plan.hooks
        given = hooks.given if hooks is not None else frozenset()
        starts_nodes = scenario.own_server and "node" in given
        if scenario.nodes > len(target.nodes) and not starts_nodes:
            why = "needs two nodes: the address of a second one, or a hook file with `node` and --nodes 2"
            return Conclusion(Verdict.NOT_JUDGED, Reason.NEEDS_NODES, why)
        given = given | BY_SIGNAL if self._starts else given - {"start", "token"}
        if lacking := scenario.hooks - given:
            why = f"needs a hook file with {' and '.join(f'`{name}`' for name in sorted(lacking))}"
            return Conclusion(Verdict.NOT_JUDGED, Reason.NEEDS_HOOK, why)
        return None

    def _planned(self, target: Target, scenario: Scenario) -> float:
        return scenario.waits(target.claims) if scenario.waits else 0.0

    def _unclaimed(self, check: Check, target: Target) -> Conclusion | None:
        """That a check does not apply to what the target claims, or None where it does."""
        missing = (set(self.rows[check.requirement].needs) | check.needs) - target.capabilities
        if not missing:
            return None
        return Conclusion(Verdict.NOT_APPLICABLE, Reason.NOT_CLAIMED, f"not claimed: {', '.join(sorted(missing))}")

    def _longest(self, target: Target, scenarios: Iterable[Scenario]) -> float:
        return max((self._planned(target, s) for s in scenarios), default=0.0)

    def _level(self, check: str) -> str:
        return self.rows[check.partition(".")[0]].level

    def _note_problems(self, target: Target) -> None:
        if target.process and (missing := target.process.cannot_set()):
            self.result.notes.append(f"the server cannot be set: {', '.join(sorted(missing))}")
        self.result.notes += [f"claim not usable: {problem}" for problem in target.claims.problems]

    # -- the result ---------------------------------------------------------------------------------

    def _gather(self, elapsed: float) -> None:
        """Make the result from whatever was reached."""
        result = self.result
        result.wall = result.wall or elapsed
        result.worst_lag = self._lag.worst
        result.sum_of_waits = sum(outcome.seconds for outcome in self._outcomes)
        for outcome in self._outcomes:
            key = None
            if outcome.case is not None:
                key = outcome.scenario.name
                result.transcripts[key] = outcome.case.transcript
            for check in outcome.scenario.checks:
                if self.plan.wants(check) and check.id not in self._preset:
                    self._add(check, outcome.conclusions[check.id], key, outcome.seconds, outcome.tries)
        for watch in self.watches:
            if self.plan.wants(watch.check):
                self._add_watch(watch)
        done = {r.check for r in result.results}
        for check in self._all_wanted():
            if check.id not in done:
                why = self._preset.get(check.id) or Conclusion(
                    Verdict.NOT_JUDGED, Reason.INTERRUPTED, "the run ended before"
                )
                self._add(check, why)
        order = {identifier: place for place, identifier in enumerate(self.rows)}
        result.results.sort(key=lambda r: (order[r.requirement], r.check))
        if self.plan.quick:
            result.notes += quick.notes(result.results)
        judged = {c.requirement for s in self.scenarios for c in s.checks} | {w.check.requirement for w in self.watches}
        result.unchecked = [
            row.id for row in self.rows.values() if row.observable and not row.reserved and row.id not in judged
        ]
        result.not_observable = [row.id for row in self.rows.values() if not row.observable]

    def _all_wanted(self) -> Iterable[Check]:
        return (check for s in self.scenarios for check in s.checks if self.plan.wants(check))

    def _add_watch(self, watch: Watch) -> None:
        """What a watch found in all cases; the first violation decides."""
        check = watch.check
        if self._main is not None and (unclaimed := self._unclaimed(check, self._main)):
            self._add(check, unclaimed)
            return
        cases = sorted(((o.scenario.name, o.watched) for o in self._outcomes), key=itemgetter(0))  # as a folder is read
        conclusion, case = conclude_watch(watch, cases, self._level(check.id))
        self._add(check, conclusion, case, beside=case)

    def _add(
        self,
        check: Check,
        conclusion: Conclusion,
        case: str | None = None,
        seconds: float = 0.0,
        tries: int = 1,
        beside: str | None = None,  # the case that a watch must look at, to say this again
    ) -> None:
        row = self.rows[check.requirement]
        selection = f" --only {check.id}" + (f" --only {beside}" if beside else "")
        repeat = self.plan.repeat + selection if self.plan.repeat else ""
        self.result.results.append(
            CheckResult(
                check.id,
                row.id,
                row.group,
                row.level,
                check.title,
                row.text,
                conclusion,
                case,
                seconds,
                tries,
                repeat,
            )
        )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception in a group of groups: what ended the tasks beside it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
