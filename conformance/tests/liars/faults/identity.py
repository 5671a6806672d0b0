"""Faults of identity and of the advertised sizes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roomproof_protocol import ProtocolError, grammar
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Hub
from roomproof_server.rules import session
from roomproof_server.rules.session import Session

from .lying import instead_of, liar
from .wrong_input import Frame, as_object


@liar
def auth_13_makes_another() -> None:
    """An unknown guest token silently makes a new guest."""

    @instead_of(MemoryEngine, "find_guest")
    def find_guest(honest: Callable[..., None], self: Any, token: str, done: Callable[[Any], None]) -> None:
        honest(self, token, lambda guest: done(guest) if guest is not None else self.new_guest(done))


@liar
def auth_7_forgets() -> None:
    """A guest token gives a new id as soon as nobody uses it."""

    @instead_of(MemoryEngine, "release_guest")
    def release_guest(honest: Callable[..., None], self: Any, token: str) -> None:
        honest(self, token)
        for guest in self._guests.values():
            if not guest.uses:
                guest.id = f"guest:{secrets.token_hex(8)}"


@liar
def limit_1_one_connection_less() -> None:
    """A user may have one connection less than advertised."""

    @instead_of(Hub, "enrol")
    def enrol(honest: Callable[..., bool], self: Any, listener: Any) -> bool:
        most = self.settings.limits.conns_per_user
        return len(self.listeners(listener.user_id)) < most - 1 and honest(self, listener)


@liar
def limit_3_counts_characters() -> None:
    """A text is measured in characters."""

    @instead_of(grammar, "utf8_length")
    def length(honest: Callable[[str], int], value: str) -> int:
        return len(value)


@liar
def auth_6_unique_names() -> None:
    """A display name that a guest has is refused to the next one."""

    @instead_of(Session, "_welcome")
    def welcome(honest: Callable[..., None], self: Any, request: Frame, member: Any, more: Any) -> None:
        others = [other._member for users in self._hub._users.values() for other in users]
        if any(other.name == member.name and other.id != member.id for other in others):
            raise ProtocolError("invalid_name", "this name is taken", field="/name")
        honest(self, request, member, more)


@liar
def auth_8_trusts_sender() -> None:
    """A name that the client puts into `from` becomes the sender's."""
    claimed: dict[Any, Any] = {}

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        claimed[self] = (as_object(data) or {}).get("from")
        honest(self, data)

    @instead_of(session._HANDLERS, "send")
    def send(honest: Callable[..., None], self: Any, request: Frame) -> None:
        own, name = self._member, claimed[self]
        if isinstance(name, dict) and isinstance(name.get("name"), str):
            self._member = replace(own, name=name["name"])
        honest(self, request)
        self._member = own
