"""Faults of history: its bound, its order, its pages, and the seam between it and live messages."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from roomproof_server.engine.base import Joined, Stale
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.engine.sqlite import SqliteEngine
from roomproof_server.hub import Room
from roomproof_server.rules import session
from roomproof_server.rules.session import Session
from roomproof_server.rules.stream import Page, Stream, new_epoch

from .lying import instead_of, liar
from .wrong_input import Frame


def _retain(more: int) -> None:
    @instead_of(Stream, "__init__")
    def init(honest: Callable[..., None], self: Any, *args: Any, retain: int, dedup: float) -> None:
        honest(self, *args, retain=retain + more, dedup=dedup)


@liar
def hist_2_keeps_101() -> None:
    """One message more than advertised is kept."""
    _retain(+1)


@liar
def hist_2_keeps_99() -> None:
    """One message less than advertised is kept."""
    _retain(-1)


@liar
def hist_1_newest_first() -> None:
    """The history of a join comes newest first."""

    @instead_of(Stream, "tail")
    def tail(honest: Callable[..., Any], *args: Any) -> Any:
        found = honest(*args)
        return found if found.recovered else replace(found, messages=found.messages[::-1])


@liar
def hist_1_oldest() -> None:
    """Who asks for few messages gets the oldest ones."""

    @instead_of(Stream, "tail")
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        oldest = self._payloads(found.first, min(found.head, found.first + history - 1))
        return found if found.recovered else replace(found, messages=oldest)


@liar
def hist_11_emptied() -> None:
    """When the last member leaves, the room's history is thrown away."""

    @instead_of(MemoryEngine, "unsubscribe")
    def unsubscribe(honest: Callable[..., None], self: Any, room: str) -> None:
        honest(self, room)
        self._rooms[room].stream = self._stream(room)


@liar
def hist_3_zero_is_default() -> None:
    """`history: 0` counts as not given."""

    @instead_of(Stream, "tail")
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        return honest(self, after, history or 100)


@liar
def hist_4_seam_gap() -> None:
    """What is said between the look at the history and the subscription is lost to the newcomer."""

    @instead_of(MemoryEngine, "join")
    def join(honest: Callable[..., None], *args: Any) -> None:
        *rest, done = args
        honest(*rest, lambda joined: asyncio.get_running_loop().call_later(0.1, done, joined))

    @instead_of(Room, "admit")
    def admit(honest: Callable[..., None], room: Any, listener: Any, *args: Any, already: bool) -> None:
        if not already:
            room._joining[listener].clear()
        honest(room, listener, *args, already=already)


