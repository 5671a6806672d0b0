"""Faults of advertised sizes and counts, of handshakes, compression and pages, and of what is forgotten when."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame

from roomproof_protocol import ENDPOINT, codec, grammar
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Hub
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.pages import Pages
from roomproof_server.shell.server import Server
from roomproof_server.shell.wire import Wire

from .lying import instead_of, liar


@liar
def limit_1_one_connection_less() -> None:
    """A user may have one connection less than advertised."""
    _most_connections(lambda most: most - 1)


@liar
def limit_2_one_more() -> None:
    """A user may have one connection more than advertised."""
    _most_connections(lambda most: most + 1)


def _most_connections(change: Callable[[int], int]) -> None:
    @instead_of(Hub, "enrol")
    def enrol(honest: Callable[..., bool], self: Any, listener: Any) -> bool:
        others = self._users.pop(listener.user_id, set())
        allowed = len(others) < change(self.settings.limits.conns_per_user) and honest(self, listener)
        self._users[listener.user_id] = others | ({listener} if allowed else set())
        return allowed


@liar
def limit_2_drops_another() -> None:
    """A connection too many is let in, and another one of the user closed for it."""

    @instead_of(Hub, "enrol")
    def enrol(honest: Callable[..., bool], self: Any, listener: Any) -> bool:
        others = self.listeners(listener.user_id)
        if len(others) >= self.settings.limits.conns_per_user:
            next(iter(others))._close(4230)
        return honest(self, listener)


@liar
def limit_3_counts_characters() -> None:
    """A text is measured in characters."""

    @instead_of(grammar, "utf8_length")
    def length(honest: Callable[[str], int], value: str) -> int:
        return len(value)


@liar
def limit_4_compresses_unasked() -> None:
    """Compression is on although nobody configured it."""

    @instead_of(Server, "__init__")
    def init(honest: Callable[..., None], self: Any, settings: Any, engine: Any = None) -> None:
        honest(self, replace(settings, compression=True), engine)


@liar
def limit_4_before_inflation() -> None:
    """A compressed message is measured before it is inflated."""

    @instead_of(PerMessageDeflate, "decode")
    def decode(honest: Callable[..., Frame], self: Any, frame: Frame, *, max_size: Any = None) -> Frame:
        return honest(self, frame)

    @instead_of(Wire, "recv_frame")
    def recv_frame(honest: Callable[..., None], self: Any, frame: Frame) -> None:
        most = self.max_fragment_size
        if self.extensions:
            self._frame_bytes = 2**40
        honest(self, frame)
        if self.extensions:
            self.max_fragment_size = most


@liar
def limit_5_waits_for_ever() -> None:
    """A handshake may take as long as it likes."""

    @instead_of(Connection, "_overdue")
    def overdue(honest: Callable[..., None], self: Any) -> None:
        if self._session is None and not self._closing and not self._eof:
            self._end_in(60_000)
        else:
            honest(self)


@liar
def limit_6_no_metrics() -> None:
    """There is no `/metrics`."""

    @instead_of(Pages, "answer")
    def answer(honest: Callable[..., Any], self: Any, path: str, request: Any) -> Any:
        return honest(self, "/nothing" if path == "/metrics" else path, request)


@liar
def limit_6_hides_socket() -> None:
    """A plain GET of the socket's path is told that there is nothing."""

    @instead_of(Wire, "respond")
    def respond(honest: Callable[..., int], self: Any, request: Any, refusal: Any) -> int:
        if request.path.startswith(ENDPOINT) and "Upgrade" not in request.headers:
            request = replace(request, path="/nothing")
        return honest(self, request, refusal)


@liar
def limit_7_never_forgets() -> None:
    """Rooms are kept for ever."""

    @instead_of(MemoryEngine, "_drop")
    def drop(honest: Callable[..., None], self: Any, room: str) -> None:
        pass


@liar
def limit_7_same_epoch() -> None:
    """A room that was forgotten comes back empty and with the epoch that it had."""
    epochs: dict[str, str] = {}

    @instead_of(MemoryEngine, "_drop")
    def drop(honest: Callable[..., None], self: Any, room: str) -> None:
        epochs[room] = self._rooms[room].stream.epoch
        honest(self, room)

    @instead_of(MemoryEngine, "_stream")
    def stream(honest: Callable[..., Any], self: Any, room: str) -> Any:
        made = honest(self, room)
        made.epoch = epochs.pop(room, made.epoch)
        return made


@liar
def limit_8_escapes_all() -> None:
    """Everything but ASCII is escaped in what the server says."""
    codec._ENCODER, codec._dumps = json.JSONEncoder(separators=(",", ":"), allow_nan=False), None


@liar
def limit_8_escapes_html() -> None:
    """What has a meaning in HTML is escaped in what the server says."""

    class Escaping(json.JSONEncoder):
        def encode(self, o: Any) -> str:
            escaped = super().encode(o)
            for char in "<>&":
                escaped = escaped.replace(char, f"\\u{ord(char):04x}")
            return escaped

    codec._ENCODER, codec._dumps = Escaping(ensure_ascii=False, separators=(",", ":"), allow_nan=False), None
