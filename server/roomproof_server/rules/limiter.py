"""Who may still send: the sliding log of RATE-1..11, the frame bucket of RATE-12, the error log of ERR-13.

Pure arithmetic over ``now`` in monotonic milliseconds; it must not know who is being counted.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque


class SlidingLog:
    """At most ``count`` admissions in any half-open ``window`` of milliseconds.

    A log and not a bucket: a bucket admits its capacity plus its rate within one window, and the promise is
    "5 in any second" (section 6).
    """

    __slots__ = ("_times", "_window")

    def __init__(self, count: int, window: float) -> None:
        self._times: deque[float] = deque(maxlen=count)
        self._window = window

    def wait(self, now: float) -> int:
        """The milliseconds (1..window) until one would be admitted, 0 for now."""
        times = self._times
        if len(times) == times.maxlen:
            age = max(now, times[-1]) - times[0] if times else 0.0
            if age < self._window:
                # Not ``oldest + window - now``: rounding there could say one more than the window.
                return math.ceil(self._window - age)
        return 0

    def admit(self, now: float) -> int:
        """Admit one at ``now`` and return 0, or return the `wait` and note nothing.

        A refusal costs nothing and lengthens nothing (RATE-8). A clock that steps back stands still instead.
        """
        wait = self.wait(now)
        if not wait:
            self._times.append(max(now, self._times[-1]) if self._times else now)
        return wait

    def idle(self, now: float) -> bool:
        """True when forgetting this log changes no later answer."""
        return not self._times or now - self._times[-1] >= self._window


MOST_ADDRESSES = 10_000


class Quotas:
    """One sliding log per user or address, kept only as long as it can still refuse (RATE-3..5, RATE-11).

    Beyond ``most`` logs the one with the oldest last admission goes early: addresses are cheap to those who have
    thousands, so forgetting one gives them nothing, and memory stays bounded.
    """

    __slots__ = ("_count", "_logs", "_most", "_window")

    def __init__(self, count: int, window: float, most: int | None = None) -> None:
        self._count, self._window, self._most = count, window, most
        self._logs: OrderedDict[str, SlidingLog] = OrderedDict()

    def __len__(self) -> int:
        return len(self._logs)

    def wait(self, user: str, now: float) -> int:
        """As `SlidingLog.wait`, for this user."""
        log = self._logs.get(user)
        return log.wait(now) if log is not None else 0

    def admit(self, user: str, now: float) -> int:
        """As `SlidingLog.admit`, for this user."""
        log = self._logs.get(user)
        if log is None:
            if self._most is not None and len(self._logs) >= self._most:
                self._logs.popitem(last=False)
            log = self._logs[user] = SlidingLog(self._count, self._window)
        wait = log.admit(now)
        if not wait:
            self._logs.move_to_end(user)
        return wait

    def sweep(self, now: float) -> None:
        """Forget users whose window is empty; the least recently admitted come first, so this stops early."""
        while self._logs:
            user, log = next(iter(self._logs.items()))
            if not log.idle(now):
                return
            del self._logs[user]


class FrameBucket:
    """A token bucket over one connection's client messages (RATE-12).

    Its capacity is twice the advertised burst: three times ``burst`` within a second must be refused, while
    a paced client whose messages a stall has bunched must not be; twice lies between with room on both sides.
    """

    __slots__ = ("_capacity", "_rate", "_then", "_tokens")

    def __init__(self, rate: int, burst: int, now: float) -> None:
        self._rate = rate / 1000
        self._tokens = self._capacity = 2.0 * burst
        self._then = now

    def take(self, now: float, count: int = 1) -> bool:
        """Pay for that many; False when the connection is flooding."""
        self._tokens = min(self._capacity, self._tokens + max(0.0, now - self._then) * self._rate) - count
        self._then = max(now, self._then)
        return self._tokens >= 0


class ErrorLog:
    """Malformed frames of one connection: more than twice ``count`` in the window is too many (ERR-13)."""

    __slots__ = ("_log",)

    def __init__(self, count: int, window: float) -> None:
        self._log = SlidingLog(2 * count, window)

    def note(self, now: float) -> bool:
        """Note one malformed frame; False when it was one too many."""
        return not self._log.admit(now)
