"""How much of what servers write is kept, so that none can fill the memory of the kit.

What comes is charged by an estimate of the memory that its records take. A case has a bound of its own and all cases
of a run have one together; beyond either a connection is cut, and its case is not judged, for it cannot be told what
else would have come. Knows no connection and no verdict.
"""

from __future__ import annotations

from typing import Final

RECORD: Final = 1000
"""Bytes that a record takes beside its payload, about."""
FIRST: Final = 8 * 2**20
"""Bytes that may come before two clients have exchanged a message."""
CASE: Final = 128 * 2**20
"""Bytes of one case: twice what the largest takes, that of a server whose kernel holds much (see DISC-7)."""
RUN: Final = 320 * 2**20
"""Bytes of all cases of a run; more than half of it is needed where every check applies."""


class Allowance:
    """Bytes that may still be kept, here and in whatever stands above."""

    def __init__(self, limit: int, above: Allowance | None = None) -> None:
        self.limit = limit
        self.taken = 0
        self._above = above

    def take(self, size: int) -> bool:
        """Charge a record with a payload of `size` bytes; False when the bound is reached."""
        self.taken += RECORD + size
        above = self._above is None or self._above.take(size)
        return above and self.taken <= self.limit
