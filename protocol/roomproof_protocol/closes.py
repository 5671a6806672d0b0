"""Close codes (section 5) and what a client should do after each, unknown ones included.

Private codes stand in blocks of 100, so that a code nobody has heard of still carries advice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from roomproof_protocol.data import LazyTable, table

MAX_REASON_BYTES = 123
"""What RFC 6455 leaves for the reason in a Close frame of 125 bytes."""


@dataclass(frozen=True)
class Advice:
    """What a client does after a close. Times in milliseconds.

    `wait_ms` is the least wait before the next attempt where the server named none, `spread_ms` the width
    of a random wait on top. Backoff (full jitter) comes in addition where `backoff` is true.
    """

    name: str
    text: str
    reconnect: bool
    resume: bool = False
    backoff: bool = False
    new_credentials: bool = False
    wait_ms: int = 0
    spread_ms: int = 0


@dataclass(frozen=True)
class CloseCode:
    """One row of the close code table.

    `initiated_by_server`: a v1 server may begin a close with it (DISC-4).
    """

    code: int
    name: str
    advice: Advice
    note: str = ""
    initiated_by_server: bool = True
    reserved: bool = False

    def reason(self, retry_after_ms: int | None = None) -> str:
        """Give the reason string: the name, and how long to wait where that is known."""
        return self.name if retry_after_ms is None else f"{self.name}; retry_after_ms={retry_after_ms}"


@dataclass(frozen=True)
class CloseBlock:
    """A block of close codes that share their advice; bounds are inclusive."""

    first: int
    last: int
    advice: Advice


@cache
def _advices() -> dict[str, Advice]:
    return {row["name"]: Advice(**row) for row in table("closes")["advices"]}


def _codes() -> dict[int, CloseCode]:
    rows = [row | {"advice": _advices()[row["advice"]]} for row in table("closes")["codes"]]
    return {row["code"]: CloseCode(**row) for row in rows}


CLOSES: LazyTable[int, CloseCode] = LazyTable(_codes)


@cache
def close_blocks() -> tuple[CloseBlock, ...]:
    """Give the blocks of 100, in order."""
    return tuple(CloseBlock(row["first"], row["last"], _advices()[row["advice"]]) for row in table("closes")["blocks"])


def close_advice(code: int | None) -> Advice:
    """Give the advice for any close code; `None` stands for a connection that ended without one."""
    if code is None:
        code = 1006
    if code in CLOSES:
        return CLOSES[code].advice
    blocks = (block for block in close_blocks() if block.first <= code <= block.last)
    return next((block.advice for block in blocks), CLOSES[1011].advice)


def retry_after(reason: str) -> int | None:
    """Give the milliseconds a close reason asks to wait, or None where it names none."""
    found = re.search(r"; retry_after_ms=([0-9]{1,15})\Z", reason)
    return int(found[1]) if found else None
