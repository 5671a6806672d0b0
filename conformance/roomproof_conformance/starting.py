"""Makes targets: the server at an address, or one that the hooks start, each seen to let clients talk.

Knows no requirement; what it starts it also ends.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from . import hooks as hooking
from .bounds import FIRST, RUN, Allowance
from .case import Case, Stop
from .checks import Check, Scenario
from .clock import Slots, pause
from .faulting import Faults
from .hooks import HookError, Hooks, Process
from .judges import Arrives
from .judging import flooded
from .plan import Plan
from .target import StartError, Target, TargetError
from .transport import Unreachable

STARTS = 2
"""How many servers start at the same time: more would starve the cases that are under way."""


class Starter:
    """The targets of one run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.processes: list[Process] = []  # all that were started, the ended ones included
        self.entering = 0.0  # seconds that two clients took to meet
        self._kept = Allowance(2 * RUN if plan.clustered else RUN)  # most is judged twice
        self._starting = asyncio.Semaphore(STARTS)

    async def target(self, settings: Mapping[str, Any], nodes: int = 1) -> Target:
        """A target that two clients can talk on; where the kit starts it, of so many nodes. Raises TargetError."""
        plan = self.plan
        if plan.url is not None or plan.hooks is None:
            assert plan.url is not None
            target = Target(
                plan.url,
                plan.dialect,
                name=plan.where,
                scale=plan.scale,
                progress=plan.progress,
                more=plan.more,
                kept=self._kept,
            )
            if plan.hooks is not None:
                target.faults = Faults(plan.hooks, target.nodes)
            trouble = await self.two_talk(target, learn=True)
            if trouble:
                raise TargetError(f"{plan.where}: {trouble}")
            return target
        async with self._starting:
            return await self._started(plan.hooks, settings, nodes)

    async def stop_all(self) -> None:
        """End every server that was started."""
        for process in self.processes:
            await process.stop()
            process.discard()

    def kill_now(self) -> None:
        """The same at once."""
        for process in self.processes:
            process.kill_now()

    async def _started(self, hooks: Hooks, settings: Mapping[str, Any], nodes: int) -> Target:
        """A server that the kit starts, ready. Raises TargetError."""
        plan = self.plan
        try:
            process = await hooking.start(hooks, settings)
            self.processes.append(process)
            for _ in range(nodes - 1):
                await process.another_node()
        except HookError as error:
            raise TargetError(str(error)) from None
        target = Target(
            process.url,
            plan.dialect,
            name=plan.where,
            scale=plan.scale,
            progress=plan.progress,
            process=process,
            more=[node.url for node in process.nodes],
            kept=self._kept,
        )
        target.faults = Faults(hooks, target.nodes, process)
        target.ready = partial(self._ready, target)
        await target.ready()
        return target

    async def _ready(self, target: Target) -> None:
        """Wait until two clients can talk on a server that the kit has just started. Raises TargetError."""
        process = target.process
        assert process is not None
        hooks = process.hooks
        deadline = time.monotonic() + hooks.ready
        while True:
            trouble = await self.two_talk(target, learn=True)
            if not trouble:
                return
            ended = process.exit_code
            if ended is not None or time.monotonic() > deadline:
                await process.stop()
                state = f"is not ready after {hooks.ready:g} s ({trouble})"
                if ended is not None:
                    state = f"ended with exit code {ended}"
                words = f"its last words: {process.last_words() or 'none'}"
                raise StartError(f"{hooks.path}: the started server {state}; {words}", state)
            await pause(0.1)

    async def two_talk(self, target: Target, *, learn: bool = False) -> str:
        """Whether new clients, one at each node and two at least, hear the first of them in a new room: empty, or
        what went wrong."""
        case = Case(_SANITY, target, Slots(1), most=FIRST)
        count = len(target.nodes)
        try:
            room = case.room()
            if learn:
                one = await case.member(room, node=0)
                target.learn(one.session)
                others = [await case.member(room, node=n % count) for n in range(1, max(2, count))]
            else:
                one, *others = await case.members(room, max(2, count))
            op = await case.say(one, room)
            for other in others:
                heard = Arrives(other.name, {"kind": "message", "text": op.text}, op.index, at_least=True)
                await case.must(heard, f"{other.name} hears {one.name}")
        except Unreachable as error:
            return str(error).removeprefix(f"{target.base}: ")
        except Stop as error:
            return flooded(case.transcript.records) or _why_not(case) or str(error)
        finally:
            await case.finish()
            if case.allowance.taken > FIRST // 2:  # large buffers in cycles would wait long for the collector
                gc.collect()
        self.entering = case.watch.now() / 2 if learn else self.entering
        return ""


async def _talk(case: Case) -> None:
    """Two clients exchange a message."""


_SANITY = Scenario(_talk, (Check("SANITY.two-talk", "two new clients can exchange a message"),), conns=99, nodes=2)


def _why_not(case: Case) -> str:
    """What kept two clients from talking, in words: no upgrade, or the first statement that did not hold."""
    from .judging import judge_statements

    for record in case.transcript:
        if record.kind == "handshake" and record.data["status"] != 101:
            status = record.data["status"]
            return f"answered HTTP {status} to a WebSocket handshake, expected 101; is this the path of its socket?"
    for judged in judge_statements(case.transcript):
        if judged.finding.outcome != "holds":
            return f"{judged.sentence}: expected {judged.finding.expected}; seen: {judged.finding.seen}"
    return ""
