"""Faults of history: its bound, its order, its pages, and the seam between it and live messages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roomproof_server.engine.base import Joined, Stale
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Room
from roomproof_server.rules import session
from roomproof_server.rules.session import Session
from roomproof_server.rules.stream import Page, Stream

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
