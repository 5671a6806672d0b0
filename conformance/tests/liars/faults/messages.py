"""Faults of messages: texts, numbers, copies, and the client's ids for retry."""

from __future__ import annotations

import asyncio
import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from roomproof_server.engine.base import Conflict, Limited, Stored
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.engine.sqlite import SqliteEngine
from roomproof_server.hub import Room
from roomproof_server.rules import session
from roomproof_server.rules.session import Session
from roomproof_server.rules.stream import Seen, Stream, text_digest

from .lying import instead_of, left_out, liar
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
        with left_out(room, [who for who in room._members if who.user_id == entry.user][1:]):
            honest(room, entry)


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
        with left_out(room, islice(room._members, entry.seq % 7 == 0)):
            honest(room, entry)


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


@liar
def msg_2_cuts() -> None:
    """Of a text longer than a thousand characters the rest is cut off."""
    _change_text(lambda text: text[:1000])


@liar
def msg_6_calls_you_you() -> None:
    """To their own connections the sender of a message is called `you`."""

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        own = room._hub.listeners(entry.user)
        payload = re.sub(rb'"name":"(?:[^"\\]|\\.)*"', b'"name":"you"', entry.payload, count=1)
        with left_out(room, own):
            honest(room, entry)
        for listener in own & room._members.keys():
            listener.keep(room._hub.frame(replace(entry, payload=payload).own_payload()))


@liar
def msg_7_every_fourth_waits() -> None:
    """Every fourth message of a connection waits a moment before it gets its number."""
    turns: dict[Any, int] = {}

    @instead_of(session._HANDLERS, "send")
    def send(honest: Callable[..., None], self: Any, request: Frame) -> None:
        turns[self] = turns.get(self, 0) + 1
        if turns[self] % 4:
            honest(self, request)
            return
        room = self._joined_room(request)
        done = partial(self._told, request, partial(self._sent, request), None)
        publish = partial(self._hub.engine.publish, room, self._me, request["text"], request.get("mid"), done)
        asyncio.get_running_loop().call_later(0.01, publish)


@liar
def msg_9_forgets_on_leave() -> None:
    """Who leaves a room leaves the record of their mids behind."""

    @instead_of(session._HANDLERS, "leave")
    def leave(honest: Callable[..., None], self: Any, request: Frame) -> None:
        if request["room"] in self._rooms:
            _forget(self, request["room"])
        honest(self, request)


def _forget(connection: Any, room: str) -> None:
    """Drop what the room knows of the mids of the connection's user."""
    seen = connection._hub.engine._room(room).stream._seen
    for key in [key for key in seen if key[0] == connection.user_id]:
        del seen[key]


@liar
def msg_9_only_kept() -> None:
    """A mid is looked for only among the messages that the room still keeps."""

    @instead_of(Stream, "seen")
    def seen(honest: Callable[..., Any], self: Any, user: str, mid: str, now: float) -> Any:
        found = honest(self, user, mid, now)
        return found if found is not None and found.seq >= self.first else None


@liar
def msg_11_mid_across_rooms() -> None:
    """A mid that its user has used in one room is taken in all of them."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, text: str, mid: Any, done: Any) -> None:
        for name, state in self._rooms.items():
            seen = state.stream._seen.get((member.id, mid))
            if name != room and seen is not None:
                same = seen.digest == text_digest(text)
                done(Stored(state.stream.epoch, seen.seq, seen.ts, duplicate=True) if same else Conflict())
                return
        honest(self, room, member, text, mid, done)


@liar
def msg_12_looks_then_stores() -> None:
    """Between the look for a mid and the storing under it lies a moment in which another may pass."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, text: str, mid: Any, done: Any) -> None:
        def store() -> None:
            self._room(room).stream._seen.pop((member.id, mid), None)
            honest(self, room, member, text, mid, done)

        if mid is None or self._room(room).stream.seen(member.id, mid, self._now()):
            honest(self, room, member, text, mid, done)
        else:
            asyncio.get_running_loop().call_later(0.01, store)


@liar
def msg_14_forgets_on_loss() -> None:
    """With a connection that breaks the record of its user's mids is lost."""

    @instead_of(Session, "end")
    def end(honest: Callable[..., None], self: Any, *, clean: bool) -> None:
        rooms = list(self._rooms)
        honest(self, clean=clean)
        for room in rooms if not clean else ():
            _forget(self, room)


@liar
def msg_14_calls_it_new() -> None:
    """A retry on another connection is not stored again, and says `duplicate: false` all the same."""
    first: dict[Any, Any] = {}

    @instead_of(Session, "_sent")
    def sent(honest: Callable[..., None], self: Any, request: Frame, result: Any) -> None:
        if isinstance(result, Stored):
            if not result.duplicate:
                first[result.epoch, result.seq] = self
            result = replace(result, duplicate=result.duplicate and first.get((result.epoch, result.seq)) is self)
        honest(self, request, result)


def _store_late(*, answer_late: bool) -> None:
    """Show messages of a store on disk at once and give them to it a second later, or when it is closed."""
    late: list[Callable[[], None]] = []

    @instead_of(SqliteEngine, "_keep")
    def keep(honest: Callable[..., None], self: Any, state: Any, entry: Any) -> None:
        MemoryEngine._keep(self, state, entry)
        key, answers = (entry.epoch, entry.seq), list[Any]()
        if answer_late:
            self._pending[key] = answers

        def store() -> None:
            late.remove(store)
            honest(self, state, entry)
            self._next.staged.pop()  # what has been shown is not shown again
            del self._pending[key]
            for done, answer in answers:
                done(answer)

        late.append(store)
        asyncio.get_running_loop().call_later(1.0, lambda: store() if store in late else None)

    @instead_of(SqliteEngine, "close")
    def close(honest: Callable[..., None], self: Any) -> None:
        for store in list(late):
            store()
        honest(self)


@liar
def msg_18_stores_late() -> None:
    """Messages are acknowledged and shown at once, and stored a second later."""
    _store_late(answer_late=False)


@liar
def msg_18_shows_early() -> None:
    """Messages are shown a second before they are stored; only `sent` waits for that."""
    _store_late(answer_late=True)
