"""Faults of connecting: the handshake, the first frame, and how requests are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from websockets.exceptions import NegotiationError

from roomproof_protocol import SUBPROTOCOL, ProtocolError
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Hub
from roomproof_server.rules import session
from roomproof_server.rules.session import Session
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.wire import Wire

from .lying import instead_of, liar
from .wrong_input import Frame, as_object, repair


@liar
def conn_1_first_only() -> None:
    """The subprotocol is chosen only where it is offered first."""

    @instead_of(Wire, "select_subprotocol")
    def select(honest: Callable[..., Any], self: Any, offered: Any) -> Any:
        return None if SUBPROTOCOL in offered[1:] else honest(self, offered)


@liar
def conn_2_none_refused() -> None:
    """Who offers no subprotocol is refused."""

    @instead_of(Wire, "select_subprotocol")
    def select(honest: Callable[..., Any], self: Any, offered: Any) -> Any:
        if not offered:
            raise NegotiationError("no subprotocol")
        return honest(self, offered)


@liar
def conn_2_unknown_served() -> None:
    """Who offers only unknown subprotocols is served."""

    @instead_of(Wire, "select_subprotocol")
    def select(honest: Callable[..., Any], self: Any, offered: Any) -> Any:
        return honest(self, [name for name in offered if name == SUBPROTOCOL])


@liar
def conn_3_any_origin() -> None:
    """Web pages of any origin are served."""

    @instead_of(Wire, "process_origin")
    def process_origin(honest: Callable[..., Any], self: Any, headers: Any) -> Any:
        return headers.get("Origin")


@liar
def conn_4_closes_1000() -> None:
    """Another request in the place of hello closes as if all had gone well: 1000."""

    @instead_of(Session, "_hello")
    def hello(honest: Callable[..., None], self: Any, request: Frame) -> None:
        if request["type"] == "hello":
            honest(self, request)
            return
        error = ProtocolError("unauthenticated", "the first frame must be hello", re=request["id"], fatal=True)
        self._port.send(self._hub.encode_frame(error.to_message()))
        self._close(1000)


@liar
def conn_5_patient() -> None:
    """Who never says hello is kept."""

    @instead_of(Connection, "_overdue")
    def overdue(honest: Callable[..., None], self: Any) -> None:
        if self._session is not None and not self._session.user_id and not self._closing and not self._eof:
            self._end_in(60_000)
        else:
            honest(self)


@liar
def conn_7_hides_a_limit() -> None:
    """`welcome` does not state queue_bytes."""

    @instead_of(Hub, "greeting")
    def greeting(honest: Callable[..., Any], self: Any, *, limited: bool) -> Any:
        told = honest(self, limited=limited)
        limits = {name: value for name, value in told["limits"].items() if name != "queue_bytes"}
        return {**told, "limits": limits}


@liar
def conn_9_renames() -> None:
    """A second hello is refused and changes the name."""

    @instead_of(session._HANDLERS, "hello")
    def hello(honest: Callable[..., None], self: Any, request: Frame) -> None:
        self._member = replace(self._member, name=request.get("name", self._member.name))
        honest(self, request)


@liar
def conn_11_repeated_id() -> None:
    """A request with an id that was used before is not answered."""
    used: set[tuple[Any, Any]] = set()

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        identifier = (as_object(data) or {}).get("id")
        if not isinstance(identifier, str):
            honest(self, data)
        elif (self, identifier) not in used:
            used.add((self, identifier))
            honest(self, data)


@liar
def conn_11_error_twice() -> None:
    """A refused send is answered twice."""

    @instead_of(Session, "_refuse")
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        honest(self, error, re)
        if error.code == "not_joined":
            honest(self, error, re)


@liar
def conn_12_strict() -> None:
    """A request with a member that is not known is refused."""
    known = {
        "type", "id", "auth", "name", "client", "caps", "room", "after", "history", "text", "mid", "before",
        "limit", "epoch", "token",
    }  # fmt: skip

    @instead_of(session, "parse_request")
    def parse_request(honest: Callable[..., Frame], data: str, limits: Any) -> Frame:
        request = honest(data, limits)
        extra = (as_object(data) or {}).keys() - known
        if extra:
            raise ProtocolError("invalid_message", "unknown member", re=request["id"], field="/" + min(extra))
        return request


@liar
def conn_14_null_is_absent() -> None:
    """`null` counts as not given."""
    repair(lambda frame: {name: value for name, value in frame.items() if value is not None}, "invalid_message")


@liar
def conn_13_answers_nothing() -> None:
    """A hello with an unknown scheme is closed without an error."""

    @instead_of(Session, "_refuse")
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        if error.code == "unsupported_auth" and self._member is None:
            self._close(4401)
        else:
            honest(self, error, re)


@liar
def conn_6_tick_first() -> None:
    """A tick comes before welcome."""

    @instead_of(Session, "_welcome")
    def welcome(honest: Callable[..., None], self: Any, *args: Any) -> None:
        self._port.send(self._hub.encode_frame({"type": "tick", "now": self._hub.wall()}))
        honest(self, *args)


@liar
def conn_2_names_unasked() -> None:
    """A subprotocol is named in the answer to a client that offered none."""

    @instead_of(Wire, "select_subprotocol")
    def select(honest: Callable[..., Any], self: Any, offered: Any) -> Any:
        return honest(self, offered) or SUBPROTOCOL


@liar
def conn_5_impatient() -> None:
    """Who has said no hello after half of the time is closed."""

    @instead_of(Connection, "_end_in")
    def end_in(honest: Callable[..., None], self: Any, delay: float) -> None:
        greeting = self._session is not None and delay == self._server.settings.limits.hello_ms
        honest(self, delay / 2 if greeting else delay)


@liar
def conn_8_answers_behind() -> None:
    """Requests that stand behind a hello that fails are refused one by one."""
    doomed: set[Any] = set()

    @instead_of(Session, "_close")
    def close(honest: Callable[..., None], self: Any, code: int, *, retry_after_ms: int | None = None) -> None:
        if self._member is not None or code != 4401:
            honest(self, code, retry_after_ms=retry_after_ms)
        elif self not in doomed:
            doomed.add(self)
            asyncio.get_running_loop().call_later(0.1, partial(honest, self, code, retry_after_ms=retry_after_ms))


@liar
def conn_8_drops_early() -> None:
    """Requests that come while hello is still being answered are lost."""

    @instead_of(MemoryEngine, "new_guest")
    def new_guest(honest: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(0.05, honest, *args)

    @instead_of(Session, "receive")
    def receive(honest: Callable[..., None], self: Any, data: str | None, now: float) -> None:
        if self._member is not None or not self._busy:
            honest(self, data, now)


@liar
def conn_9_forgets_rooms() -> None:
    """A second hello is refused and ends the memberships of the connection."""

    @instead_of(session._HANDLERS, "hello")
    def hello(honest: Callable[..., None], self: Any, request: Frame) -> None:
        for name, room in self._rooms.items():
            room.drop(self)
            self._hub.engine.leave(name, self._me, linger=False)
        self._rooms.clear()
        honest(self, request)


@liar
def conn_10_reads_later() -> None:
    """History is read a moment later, and what was asked behind it is answered first."""

    @instead_of(session._HANDLERS, "history")
    def history(honest: Callable[..., None], self: Any, request: Frame) -> None:
        def late() -> None:
            if not self._ended:
                self._guarded(request["id"], partial(honest, self), request)

        asyncio.get_running_loop().call_later(0.02, late)


@liar
def conn_12_grants_unasked() -> None:
    """A capability is granted to everybody, listed or not."""

    @instead_of(Hub, "greeting")
    def greeting(honest: Callable[..., Any], self: Any, *, limited: bool) -> Any:
        return {**honest(self, limited=limited), "caps": ["typing"]}
