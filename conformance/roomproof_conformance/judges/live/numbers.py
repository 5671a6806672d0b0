"""The numbers of a server that numbers its messages: one higher with each message, and the same message for all.

What the kit's `Contiguous` and `SameView` say of a transcript, live: the last number of each room on each connection,
and of each room the last few messages by their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .tokens import Token

KEPT = 4096
"""Messages of a room that are remembered by their number."""


class Numbers:
    """`tell` is called with kind, connection, room, expected, seen and sender."""

    def __init__(self, tell: Callable[[str, str, str | None, str, str, str | None], None]) -> None:
        self._tell = tell
        self._last: dict[tuple[str, str], tuple[Any, int]] = {}
        self._views: dict[str, dict[tuple[Any, int], tuple[str, int]]] = {}

    def forget(self, conn: str, room: str) -> None:
        """The connection is out of the room, or about to join it anew."""
        self._last.pop((conn, room), None)

    def begins(self, conn: str, room: str, joined: Mapping[str, Any]) -> None:
        """A join was answered, and speaks up to its head: the next live message is the one after it."""
        head = joined.get("seq")
        if isinstance(head, int):
            self._last[conn, room] = (joined.get("epoch"), head)

    def heard(self, conn: str, token: Token, fields: Mapping[str, Any]) -> None:
        """A live message."""
        seq, epoch = fields.get("seq"), fields.get("epoch")
        if type(seq) is not int:
            return
        room = token.room
        key = (conn, room)
        last = self._last.get(key)
        self._last[key] = (epoch, seq)
        if last is not None and last[0] == epoch and seq != last[1] + 1:
            kind = "lost" if seq > last[1] else "duplicated" if seq == last[1] else "reordered"
            if kind == "reordered":
                self._last[key] = last
            self._tell(kind, conn, room, f"message {last[1] + 1} after {last[1]}", f"message {seq} came", token.sender)
        views = self._views.setdefault(room, {})
        mine = (token.sender, token.number)
        seen = views.setdefault((epoch, seq), mine)
        if seen is not mine and seen != mine:
            expected = f"one message under number {seq} for all"
            what = f"number {token.number} of {token.sender} here, {seen[1]} of {seen[0]} elsewhere"
            self._tell("altered", conn, room, expected, what, token.sender)
        if len(views) > 2 * KEPT:
            for old in list(views)[:KEPT]:
                del views[old]
