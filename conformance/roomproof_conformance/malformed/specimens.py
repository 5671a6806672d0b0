"""What a generated frame is: its id, what is written, what must follow, by which sentence, and its repaired twin.

Which sentence speaks of which frame is decided here, from the schema's keywords and never from a list of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .jsontext import write
from .places import Place
from .samples import Values

__all__ = ["FATAL", "OPERATORS", "Outcome", "Piece", "Specimen", "Values", "accepted", "refused"]

Outcome = Literal[
    "refused",  # an error with one of the codes; the connection stays, unless it is the first frame
    "accepted",  # the reply that the schema names
    "understood",  # that, or an error that is not about the form: the value is valid, but means nothing here
    "either",  # refused is right, accepted is tolerated
    "lenient",  # accepted is right, refused is tolerated
    "closed",  # the connection is closed with the code
]

FORM_CODES = (
    "invalid_json",
    "unsupported_data",
    "invalid_message",
    "unknown_type",
    "invalid_room",
    "invalid_name",
    "invalid_text",
    "text_too_long",
)
"""The codes that find fault with the form of a frame (section 4, the order of checks)."""

FATAL = 4401
"""How a connection ends whose first frame was refused (CONN-13)."""

Piece = tuple[int, bytes, bool]
"""One frame of RFC 6455: opcode, payload, FIN."""


@dataclass(frozen=True)
class Specimen:
    """One generated frame. `place` and `operator` make it distinct; the values in it do not.

    `request_id` is the usable id that the frame carries, None where the spoilt frame has none; `twin` is the text
    of the same frame without the defect, None where there is none to repair.
    """

    place: str
    operator: str
    type: str
    pointer: str
    requirement: str
    outcome: Outcome
    pieces: tuple[Piece, ...]
    reply: str
    request_id: str | None = None
    any_ref: bool = False  # an error may carry the id or null
    codes: tuple[str, ...] = ()
    close: int | None = None
    twin: str | None = None

    @property
    def id(self) -> str:
        return f"{self.place}:{self.operator}"

    @property
    def first(self) -> bool:
        """It can only be the first frame of a connection."""
        return self.type == "hello"

    @property
    def negative(self) -> bool:
        return self.outcome in ("refused", "either", "closed")

    @property
    def payload(self) -> bytes:
        """The whole message, fragments together, control frames between them left out."""
        return b"".join(payload for opcode, payload, _ in self.pieces if opcode < 8)

    @property
    def expected(self) -> str:
        """In words."""
        codes = " or ".join(self.codes)
        reply = f"`{self.reply}`"
        if self.type == "auth" and self.outcome != "refused":
            reply = "an error that is not about its form, for a guest has nothing to renew"
        if self.outcome == "closed":
            return f"close {self.close}"
        if self.outcome == "understood":
            return f"{reply}, or an error that is not about its form"
        if self.outcome == "either":
            return f"{codes}, or (tolerated) {reply}"
        if self.outcome == "lenient":
            return f"{reply}, or (tolerated) {codes}"
        fatal = f", fatal, and close {FATAL}" if self.first else ""
        return reply if self.outcome == "accepted" else f"{codes}{fatal}"

    def as_json(self) -> dict[str, Any]:
        """For lists: bytes as latin-1 text, so that nothing is lost."""
        return {
            "id": self.id,
            "place": self.place,
            "operator": self.operator,
            "requirement": self.requirement,
            "outcome": self.outcome,
            "expected": self.expected,
            "negative": self.negative,
            "frames": [{"opcode": o, "fin": fin, "payload": p.decode("latin-1")} for o, p, fin in self.pieces],
            "twin": self.twin,
        }


OPERATORS: Mapping[str, str] = {
    # a value of another type
    "null": "`null` in place of a value",
    "boolean": "A boolean in place of another value",
    "integer": "An integer in place of another value",
    "fraction": "1.5 in place of another value",
    "string": "A string in place of another value",
    "array": "The value in an array",
    "object": "An object in place of another value",
    # members
    "missing": "A frame without a required member",
    "excluded": "Two members that exclude each other",
    "twice-last-good": "A member twice, first `null` and then its value",
    "twice-first-good": "A member twice, first its value and then `null`",
    "all-members": "A frame with all the members that it may have",
    "minimal": "A frame with nothing but the required members",
    "reversed": "Members in reverse order",
    "escaped-name": r"A member's name written in `\u` escapes",
    "extra-null": "An unknown member that is `null`",
    "extra-string": "An unknown member that is a string",
    "extra-array": "An unknown member that is an array",
    "extra-object": "An unknown member that is an object",
    "extra-proto": "An unknown member `__proto__`",
    "extra-reply": "Unknown members named like those of a reply",
    "extra-long-digits": "A number of 400 digits in an unknown member",
    "extra-overflow": "1e400 in an unknown member",
    "extra-surrogate": "A lone surrogate in an unknown member",
    # numbers
    "minimum": "A number at its minimum",
    "below-minimum": "A number below its minimum",
    "maximum": "A number at its maximum",
    "above-maximum": "A number above its maximum",
    "inexact": "2^53 in a number",
    "overflow": "1e400 in a number",
    "minus-overflow": "-1e400 in a number",
    "long-digits": "400 digits in a number",
    "minus-zero": "-0 in a number",
    "whole-float": "A whole number written 1.0",
    "exponent": "A whole number written 1e0",
    "nan": "NaN as a value",
    "infinity": "Infinity as a value",
    "minus-infinity": "-Infinity as a value",
    # strings
    "empty": "An empty string",
    "shortest": "A string as short as may be",
    "too-short": "A string one character too short",
    "longest": "A string as long as may be",
    "too-long": "A string one character too long",
    "upper-case": "A string in upper case",
    "blank-inside": "A string with a blank inside",
    "blank-before": "A string with a blank before it",
    "line-feed-behind": "A string with a line feed behind it",
    "carriage-return": "A string with a carriage return",
    "nul": "A string with U+0000",
    "delete": "A string with U+007F",
    "slash": "A string with a slash",
    "not-ascii": "A string with an e acute",
    "emoji": "A string with a character beyond U+FFFF",
    "noncharacter": "A string with U+FFFE",
    "lone-surrogate": "A string with a lone surrogate",
    "escaped": r"A string written in `\u` escapes",
    "other-type": "A type that does not exist",
    "reply-type": "A type that only the server may send",
    # the text of the frame
    "truncated": "A frame whose last character is missing",
    "cut-in-a-string": "A frame cut off inside a string",
    "two-documents": "Two documents in one frame",
    "byte-order-mark": "A byte order mark before the frame",
    "trailing-comma": "A comma behind the last member",
    "comment": "A comment behind the frame",
    "single-quotes": "Names and strings in single quotes",
    "bare-names": "Member names without quotes",
    "raw-control": "A raw control character in a string",
    "bad-escape": r"An escape `\x41` in a string",
    "leading-zero": "A number with a leading zero",
    "too-deep": "A frame nested 17 levels deep",
    "deepest": "A frame nested 16 levels deep",
    "in-an-array": "The frame in an array",
    "in-a-string": "The frame in a string",
    "blanks": "Blanks between all tokens",
    # how it is carried
    "binary": "A valid message in a binary frame",
    "binary-fragments": "A valid message in binary fragments",
    "fragments": "A message in three fragments",
    "empty-fragments": "A message with empty fragments around and inside of it",
    "ping-between": "A Ping between two fragments",
    "largest": "A message of exactly `frame_bytes` bytes",
    "oversize": "A message of `frame_bytes` + 1 bytes",
    "oversize-fragments": "Fragments of `frame_bytes` + 1 bytes together",
    "bad-utf8": "A byte that is not UTF-8",
    "bad-utf8-fragments": "Fragments that together are not UTF-8",
}
"""Every operator and what it makes, in words."""

_BY_CODE = {"invalid_room": "ROOM-1", "invalid_text": "MSG-13", "text_too_long": "ERR-8", "invalid_name": "AUTH-10"}
AFTER_WELCOME = ("ERR-1", "ERR-6", "ERR-7", "ERR-10")
"""Rows that speak of what comes after `welcome`: of a hello CONN-13 speaks in their place."""
_NO_INTEGERS = ("boolean", "string", "fraction")
_NO_NUMBERS = ("inexact", "overflow", "minus-overflow", "long-digits")
_WHOLE = ("whole-float", "exponent")


def row_of_refusal(place: Place, operator: str, codes: tuple[str, ...]) -> str:
    """The requirement that refuses what `operator` makes at `place`.

    Where no sentence names the defect, section 4 names the code, and ERR-10 says that the repaired frame succeeds.
    """
    row = _row_of_refusal(place, operator, codes)
    return "CONN-13" if place.type == "hello" and row in AFTER_WELCOME else row


def _row_of_refusal(place: Place, operator: str, codes: tuple[str, ...]) -> str:
    own = next((row for code, row in _BY_CODE.items() if code in codes), None)
    if place.is_type or place.is_id:
        return "ERR-6" if "unknown_type" in codes else "ERR-4"
    if operator == "null" and not place.required:
        return "CONN-14"
    if "integer" in place.admits:
        if operator in _NO_INTEGERS:
            return "ERR-5"
        if operator in _NO_NUMBERS:
            return "ERR-3"
        if operator == "above-maximum":
            return "LIMIT-1" if "maximum" in place.schema.get("x-limit", {}) else "ERR-3"
    return own or "ERR-10"


def row_of_acceptance(place: Place, operator: str) -> str:
    """The requirement that accepts what `operator` makes at `place`: ERR-10 where no other sentence names it."""
    limits, named = place.schema.get("x-limit", {}), place.schema.get("x-errors", {})
    own = next((row for code, row in _BY_CODE.items() if code in named.values()), None)
    if operator.startswith("extra-") or operator == "deepest":  # the depth is that of an unknown member
        return "ERR-16" if operator in ("extra-long-digits", "extra-overflow", "extra-surrogate") else "CONN-12"
    if own:
        return own
    if place.type == "hello":
        return "CONN-6"
    if place.is_id:
        return "ERR-4"
    if operator in _WHOLE:
        return "ERR-5"
    return "LIMIT-1" if operator == "maximum" and "maximum" in limits else "ERR-10"


def refused(
    place: Place,
    operator: str,
    base: dict[str, Any],
    spoilt: Any,
    reply: str,
    codes: tuple[str, ...],
    *,
    usable_id: bool | None = True,
    row: str | None = None,
    outcome: Outcome = "refused",
) -> Specimen:
    """A text frame with a defect; `base` is the frame without it. `usable_id` None: the error may carry the id."""
    text = spoilt if isinstance(spoilt, str) else write(spoilt)
    return Specimen(
        place.name,
        operator,
        place.type,
        place.pointer,
        row or row_of_refusal(place, operator, codes),
        outcome,
        ((1, text.encode("utf-8", "surrogatepass"), True),),
        reply,
        None if usable_id is False else base["id"],
        usable_id is None,
        codes,
        None,
        write(base),
    )


def accepted(
    place: Place, operator: str, frame: Any, reply: str, request_id: str, outcome: Outcome = "accepted", **more: Any
) -> Specimen:
    """A text frame that is valid."""
    text = frame if isinstance(frame, str) else write(frame)
    row = more.pop("row", None) or row_of_acceptance(place, operator)
    if outcome == "understood" and place.type == "hello":
        row = "CONN-13"  # a hello that cannot be honoured
    piece = (1, text.encode(), True)
    return Specimen(place.name, operator, place.type, place.pointer, row, outcome, (piece,), reply, request_id, **more)
