"""Faults of rooms: isolation, membership, names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from roomproof_protocol import ProtocolError
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Room
from roomproof_server.rules import session
from roomproof_server.rules.session import Session

from .lying import instead_of, liar
from .wrong_input import Frame, as_object, repair


@liar
def room_3_every_room() -> None:
    """Every message goes to the members of all rooms."""

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        honest(room, entry)
        frame = room._hub.frame(entry.payload)
        for other in room._hub._rooms.values():
            for listener in other._members.keys() - room._members.keys():
                listener.send(frame)


@liar
def room_3_before_join() -> None:
    """Who has joined no room yet overhears all of them."""
    joined: set[Any] = set()

    @instead_of(Room, "admit")
    def admit(honest: Callable[..., None], room: Any, listener: Any, *args: Any, already: bool) -> None:
        joined.add(listener)
        honest(room, listener, *args, already=already)

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        honest(room, entry)
        frame = room._hub.frame(entry.payload)
        for listeners in room._hub._users.values():
            for listener in listeners:
                if listener not in joined:
                    listener.send(frame)


@liar
def room_3_outsiders_write() -> None:
    """A message is taken from anybody, member or not."""

    @instead_of(session._HANDLERS, "send")
    def send(honest: Callable[..., None], self: Any, request: Frame) -> None:
        room = self._allowed(request)
        done = self._ask(request, self._sent)
        self._hub.engine.publish(room, self._me, request["text"], request.get("mid"), done)


@liar
def room_6_left_still_hear() -> None:
    """`left` is answered, and the room's messages keep coming."""

    @instead_of(session._HANDLERS, "leave")
    def leave(honest: Callable[..., None], self: Any, request: Frame) -> None:
        room = self._rooms.pop(self._allowed(request), None)
        self._reply("left", request, room=request["room"])
        if room is not None:
            self._hub.engine.leave(room.name, self._me, linger=False)


@liar
def room_5_twice() -> None:
    """Who joins again is in the room's list twice."""
    twice: set[tuple[str, Any]] = set()

    @instead_of(Room, "admit")
    def admit(honest: Callable[..., None], room: Any, listener: Any, *args: Any, already: bool) -> None:
        honest(room, listener, *args, already=already)
        if already:
            twice.add((room.name, listener))

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        honest(room, entry)
        for listener in room._members:
            if (room.name, listener) in twice:
                listener.send(room._hub.frame(entry.payload))


@liar
def room_7_refuses() -> None:
    """Leaving a room that was not joined is an error."""

    @instead_of(session._HANDLERS, "leave")
    def leave(honest: Callable[..., None], self: Any, request: Frame) -> None:
        self._joined_room(request)
        honest(self, request)


@liar
def room_9_leaves_everywhere() -> None:
    """Leaving on one connection takes the user's other connections along."""

    @instead_of(session._HANDLERS, "leave")
    def leave(honest: Callable[..., None], self: Any, request: Frame) -> None:
        honest(self, request)
        for twin in self._hub.listeners(self.user_id):
            room = twin._rooms.pop(request["room"], None)
            if room is not None:
                room.drop(twin)
                self._hub.engine.leave(room.name, twin._me, linger=False)


@liar
def room_1_folds_case() -> None:
    """`Lobby ` is taken for `lobby`."""
    repair(lambda frame: {**frame, "room": str(frame.get("room")).strip().lower()}, "invalid_room")


@liar
def room_13_opens_reserved() -> None:
    """Rooms that begin dm. are rooms like any other."""

    @instead_of(Session, "_allowed")
    def allowed(honest: Callable[..., str], request: Frame) -> str:
        return str(request["room"])


@liar
def room_2_one_less() -> None:
    """One room less than advertised can be joined."""

    @instead_of(session._HANDLERS, "join")
    def join(honest: Callable[..., None], self: Any, request: Frame) -> None:
        most = self._hub.settings.limits.rooms_per_conn
        if request["room"] not in self._rooms and len(self._rooms) >= most - 1:
            raise ProtocolError("too_many_rooms", f"at most {most} rooms a connection")
        honest(self, request)


@liar
def room_8_leaves_late() -> None:
    """A leave takes effect a little after its answer, and ends a membership begun meanwhile."""

    @instead_of(session._HANDLERS, "leave")
    def leave(honest: Callable[..., None], self: Any, request: Frame) -> None:
        asyncio.get_running_loop().call_later(0.02, late, self, self._allowed(request))
        self._reply("left", request, room=request["room"])

    def late(self: Any, name: str) -> None:
        room = self._rooms.pop(name, None)
        if room is not None:
            room.drop(self)
            self._hub.engine.leave(name, self._me, linger=False)


@liar
def room_11_refused_and_out() -> None:
    """A join that is refused for another fault ends the membership there was."""

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        try:
            honest(self, data)
        except ProtocolError:
            frame = as_object(data) or {}
            room = self._rooms.pop(frame.get("room"), None) if frame.get("type") == "join" else None
            if room is not None:
                room.drop(self)
                self._hub.engine.leave(room.name, self._me, linger=False)
            raise


@liar
def room_4_message_first() -> None:
    """Messages of a room are delivered while its join is not answered yet."""

    @instead_of(MemoryEngine, "join")
    def join(honest: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(0.03, honest, *args)

    @instead_of(Room, "hold")
    def hold(honest: Callable[..., None], room: Any, listener: Any) -> None:
        honest(room, listener)
        room._members[listener] = listener.write


@liar
def room_2_again_is_new() -> None:
    """At the limit a room that one is in cannot be joined again."""

    @instead_of(session._HANDLERS, "join")
    def join(honest: Callable[..., None], self: Any, request: Frame) -> None:
        most = self._hub.settings.limits.rooms_per_conn
        if len(self._rooms) >= most:
            raise ProtocolError("too_many_rooms", f"at most {most} rooms a connection")
        honest(self, request)


@liar
def room_5_never_already() -> None:
    """A join of a room that one is in says `already: false`."""

    @instead_of(Session, "_messages_frame")
    def messages_frame(honest: Callable[..., bytes], self: Any, message: Any, payloads: list[bytes]) -> bytes:
        return honest(self, {**message, "already": False} if "already" in message else message, payloads)


@liar
def room_9_cleans_up_by_user() -> None:
    """When one connection of a user ends, all of the user's connections are taken out of its rooms."""

    @instead_of(Session, "end")
    def end(honest: Callable[..., None], self: Any, *, clean: bool) -> None:
        names = list(self._rooms)
        honest(self, clean=clean)
        for twin in self._hub.listeners(self.user_id):
            for room in [twin._rooms.pop(name) for name in names if name in twin._rooms]:
                room.drop(twin)
                self._hub.engine.leave(room.name, twin._me, linger=False)


@liar
def room_11_joins_all_the_same() -> None:
    """A join that is refused for its history or place takes effect without a word."""

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        try:
            honest(self, data)
        except ProtocolError as refusal:
            frame = as_object(data) or {}
            other = (refusal.field or "").startswith(("/history", "/after"))
            if self._member is not None and frame.get("type") == "join" and other and frame["room"] not in self._rooms:
                room = self._rooms[frame["room"]] = self._hub.room(frame["room"])
                room.hold(self)
                self._hub.engine.join(room.name, self._me, None, 0, lambda joined: room.refuse(self, already=True))
            raise
