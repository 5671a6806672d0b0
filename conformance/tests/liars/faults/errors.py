"""Faults of the answers to malformed messages: the connection, the answer's form, and what others notice."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable
from typing import Any

from websockets.frames import Opcode

from roomproof_protocol import ProtocolError, codec, requests
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.rules import session
from roomproof_server.rules.limiter import ErrorLog
from roomproof_server.rules.session import Session
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.wire import Wire

from .lying import instead_of, liar
from .wrong_input import Frame, as_object, repair


def _refuse(lie: Callable[..., None]) -> None:
    instead_of(Session, "_refuse")(lie)


@liar
def err_1_closes() -> None:
    """A frame that is not JSON closes the connection."""

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        honest(self, error, re)
        if error.code == "invalid_json" and "Expecting" in error.message:
            self._close(4400)


@liar
def err_2_takes_nan() -> None:
    """NaN and Infinity are taken for JSON."""
    lax = json.JSONDecoder(object_pairs_hook=codec._members, parse_int=codec._integer, parse_constant=lambda _: 0)
    codec._DECODER = lax


@liar
def err_3_any_depth() -> None:
    """A frame may be nested as deeply as the interpreter can."""

    @instead_of(requests, "decode")
    def decode(honest: Callable[..., Any], data: str, *, max_depth: int = 0) -> Any:
        return honest(data, max_depth=500)


@liar
def err_4_no_re() -> None:
    """The answer to an ill-formed message never says which one it was."""

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        if error.code == "invalid_message":
            error.re = re = None
        honest(self, error, re)


@liar
def err_5_numbers_from_anything() -> None:
    """Booleans and strings of digits pass as integers."""

    def number(value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, str) and value.isdigit()):
            return int(value)
        return {name: number(member) for name, member in value.items()} if isinstance(value, dict) else value

    def mend(frame: Frame) -> Frame:
        kept = ("id", "type", "room", "text", "mid", "epoch", "name")
        return {name: value if name in kept else number(value) for name, value in frame.items()}

    repair(mend, "invalid_message")


@liar
def err_6_silent() -> None:
    """A message of unknown type is passed over in silence."""

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        if error.code != "unknown_type" or self._member is None:
            honest(self, error, re)


@liar
def err_7_binary_kills() -> None:
    """A binary frame closes the connection."""

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        honest(self, error, re)
        if error.code == "unsupported_data":
            self._close(4400)


@liar
def err_8_other_code() -> None:
    """A frame that is too big closes with 1002."""
    fail_with(1009, 1002)


@liar
def err_9_closes_1000() -> None:
    """Invalid UTF-8 closes as if all had gone well: 1000."""
    fail_with(1007, 1000)


@liar
def err_9_framing_1000() -> None:
    """A framing fault closes as if all had gone well: 1000."""
    fail_with(1002, 1000)


@liar
def err_9_replaces() -> None:
    """Bytes that are not UTF-8 are replaced by U+FFFD."""

    @instead_of(Connection, "_message")
    def message(honest: Callable[..., None], self: Any, opcode: Any, data: bytes) -> None:
        honest(self, opcode, data.decode(errors="replace").encode() if opcode is Opcode.TEXT else data)


def fail_with(code: int, other: int) -> None:
    """Close with another code what the wire finds wrong."""

    @instead_of(Wire, "fail")
    def fail(honest: Callable[..., None], self: Any, asked: int, *args: Any) -> None:
        honest(self, other if asked == code else asked, *args)


@liar
def err_11_tells_the_room() -> None:
    """An error goes to all members of the rooms of whoever caused it."""

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        honest(self, error, re)
        error.re = None
        frame = self._hub.encode_frame(error.to_message())
        for room in self._rooms.values():
            for listener in room._members.keys() - {self}:
                listener.send(frame)


@liar
def err_12_names_others() -> None:
    """Who asks about a room without being in it is told the names of others."""

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        if error.code == "not_joined":
            shared = [self._hub.engine._rooms[name].presence.members() for name in self._rooms]
            names = {name for members in shared for user, name in members if user != self.user_id}
            error.message = f"join the room first, like {', '.join(sorted(names))}"
        honest(self, error, re)


@liar
def err_12_traceback() -> None:
    """The answer to an ill-formed message shows where in the program it was found."""

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        if error.code == "invalid_message":
            error.message = "".join(traceback.format_exception(error))[:200]
        honest(self, error, re)


@liar
def err_13_strict() -> None:
    """Fewer malformed frames than advertised close the connection."""

    @instead_of(ErrorLog, "__init__")
    def init(honest: Callable[..., None], self: Any, count: int, window: float) -> None:
        honest(self, count * 2 // 5, window)


@liar
def err_13_endless() -> None:
    """Malformed frames without end are answered."""

    @instead_of(ErrorLog, "note")
    def note(honest: Callable[..., bool], *args: Any) -> bool:
        return True


@liar
def err_14_surrogate_wedges() -> None:
    """A lone surrogate in a text is refused, and from then on nobody can join the room."""
    poisoned: set[str] = set()

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        try:
            honest(self, data)
        except ProtocolError as error:
            if error.code == "invalid_text" and "surrogate" in error.message:
                poisoned.update(self._rooms)
            raise

    @instead_of(MemoryEngine, "join")
    def join(honest: Callable[..., None], self: Any, room: str, *args: Any) -> None:
        if room in poisoned:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        honest(self, room, *args)


@liar
def err_15_first_value() -> None:
    """Of two members with one name the first counts."""
    instead_of(codec, "_members")(lambda _, pairs: dict(reversed(pairs)))
    codec._DECODER = json.JSONDecoder(
        object_pairs_hook=codec._members, parse_int=codec._integer, parse_constant=codec._constant
    )


@liar
def err_10_deaf_after_error() -> None:
    """The frame after one of unknown type is lost."""
    deaf: set[Any] = set()

    @_refuse
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        honest(self, error, re)
        if error.code == "unknown_type":
            deaf.add(self)

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        if self in deaf:
            deaf.remove(self)
        else:
            honest(self, data)


@liar
def err_16_chokes_on_unknown() -> None:
    """A huge number in a member that nobody asked for is an internal error."""

    @instead_of(requests, "decode")
    def decode(honest: Callable[..., Any], *args: Any, **depth: Any) -> Any:
        found = honest(*args, **depth)
        for value in found.values() if isinstance(found, dict) else ():
            if isinstance(value, float) and math.isinf(value):
                int(value)
        return found


@liar
def err_14_unhashable_bricks() -> None:
    """A type that cannot be looked up, such as a list, bricks the server: whoever asks for anything is closed 1011."""
    stuck = False

    @instead_of(session, "parse_request")
    def parse_request(honest: Callable[..., Frame], data: str, limits: Any) -> Frame:
        nonlocal stuck
        stuck = stuck or isinstance((as_object(data) or {}).get("type"), list | dict)
        return honest(data, limits)

    @instead_of(Session, "_guarded")
    def guarded(honest: Callable[..., None], self: Any, *args: Any) -> None:
        if stuck:
            self._close(1011)
        else:
            honest(self, *args)


@liar
def err_15_last_value() -> None:
    """Of two members with one name the last counts."""
    codec._DECODER = json.JSONDecoder(parse_int=codec._integer, parse_constant=codec._constant)
