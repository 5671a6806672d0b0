"""Faults of resuming: what is given to a client that says how far it got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roomproof_server.rules.presence import Presence, PresenceEvent
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
