"""Time for the kit: the only module in which anything sleeps.

Measures the kit's own lag, so that a deviation smaller than it is called noise and not a violation,
and hands a case's place to others while it waits. Knows no scenario and no verdict.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

TICK = 0.02
"""Seconds between two beats of the lag meter."""
CALM = 0.05
"""Seconds of lag that disturb nothing."""
LATE = 0.3
"""Seconds of lag from which a set-up that failed says nothing: on such a machine it may have been our doing."""


class Stopwatch:
    """What one case sees of time: seconds since its beginning, and the worst lag since then."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.worst = 0.0

    def now(self) -> float:
        """Seconds since the case began (monotonic)."""
        return time.monotonic() - self.began


class LagMeter:
    """A ticking task that records how late it is woken: what the kit's own event loop adds to every time."""

    def __init__(self) -> None:
        self._watches: dict[Stopwatch, Callable[[float], None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._due = float("inf")
        self._late_at = float("-inf")
        self.worst = 0.0

    async def __aenter__(self) -> LagMeter:
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def watch(self, watch: Stopwatch, on_rise: Callable[[float], None]) -> None:
        """Tell `on_rise` whenever the worst lag (seconds) during the life of `watch` grows noticeably."""
        self._watches[watch] = on_rise

    def unwatch(self, watch: Stopwatch) -> None:
        """Its life is over: a beat that is due counts as well, though the meter has not been woken for it yet."""
        self._tell(watch, time.monotonic() - self._due)
        self._watches.pop(watch, None)

    async def _tick(self) -> None:
        while True:
            self._due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            late = time.monotonic() - self._due
            self.worst = max(self.worst, late)
            if late > CALM:
                self._late_at = time.monotonic()
            for watch in list(self._watches):
                self._tell(watch, late)

    async def calm(self, at_most: float = 15.0) -> None:
        """Wait until the kit has not been late for a second, or `at_most` seconds: what was too noisy may go better."""
        until = time.monotonic() + at_most
        while time.monotonic() < min(until, self._late_at + 1.0):
            await asyncio.sleep(0.1)

    def _tell(self, watch: Stopwatch, late: float) -> None:
        if watch in self._watches and late > watch.worst + 0.005:
            watch.worst = late
            self._watches[watch](late)


class Slots:
    """How many cases work at once. A case that only waits parks, and another takes its place."""

    def __init__(self, jobs: int) -> None:
        self._free = asyncio.Semaphore(jobs)

    async def __aenter__(self) -> None:
        await self._free.acquire()

    async def __aexit__(self, *exc: object) -> None:
        self._free.release()

    @asynccontextmanager
    async def parked(self) -> AsyncGenerator[None]:
        self._free.release()
        try:
            yield
        finally:
            await self._free.acquire()


class Budget:
    """Connections that the target allows at once, shared out to cases whole, so that none waits half-equipped."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._changed = asyncio.Condition()

    async def take(self, count: int) -> None:
        """Wait until `count` connections are free, and take them. Raises ValueError when there can never be so many."""
        if count > self.size:
            raise ValueError(f"{count} connections at once are needed, the target claims {self.size}")
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= count)
            self._free -= count

    async def give_back(self, count: int) -> None:
        async with self._changed:
            self._free += count
            self._changed.notify_all()


def wall() -> int:
    """Seconds since 1970: only for what protocols state in them."""
    return int(time.time())


async def pause(seconds: float) -> None:
    """Let time pass. Scenarios use `Case.wait`, which records it and gives the place to others."""
    await asyncio.sleep(max(0.0, seconds))


async def every(seconds: float, action: Callable[[], bool]) -> None:
    """Call `action` each `seconds`, the first time after one of them, until it returns False."""
    await asyncio.sleep(seconds)
    while action():
        await asyncio.sleep(seconds)


class Bell:
    """Wakes everybody who waits for something to change."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, timeout: float) -> bool:
        """Wait for the next ring; False after `timeout` seconds without one."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True
