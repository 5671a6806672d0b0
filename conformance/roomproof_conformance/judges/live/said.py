"""What a live judge says when a promise is broken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

KINDS: Final[dict[str, str]] = {
    "lost": "an accepted message that a member of its room did not get",
    "duplicated": "a message that a member got twice",
    "reordered": "a message that a member got behind a later one",
    "leaked": "a message that reached somebody outside its room",
    "altered": "a message that arrived as another text than was sent",
    "contradicted": "a message that was refused, and delivered all the same",
    "over-admitted": "more messages of a user accepted within a window than the limit allows",
    "wrongly-refused": "a message refused for its rate while the limit left room for it",
    "unanswered": "a request without an answer on a connection that is alive",
    "dropped": "a connection that the server ended though its client was alive and kept to the rules",
}
"""Every kind of violation that is looked for, in one line each."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: `t` in seconds of the caller's clock, `conn` where it shows, `other` who sent."""

    kind: str
    t: float
    conn: str
    room: str | None
    expected: str
    seen: str
    other: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
