"""Faults of identity: where credentials are taken from, guests and their tokens, names, and who speaks."""

from __future__ import annotations

import itertools
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from roomproof_protocol import ProtocolError, requests
from roomproof_server.engine import memory, sqlite
from roomproof_server.engine.memory import MemoryEngine, guest_key
from roomproof_server.engine.sqlite import SqliteEngine
from roomproof_server.rules import session
from roomproof_server.rules.session import Session
from roomproof_server.shell.connection import Connection

from .lying import instead_of, liar
from .wrong_input import Frame, as_object, repair


def _also_from(find: Callable[[Any], str], *, first: bool) -> None:
    """Take a guest token from the handshake, too: `first`, or where hello has no `auth`."""
    found: dict[Any, str] = {}

    @instead_of(Connection, "_respond")
    def respond(honest: Callable[..., None], self: Any, request: Any) -> None:
        token = find(request)
        honest(self, request)
        if token and self._session is not None:
            found[self._session] = token

    @instead_of(Session, "_hello")
    def hello(honest: Callable[..., None], self: Any, request: Frame) -> None:
        if self in found and (first or "auth" not in request):
            request = {**request, "auth": {"scheme": "resume_guest", "token": found[self]}}
        honest(self, request)


@liar
def auth_1_token_in_url() -> None:
    """A token in the URL's query is taken for a credential."""
    _also_from(lambda request: parse_qs(request.path.partition("?")[2]).get("access_token", [""])[0], first=False)


@liar
def auth_1_header_first() -> None:
    """A token in an `Authorization` header counts more than the one in hello."""
    _also_from(lambda request: request.headers.get("Authorization", "").removeprefix("Bearer "), first=True)


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
def auth_6_bare_ids() -> None:
    """The id of a guest is a number and nothing else."""

    @instead_of(memory, "make_guest")
    def make_guest(honest: Callable[..., Any]) -> Any:
        made = honest()
        return replace(made, id=made.id.removeprefix("guest:"))


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


@liar
def auth_10_trims() -> None:
    """Blanks around a display name are cut off instead of refused."""
    repair(lambda frame: {**frame, "name": frame["name"].strip()}, "invalid_name")


@liar
def auth_10_not_normalised() -> None:
    """A display name is kept as it came, not in NFC."""

    @instead_of(requests, "nfc")
    def nfc(honest: Callable[[str], str], value: str) -> str:
        return value


@liar
def auth_12_restart_forgets() -> None:
    """Guests are forgotten when the server is started again, although its rooms are on disk."""

    @instead_of(SqliteEngine, "__init__")
    def init(honest: Callable[..., None], self: Any, limits: Any, path: Path, **times: Any) -> None:
        if path.exists():
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("DELETE FROM guest")
        honest(self, limits, path, **times)


@liar
def auth_12_from_first_use() -> None:
    """A guest token is valid for `guest_ttl_ms` after its first use, not its last."""
    ends: dict[bytes, float] = {}

    @instead_of(MemoryEngine, "release_guest")
    def release_guest(honest: Callable[..., None], self: Any, token: str) -> None:
        honest(self, token)
        key = guest_key(token)
        if key in self._unused:
            self._unused[key] = ends.setdefault(key, self._unused[key])


@liar
def auth_12_counts() -> None:
    """Guest tokens are numbered."""
    numbers = itertools.count(1)

    def numbered(honest: Callable[..., Any]) -> Any:
        return replace(honest(), token=f"roomproof-guest-{next(numbers):020d}")

    for engine in (memory, sqlite):
        instead_of(engine, "make_guest")(numbered)


@liar
def auth_13_makes_another() -> None:
    """An unknown guest token silently makes a new guest."""

    @instead_of(MemoryEngine, "find_guest")
    def find_guest(honest: Callable[..., None], self: Any, token: str, done: Callable[[Any], None]) -> None:
        honest(self, token, lambda guest: done(guest) if guest is not None else self.new_guest(done))
