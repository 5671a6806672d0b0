"""Faults of messages: texts, numbers, copies, and the client's ids for retry."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roomproof_server.engine.base import Conflict, Limited, Stored
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Room
from roomproof_server.rules.session import Session
from roomproof_server.rules.stream import Seen, Stream, text_digest

from .lying import instead_of, liar
from .wrong_input import Frame, repair

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _change_text(change: Callable[[str], str]) -> None:
    @instead_of(Stream, "stage")
    def stage(honest: Callable[..., Any], self: Any, sender: Any, text: str, *args: Any, **times: Any) -> Any:
        return honest(self, sender, change(text) or text, *args, **times)


@liar
def msg_2_strips() -> None:
    """Blanks around a text are cut off."""
    _change_text(str.strip)


@liar
def msg_2_escapes_html() -> None:
    """A text is escaped for HTML."""
    _change_text(html.escape)


@liar
def msg_2_normalises() -> None:
    """A text is brought into NFC."""
    _change_text(lambda text: unicodedata.normalize("NFC", text))


@liar
def msg_17_drops_format() -> None:
    """Characters that show nothing are dropped from a text."""
    _change_text(lambda text: "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cn")))


@liar
def msg_17_poisons_joins() -> None:
    """A text with U+2028 passes, and every later join of its room fails."""

    @instead_of(Stream, "tail")
    def tail(honest: Callable[..., Any], *args: Any) -> Any:
        found = honest(*args)
        if any("\u2028".encode() in payload for payload in found.messages):
            raise ValueError("a line separator in a line")
        return found


@liar
def msg_2_other_connection() -> None:
    """A user's other connections do not get what one of them sent."""

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        all_members = dict(room._members)
        for listener in [who for who in room._members if who.user_id == entry.user][1:]:
            del room._members[listener]
        honest(room, entry)
        room._members = all_members


@liar
def msg_1_other_ts() -> None:
    """`sent` says another ts than the message has."""

    @instead_of(Session, "_sent")
    def sent(honest: Callable[..., None], self: Any, request: Frame, result: Any) -> None:
        honest(self, request, replace(result, ts=result.ts + 1) if isinstance(result, Stored) else result)


@liar
def msg_3_starts_at_2() -> None:
    """The first message of a room has seq 2."""

    @instead_of(Stream, "__init__")
    def init(honest: Callable[..., None], self: Any, *args: Any, **sizes: Any) -> None:
        honest(self, *args, **sizes)
        self.head = 1


@liar
def msg_4_refusal_takes_seq() -> None:
    """A message that is refused for the quota or its mid uses up a seq."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, *args: Any) -> None:
        *rest, done = args

        def told(result: Any) -> None:
            if isinstance(result, Limited | Conflict):
                self._room(room).stream.head += 1
            done(result)

        honest(self, room, *rest, told)


@liar
def msg_4_refused_is_delivered() -> None:
    """A message over the quota is refused and delivered all the same."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, text: str, mid: Any, done: Any) -> None:
        def told(result: Any) -> None:
            if isinstance(result, Limited):
                state = self._room(room)
                sender = {"id": member.id, "name": member.name}
                state.stream.stage(sender, text, None, now=self._now(), wall=self._wall())
                state.sink.message(state.stream.commit())
            done(result)

        honest(self, room, member, text, mid, told)


@liar
def msg_5_hole() -> None:
    """Every seventh message of a room is not delivered to its oldest member."""

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        oldest = next(iter(room._members), None) if entry.seq % 7 == 0 else None
        if oldest is None:
            honest(room, entry)
            return
        others = dict(room._members)
        del room._members[oldest]
        honest(room, entry)
        room._members = others


@liar
def msg_8_ts_back() -> None:
    """Every second ts lies five seconds back."""

    @instead_of(Stream, "stage")
    def stage(honest: Callable[..., Any], self: Any, *args: Any, now: float, wall: int) -> Any:
        self._ts = 0
        return honest(self, *args, now=now, wall=wall - 5000 * (self.head % 2))


@liar
def msg_9_stores_twice() -> None:
    """A repeated mid is stored and delivered again."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, text: str, mid: Any, done: Any) -> None:
        known = self._room(room).stream._seen
        if (seen := known.get((member.id, mid))) and seen.digest == text_digest(text):
            del known[member.id, mid]
        honest(self, room, member, text, mid, done)


@liar
def msg_10_any_text() -> None:
    """A known mid with another text is answered like a repetition."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, text: str, mid: Any, done: Any) -> None:
        stream = self._room(room).stream
        if seen := stream._seen.get((member.id, mid)):
            done(Stored(stream.epoch, seen.seq, seen.ts, duplicate=True))
            return
        honest(self, room, member, text, mid, done)


@liar
def msg_11_mid_for_all() -> None:
    """A mid is unique in its room, whoever used it."""

    @instead_of(Stream, "seen")
    def seen(honest: Callable[..., Any], self: Any, user: str, mid: str, now: float) -> Any:
        users = [who for who, known in self._seen if known == mid]
        return honest(self, users[0] if users else user, mid, now)


@liar
def msg_15_mid_to_all() -> None:
    """Everybody in the room gets the sender's mid."""

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        honest(room, replace(entry, payload=entry.own_payload(), mid=None))


@liar
def msg_15_mid_lost() -> None:
    """The sender's own message comes without its mid."""

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        honest(room, replace(entry, mid=None))


@liar
def msg_16_refusal_claims_mid() -> None:
    """The mid of a message over the quota is taken for stored."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, text: str, mid: Any, done: Any) -> None:
        def told(result: Any) -> None:
            stream = self._room(room).stream
            if isinstance(result, Limited) and mid is not None:
                stream._seen[member.id, mid] = Seen(self._now() + 60_000, stream.head, 1, text_digest(text))
            done(result)

        honest(self, room, member, text, mid, told)


@liar
def msg_13_replaces() -> None:
    """Lone surrogates in a text are replaced by U+FFFD."""
    repair(lambda frame: {**frame, "text": _SURROGATE.sub("\ufffd", str(frame["text"]))}, "invalid_text")


@liar
def msg_13_takes_controls() -> None:
    """Control characters pass in a text."""
    repair(lambda frame: {**frame, "text": _CONTROL.sub("?", str(frame["text"]))}, "invalid_text", restore="text")
