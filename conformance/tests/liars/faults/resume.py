"""Faults of resuming: what is given to a client that says how far it got."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Room
from roomproof_server.rules.presence import Presence, PresenceEvent
from roomproof_server.rules.session import Session
from roomproof_server.rules.stream import Stream

from .lying import instead_of, liar


def _tail(lie: Callable[..., Any]) -> None:
    instead_of(Stream, "tail")(lie)


@liar
def res_1_edge_too_old() -> None:
    """Who has the message before the oldest kept one is told that it is too old."""

    @_tail
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        if found.recovered and after["seq"] == found.first - 1 > 0:
            return replace(found, recovered=False, reason="too_old", missed=1)
        return found


@liar
def res_2_last_again() -> None:
    """Who missed nothing gets the last message again."""

    @_tail
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        if found.recovered and after["seq"] == found.head > 0:
            return replace(found, messages=self._payloads(found.head, found.head))
        return found


@liar
def res_3_cut() -> None:
    """A recovery is cut to `history` messages and still called one."""

    @_tail
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        return replace(found, messages=found.messages[:history]) if found.recovered else found


@liar
def res_4_hides_loss() -> None:
    """A gap that cannot be filled any more is called recovered."""

    @_tail
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        return replace(found, recovered=True, reason=None, missed=None) if found.reason == "too_old" else found


@liar
def res_4_miscounts() -> None:
    """`missed` is one too high."""

    @_tail
    def tail(honest: Callable[..., Any], *args: Any) -> Any:
        found = honest(*args)
        return found if found.missed is None else replace(found, missed=found.missed + 1)


@liar
def res_5_ignores_epoch() -> None:
    """The epoch of a position is not looked at."""

    @_tail
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        return honest(self, after and {**after, "epoch": self.epoch}, history)


@liar
def res_6_ahead_is_fine() -> None:
    """Who is ahead of the room is told that nothing was missed."""

    @_tail
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        return replace(found, recovered=True, reason=None, messages=[]) if found.reason == "ahead" else found


@liar
def res_12_recovers_anybody() -> None:
    """A join without a position is called recovered."""

    @_tail
    def tail(honest: Callable[..., Any], self: Any, after: Any, history: int) -> Any:
        found = honest(self, after, history)
        return replace(found, recovered=True) if after is None else found


@liar
def res_11_joins_again() -> None:
    """A second connection of a user whose first one lingers is announced as a join."""

    @instead_of(Presence, "enter")
    def enter(honest: Callable[..., Any], self: Any, user_id: str, name: str, connection: str) -> Any:
        return honest(self, user_id, name, connection) or PresenceEvent("join", user_id, name, self.count)


def _slowly(*, look_first: bool) -> None:
    """Let a moment pass in a resume: after the look at the history, or before it."""

    @instead_of(MemoryEngine, "join")
    def join(
        honest: Callable[..., None], self: Any, room: str, member: Any, after: Any, history: int, done: Any
    ) -> None:
        later = asyncio.get_running_loop().call_later
        if after is None:
            honest(self, room, member, after, history, done)
        elif look_first:
            honest(self, room, member, after, history, lambda joined: later(0.1, done, joined))
        else:
            later(0.1, honest, self, room, member, after, history, done)


@liar
def res_7_seam_gap() -> None:
    """What is said between the look at what was missed and the subscription is lost to who comes back."""
    _slowly(look_first=True)

    @instead_of(Session, "_joined")
    def joined(honest: Callable[..., None], self: Any, room: Any, already: bool, request: Any, joined: Any) -> None:
        if joined.tail.recovered and not already:
            room._joining[self].clear()
        honest(self, room, already, request, joined)


@liar
def res_7_seam_twice() -> None:
    """What is said between the subscription and the look at what was missed comes in both."""
    recovering: set[Any] = set()
    _slowly(look_first=False)

    @instead_of(Session, "_joined")
    def joined(honest: Callable[..., None], self: Any, room: Any, already: bool, request: Any, joined: Any) -> None:
        if joined.tail.recovered and not already:
            recovering.add(self)
        honest(self, room, already, request, joined)

    @instead_of(Room, "admit")
    def admit(honest: Callable[..., None], room: Any, listener: Any, frame: bytes, head: int, *, already: bool) -> None:
        honest(room, listener, frame, 0 if listener in recovering else head, already=already)
        recovering.discard(listener)


@liar
def res_8_gives_again() -> None:
    """What a user has missed is given at every resume, not only at the first."""
    missed: dict[Any, list[bytes]] = {}

    @instead_of(Session, "_joined")
    def joined(honest: Callable[..., None], self: Any, room: Any, already: bool, request: Any, joined: Any) -> None:
        tail = joined.tail
        if tail.recovered and not already:
            queue = missed.setdefault((self.user_id, tail.epoch), [])
            queue += [payload for payload in tail.messages if payload not in queue]
            joined = replace(joined, tail=replace(tail, messages=list(queue)))
        honest(self, room, already, request, joined)


@liar
def res_10_first_position() -> None:
    """The number at which a connection comes back to its first room is taken for all of its rooms."""
    first: dict[str, tuple[str, int]] = {}

    @instead_of(MemoryEngine, "join")
    def join(
        honest: Callable[..., None], self: Any, room: str, member: Any, after: Any, history: int, done: Any
    ) -> None:
        if after is not None:
            where, seq = first.setdefault(member.connection, (room, after["seq"]))
            after = after if where == room else {**after, "seq": seq}
        honest(self, room, member, after, history, done)


@liar
def res_10_one_for_all() -> None:
    """When one room of a reconnect cannot be recovered, none of those after it is."""
    failed: set[str] = set()

    @instead_of(MemoryEngine, "join")
    def join(
        honest: Callable[..., None], self: Any, room: str, member: Any, after: Any, history: int, done: Any
    ) -> None:
        def told(joined: Any) -> None:
            if joined.tail.reason is not None:
                failed.add(member.connection)
            done(joined)

        honest(self, room, member, None if member.connection in failed else after, history, told)
