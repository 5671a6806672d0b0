"""When one connection is due a Ping, a tick, or its end (BEAT-1..9).

``interval`` and ``timeout`` are milliseconds, ``now`` is monotonic milliseconds. It must not know how frames
are sent.
"""

from __future__ import annotations

from typing import Literal

Beat = Literal["ping", "tick", "dead"]


class Heartbeat:
    """The heartbeat of one connection, from ``welcome`` on.

    A client is dead when nothing came for ``interval + timeout``: one that only answers Pings is heard every
    ``interval`` and then still has ``timeout`` to answer the next (BEAT-4, BEAT-5).
    ``spread`` in 0..1 places the first Ping and the first tick within interval/2..interval (BEAT-9).
    """

    __slots__ = ("_interval", "_ping_at", "_quiet", "_timeout", "heard_at", "sent_at")

    def __init__(self, interval: float, timeout: float, now: float, spread: float) -> None:
        self._interval, self._timeout = interval, timeout
        self.heard_at = now  # the last sign of life, any frame
        self.sent_at = now  # the last application frame sent
        # After ``quiet`` ms without an application frame a tick is due: the spread time once, then the
        # interval, so that connections that all joined in the same second do not tick in step ever after.
        self._quiet = interval / 2 * (1 + spread)
        self._ping_at = now + self._quiet

    def due(self, now: float) -> list[Beat]:
        """What has to happen at ``now``; asking notes it as done, except that dead stays dead."""
        if now - self.heard_at >= self._interval + self._timeout:
            return ["dead"]
        beats: list[Beat] = []
        if now >= self._ping_at:
            self._ping_at += self._interval  # from the plan and not from now: lateness does not add up
            if self._ping_at <= now:  # but what a long stall swallowed is not made up for
                self._ping_at = now + self._interval
            beats.append("ping")
        if now - self.sent_at >= self._quiet:
            self._quiet = self._interval
            self.sent_at = now
            beats.append("tick")
        return beats

    def next(self) -> float:
        """The earliest time (ms) at which `due` may have something, unless frames flow in between."""
        return min(self._ping_at, self.sent_at + self._quiet, self.heard_at + self._interval + self._timeout)
