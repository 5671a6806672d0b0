"""The interval oracle of the rate limit (protocol-v1, section 6), live: one window of memory for each user.

The kit's `AtMost` and `MustAdmit` say the same of a finished transcript and share `Attempt` and `standing`. Of an
attempt only the moment before sending (s) and the moment its outcome was known (r) are certain; nothing else is used.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from roomproof_conformance.judges.rate import GRAIN, Attempt, standing


@dataclass(slots=True)
class RateWatch:
    """The attempts of one user (or connection, as the limit is scoped): `allow` per `per` seconds."""

    allow: int
    per: float
    open: dict[int, Attempt] = field(default_factory=dict)
    _admitted: deque[Attempt] = field(default_factory=deque)

    def begin(self, op: int, conn: str, user: str, t: float) -> None:
        self.open[op] = Attempt(op, conn, user, "", t)

    def admitted(self, op: int, t: float) -> str | None:
        """An attempt was accepted; what is wrong with that, or None."""
        attempt = self.open.pop(op, None)
        if attempt is None:
            return None
        attempt.outcome, attempt.r = "admitted", t
        kept = self._admitted
        kept.append(attempt)
        since = t - 2 * self.per - 1
        while kept and (kept[0].r or 0.0) < since:
            kept.popleft()
        if len(kept) <= self.allow:
            return None
        for first in kept:
            inside = [a for a in kept if a.s >= first.s and a.r is not None and a.r - first.s < self.per - GRAIN]
            if len(inside) > self.allow and attempt in inside:
                span = max(a.r or 0.0 for a in inside) - first.s
                return f"{len(inside)} admitted within {span:.3f} s"
        return None

    def refused(self, op: int, t: float) -> str | None:
        """An attempt was refused for its rate; what is wrong with that, or None.

        Those that are still without an outcome count as admitted: they may have been.
        """
        attempt = self.open.pop(op, None)
        if attempt is None:
            return None
        attempt.r = t
        before = len(standing(attempt, self._admitted, self.per))
        undecided = sum(1 for other in self.open.values() if other.s < t)
        if before + undecided >= self.allow:
            return None
        return f"refused with {before + undecided} messages that can stand in its window"

    def other(self, op: int) -> None:
        """An attempt came to another end: refused for another reason, or its connection broke off.

        One whose connection broke off may have been admitted, so it stays in the window as long as it can.
        """
        self.open.pop(op, None)

    def unknown(self, op: int, t: float) -> None:
        """Its outcome will never be known; it may stand in windows until then."""
        attempt = self.open.pop(op, None)
        if attempt is not None:
            self.open[-op - 1] = attempt
            self._forget(t)

    def _forget(self, t: float) -> None:
        for op in [op for op, a in self.open.items() if op < 0 and a.s < t - 4 * self.per - 60]:
            del self.open[op]