@liar
def hist_4_seam_twice() -> None:
    """What is said between the subscription and the look at the history comes in both."""

    @instead_of(MemoryEngine, "join")
    def join(honest: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(0.1, honest, *args)

    @instead_of(Room, "admit")
    def admit(honest: Callable[..., None], room: Any, listener: Any, frame: bytes, head: int, *, already: bool) -> None:
        honest(room, listener, frame, head if already else 0, already=already)


@liar
def hist_5_more_always() -> None:
    """`more` is true on every page that is not empty."""

    @instead_of(Stream, "page")
    def page(honest: Callable[..., Any], *args: Any, before: int | None, after: int | None, limit: int) -> Any:
        found = honest(*args, before=before, after=after, limit=limit)
        return replace(found, more=found.more or (after is None and bool(found.messages)))


@liar
def hist_5_before_included() -> None:
    """A page before seq holds seq too."""

    @instead_of(Stream, "page")
    def page(honest: Callable[..., Any], *args: Any, before: int | None, after: int | None, limit: int) -> Any:
        return honest(*args, before=None if before is None else before + 1, after=after, limit=limit)


@liar
def hist_6_after_included() -> None:
    """A page after seq begins with seq."""

    @instead_of(Stream, "page")
    def page(honest: Callable[..., Any], *args: Any, before: int | None, after: int | None, limit: int) -> Any:
        return honest(*args, before=before, after=None if after is None else after - 1, limit=limit)


@liar
def hist_7_replay_time() -> None:
    """A replayed message carries the time of the replay."""

    @instead_of(Stream, "_payloads")
    def payloads(honest: Callable[..., list[bytes]], self: Any, low: int, high: int) -> list[bytes]:
        return [re.sub(rb'"ts":([0-9]+)[0-9]{3}', rb'"ts":\g<1>999', kept, count=1) for kept in honest(self, low, high)]


@liar
def hist_8_empty_page_fails() -> None:
    """A page that would be empty is an internal error."""

    @instead_of(Session, "_paged")
    def paged(honest: Callable[..., None], self: Any, request: Frame, page: Page | Stale) -> None:
        if isinstance(page, Page):
            page.messages[0]
        honest(self, request, page)


@liar
def hist_8_old_epoch() -> None:
    """A page is given for any epoch."""

    @instead_of(session._HANDLERS, "history")
    def history(honest: Callable[..., None], self: Any, request: Frame) -> None:
        honest(self, {name: value for name, value in request.items() if name != "epoch"})


@liar
def hist_9_open() -> None:
    """Who is not in the room may read it."""

    @instead_of(session._HANDLERS, "history")
    def history(honest: Callable[..., None], self: Any, request: Frame) -> None:
        name = request["room"]
        if name in self._rooms:
            honest(self, request)
            return
        self._rooms[name] = self._hub.room(name)
        try:
            honest(self, request)
        finally:
            del self._rooms[name]


@liar
def hist_1_ignores_number() -> None:
    """A join gives everything that is kept, however little was asked for."""

    @instead_of(MemoryEngine, "join")
    def join(
        honest: Callable[..., None],
        self: Any,
        room: str,
        member: Any,
        after: Any,
        history: int,
        done: Callable[[Joined], None],
    ) -> None:
        honest(self, room, member, after, 100 if history else 0, done)


@liar
def hist_1_begins_elsewhere() -> None:
    """A new room begins with the newest messages of the other rooms."""
    newest: dict[str, bytes] = {}

    @instead_of(Stream, "commit")
    def commit(honest: Callable[..., Any], self: Any) -> Any:
        entry = honest(self)
        newest.pop(self.room, None)
        newest[self.room] = entry.payload
        return entry

    @instead_of(Stream, "tail")
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        if after is None and history and not found.head:
            return replace(found, messages=list(newest.values())[-history:])
        return found


@liar
def hist_3_first_of_the_list() -> None:
    """`first` is taken from the messages that are given: with `history: 0` it is past the head."""

    @instead_of(Stream, "tail")
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        return found if history or found.recovered else replace(found, first=found.head + 1)


@liar
def hist_4_newest_again() -> None:
    """Behind the history of a join its newest message comes once more as a live one."""

    @instead_of(Session, "_joined")
    def joined(
        honest: Callable[..., None], self: Any, room: Any, already: bool, request: Frame, joined: Joined
    ) -> None:
        tail = joined.tail
        if tail.messages and not already and not tail.recovered:
            room._joining[self].insert(0, (tail.head + 1, self._hub.frame(tail.messages[-1])))
        honest(self, room, already, request, joined)


@liar
def hist_6_newest() -> None:
    """A page after seq shows the newest messages, not the ones that follow seq."""

    @instead_of(Stream, "page")
    def page(honest: Callable[..., Any], self: Any, *, before: int | None, after: int | None, limit: int) -> Any:
        found = honest(self, before=before, after=after, limit=limit)
        if after is None or not found.more:
            return found
        return replace(found, messages=self._payloads(found.head - limit + 1, found.head))


@liar
def hist_10_same_epoch() -> None:
    """What is kept in memory is gone after a restart, and the epochs are the same as before."""
    lives: Counter[str] = Counter()

    @instead_of(MemoryEngine, "_stream")
    def stream(honest: Callable[..., Stream], self: Any, room: str) -> Stream:
        made = honest(self, room)
        made.epoch = sha256(f"{room} {lives[room]}".encode()).hexdigest()[:16]
        lives[room] += 1
        return made


@liar
def hist_10_new_epoch() -> None:
    """A room that is read from disk after a restart begins a new epoch."""

    @instead_of(SqliteEngine, "_load")
    def load(honest: Callable[..., None], self: Any, room: str, loaded: Any) -> None:
        if loaded is not None:
            epoch = new_epoch()
            payloads = [payload.replace(loaded.epoch.encode(), epoch.encode(), 1) for payload in loaded.payloads]
            loaded = replace(loaded, epoch=epoch, payloads=payloads)
            self._next.rooms.append((room, epoch))
        honest(self, room, loaded)
