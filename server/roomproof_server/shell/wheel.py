"""One timer for all connections: a wheel of slots, turned by one callback of the loop.

Ten thousand idle connections cost ten thousand entries here and no task or timer of their own.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

SLOT_MS = 100


class Timed(Protocol):
    """Something with one deadline at a time."""

    slot: int

    def on_timer(self, now: float) -> float | None:
        """The deadline may have come; returns the next one in ms, None for none."""


class Wheel:
    """Deadlines in slots of ``SLOT_MS``; a deadline is never early and at most one slot and one turn late."""

    __slots__ = ("_slots", "_turned")

    def __init__(self, now: float) -> None:
        self._slots: defaultdict[int, list[Timed]] = defaultdict(list)
        self._turned = int(now // SLOT_MS)

    def at(self, deadline: float, timed: Timed) -> None:
        """Set or move the deadline; what stood before is void."""
        slot = max(int(deadline // SLOT_MS) + 1, self._turned + 1)
        if timed.slot != slot:
            timed.slot = slot
            self._slots[slot].append(timed)

    def turn(self, now: float) -> None:
        """Fire what is due."""
        current = int(now // SLOT_MS)
        while self._turned < current:
            self._turned += 1
            for timed in self._slots.pop(self._turned, ()):
                if timed.slot != self._turned:
                    continue  # moved since
                timed.slot = 0
                deadline = timed.on_timer(now)
                if deadline is not None:
                    self.at(deadline, timed)
