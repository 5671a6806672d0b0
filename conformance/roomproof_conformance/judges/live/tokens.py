"""The text of a message under load: it says itself where it belongs, whose it is, which one, and when it was written.

Letters, digits and full stops alone, so that every wire carries it; filled up to the wanted length. A clock is named
by a word of its own, since two machines' monotonic clocks have nothing to do with each other.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_MARK: Final = "rp"
_FILLING: Final = "the quick brown fox jumps over the lazy dog "


class Token(NamedTuple):
    """`number` counts the messages of `sender` in `room` from 0; `stamp` in seconds of the clock `clock`."""

    room: str
    sender: str
    number: int
    stamp: float
    clock: str


def compose(token: Token, size: int = 0) -> str:
    """The text, of `size` characters where that is more than it needs; room and sender hold no full stop."""
    room, sender, number, stamp, clock = token
    head = f"{_MARK}.{room}.{sender}.{number}.{int(stamp * 1e6)}.{clock}."
    length = max(size, len(head) + 4)  # the length itself has at most four digits
    text = f"{head}{length}"
    room_left = length - len(text)
    if room_left <= 0:
        return f"{head}{len(text)}"
    filling = _FILLING * (room_left // len(_FILLING) + 1)
    return f"{text} {filling[: room_left - 1].replace(' ', '-')}" if room_left > 1 else f"{text}-"


def parse(text: str) -> Token | None:
    """The token of a text that `compose` made; None for any other, ValueError's message for one that was changed.

    Raises ValueError when it begins like one and is not what was composed.
    """
    if not text.startswith("rp."):
        return None
    try:
        _, room, sender, number, stamp, clock, rest = text.split(".", 6)
        length = 0
        for digit in rest:
            if not digit.isdecimal():
                break
            length = length * 10 + int(digit)
        if length != len(text):
            raise ValueError(f"{len(text)} characters came of {length}")
        return Token(room, sender, int(number), int(stamp) / 1e6, clock)
    except ValueError as error:
        raise ValueError(str(error)) from None
