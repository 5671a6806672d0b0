"""What a codec is: from the payload of one message to decoded trees, and back.

A tree is made of maps, lists, strings, numbers, booleans and null, so that one pattern language serves every
wire. A codec never raises on what a server sends: a payload that it cannot read is one tree, the text as it
came. Knows no wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

DEPTH: Final = 200
"""Levels of a tree; what is deeper stays text: whoever walks or writes it would run out of stack."""


class Outgoing(NamedTuple):
    """One message to write: text in a text frame, or bytes in a binary one."""

    payload: str | bytes
    binary: bool = False


class Unreadable(str):
    """A payload that is not of the codec's syntax, as text."""

    __slots__ = ()


def _anything(raw: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Codec:
    """`decode` gives the events of one payload; `encode` writes one tree.

    Text that a dialect sends goes out as it stands; `encode` writes what is no text, and raises ValueError for a tree
    that the wire cannot carry. `wrong` says in words why a frame of a dialect file, placeholders and all, can be none
    of this wire, or nothing; it is asked when the file is read. `per_connection`, where a codec remembers what came,
    makes a fresh one for each connection.
    """

    name: str
    decode: Callable[[str | bytes], list[Any]]
    encode: Callable[[Any], str | bytes]
    wrong: Callable[[Any], str] = _anything
    per_connection: Callable[[], Codec] | None = None

    def opened(self) -> Codec:
        """The codec for one new connection."""
        return self if self.per_connection is None else self.per_connection()


def as_text(payload: str | bytes) -> str:
    """A payload as text, whatever its frame was; bytes that are not UTF-8 stay visible."""
    return payload if isinstance(payload, str) else payload.decode("utf-8", "backslashreplace")
