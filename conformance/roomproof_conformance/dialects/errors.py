"""The two failures of the dialect engine, and how a place in a file is written.

Knows nothing of YAML, of matching or of chats.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

Place = tuple[str | int, ...]
"""Where in a nested value something stands: member names and list positions from the root."""


class DialectError(Exception):
    """A dialect cannot be read, or cannot do what it is asked.

    `str()` is one clear line; `problems` holds all lines found, the first one included.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(problems[0] if problems else "")
        self.problems: tuple[str, ...] = problems


class BadPart(ValueError):
    """A pattern, a template or an expression is ill-formed at `place`, counted from its own root."""

    def __init__(self, message: str, place: Place = ()) -> None:
        super().__init__(message)
        self.message = message
        self.place = place

    def under(self, *outer: str | int) -> BadPart:
        """The same fault, seen from further out."""
        return BadPart(self.message, (*outer, *self.place))


def place_text(place: Place) -> str:
    """`actions.join[1].expect` for `("actions", "join", 1, "expect")`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the known words when none is near, or nothing when there are none."""
    names = list(known)
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
