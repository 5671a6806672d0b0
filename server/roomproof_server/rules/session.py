"""One connection's requests: ``hello``, then one reply to each, in the order sent.

Requests are carried out one at a time: the next one waits while the engine owes an answer (CONN-10) or while
the client has too much to read already (DISC-10). The order of checks is section 4's: `parse_request` does
everything up to the members, this module permission, membership and room count, the engine dedupe and quota.
It must not know sockets or frames of RFC 6455: what it says goes out through a `Port`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from roomproof_protocol import CLOSES, ERRORS, ProtocolError, encode, parse_request
from roomproof_server.engine.base import (
    Conflict,
    Guest,
    Joined,
    Limited,
    Member,
    Present,
    Stale,
    Stored,
    Unavailable,
)
from roomproof_server.hub import Hub, Room
from roomproof_server.rules.limiter import ErrorLog, FrameBucket
from roomproof_server.rules.stream import Page

logger = logging.getLogger("roomproof.server")

Request = dict[str, Any]

FLOOD_WAIT_MS = 30_000  # what the blocks of section 5 say where the server names no time


class Port(Protocol):
    """The way out of a session."""

    @property
    def congested(self) -> bool:
        """True while more than a quarter of ``queue_bytes`` waits for the client (DISC-10)."""

    def send(self, frame: bytes) -> None:
        """Queue a finished frame."""

    def owed(self, size: int) -> None:
        """A reply of ``size`` bytes comes next, which the client asked for: it must not overflow its queue (DISC-10)."""

    def welcomed(self) -> None:
        """The client is known: heartbeats begin."""

    def resume(self) -> None:
        """An engine's answer came late: `Session.pump` may go on now."""

    def close(self, code: int, reason: str) -> None:
        """Say Close after what is queued; nothing is sent afterwards."""


class Session:
    """What one connection is and may do, from its handshake to its end."""

    __slots__ = (
        "_backlog", "_bucket", "_busy", "_ended", "_errors", "_hub", "_member", "_now", "_port", "_pumping", "_rooms",
        "_token", "conn", "send", "user_id",
    )  # fmt: skip

    def __init__(self, hub: Hub, port: Port, conn: str, now: float) -> None:
        limits = hub.settings.limits
        self._hub, self._port, self.conn, self._now = hub, port, conn, now
        self.send = port.send  # what rooms call: bound once
        self.user_id = ""
        self._member: Member | None = None  # from welcome on
        self._token: str | None = None
        self._rooms: dict[str, Room] = {}
        self._backlog: list[str | None] = []
        self._bucket = FrameBucket(limits.frames.rate, limits.frames.burst, now)
        self._errors: ErrorLog | None = None
        self._busy = self._pumping = self._ended = False

    @property
    def waiting(self) -> bool:
        """Requests are held back: the shell should not read on."""
        return bool(self._backlog)

    @property
    def busy(self) -> bool:
        """The engine owes an answer."""
        return self._busy

    def receive(self, data: str | None, now: float) -> None:
        """A whole client message; ``None`` stands for a binary one. Carried out now or when its turn comes."""
        if self._ended:
            return
        self._now = now
        if not self._bucket.take(now):
            self._close(4229, retry_after_ms=FLOOD_WAIT_MS)
            return
        self._backlog.append(data)
        self.pump()

    def pump(self, *, force: bool = False) -> None:
        """Carry out what waits, as far as it may; ``force`` even for a client that has much to read."""
        if self._pumping:
            return
        self._pumping = True
        while self._backlog and not self._busy and (force or not self._port.congested):
            self._guarded(None, self._answer, self._backlog.pop(0))
        self._pumping = False

    def end(self, *, clean: bool) -> None:
        """The connection is over. ``clean``: by the client's close 1000, so that rooms hear of it at once (PRES-3)."""
        if self._ended:
            return
        self._ended = True
        self._backlog.clear()
        if self._member is None:
            return
        for name, room in self._rooms.items():
            room.drop(self)
            self._hub.engine.leave(name, self._member, linger=not clean)
        self._rooms.clear()
        self._hub.strike(self)
        self._release()

    # One request

    def _guarded(self, re: str | None, step: Callable[[Any], None], argument: Any) -> None:
        """Take a step; what it raises becomes the reply, and never more than that (ERR-14)."""
        try:
            step(argument)
        except ProtocolError as error:
            self._refuse(error)
        except Exception:
            logger.exception("connection %s: a request failed", self.conn)
            self._busy = False
            self._refuse(ProtocolError("internal", "the server failed; the outcome is unknown", re=re))

    def _answer(self, data: str | None) -> None:
        if data is None:
            raise ProtocolError("unsupported_data", "binary frames are not part of v1: send JSON as text")
        request = parse_request(data, self._hub.settings.limits)
        handler = Session._hello if self._member is None else _HANDLERS[request["type"]]
        self._guarded(request["id"], partial(handler, self), request)

    def _refuse(self, error: ProtocolError) -> None:
        error.fatal = self._member is None
        self._reply(error.to_message())
        if error.fatal:
            self._close(ERRORS[error.code].hello_close, retry_after_ms=error.retry_after_ms)
        elif ERRORS[error.code].malformed:
            if self._errors is None:
                window = self._hub.settings.limits.errors
                self._errors = ErrorLog(window.count, window.window_ms)
            if not self._errors.note(self._now):
                self._close(4400)

    def _reply(self, message: Mapping[str, Any]) -> None:
        self._port.send(self._hub.encode_frame(message))

    def _close(self, code: int, *, retry_after_ms: int | None = None) -> None:
        self.end(clean=False)
        self._port.close(code, CLOSES[code].reason(retry_after_ms))

    def _ask(
        self, request: Request, then: Callable[[Any], None], undo: Callable[[Any], None] | None = None
    ) -> Callable[[Any], None]:
        """The ``done`` of an engine call; nothing else is begun until it is called.

        ``then`` answers the request. ``undo`` comes in its place when the engine could not, or nobody is left to hear.
        """
        self._busy = True
        return partial(self._told, request, then, undo)

    def _told(
        self, request: Request, then: Callable[[Any], None], undo: Callable[[Any], None] | None, result: Any
    ) -> None:
        self._busy = False
        if self._ended or isinstance(result, Unavailable):
            if undo is not None:
                undo(result)
            if not self._ended:
                self._refuse(ProtocolError("unavailable", "the store of rooms does not answer; the outcome is unknown",
                                           re=request["id"], retry_after_ms=result.retry_after_ms))  # fmt: skip
        else:
            self._guarded(request["id"], then, result)
        if not self._pumping:  # the engine took its time
            self._port.resume()

    # Requests

    def _hello(self, request: Request) -> None:
        if request["type"] != "hello":
            raise ProtocolError("unauthenticated", "the first frame must be hello", re=request["id"])
        auth = request.get("auth", {})
        scheme = auth.get("scheme", "guest")
        if scheme == "guest":
            self._hub.engine.new_guest(self._ask(request, partial(self._welcome, request), self._drop_guest))
        elif scheme == "resume_guest":
            if "token" not in auth:
                raise ProtocolError(
                    "unauthenticated", "resume_guest needs the token of welcome", re=request["id"]
                )
            done = self._ask(request, partial(self._welcome, request), self._drop_guest)
            self._hub.engine.find_guest(auth["token"], done)
        else:
            raise ProtocolError(
                "unsupported_auth", "this server takes guest and resume_guest", re=request["id"]
            )

    def _welcome(self, request: Request, guest: Guest | None) -> None:
        if guest is None:
            raise ProtocolError("token_expired", "this guest token is not known any more", re=request["id"])
        self.user_id = guest.id
        if not self._hub.enrol(self):
            self._drop_guest(guest)
            beat = self._hub.settings.heartbeat
            raise ProtocolError(
                "too_many_connections", "this user has as many connections as allowed", re=request["id"],
                retry_after_ms=beat.interval_ms + beat.timeout_ms,
            )  # fmt: skip
        self._token = guest.token
        # Made up from the id, so that a guest who gives no name is called the same on every connection.
        name = request.get("name", f"guest-{guest.id[-6:]}")
        self._member = Member(self.conn, guest.id, name)
        user = {"id": guest.id, "name": name, "guest": True}
        self._reply({"type": "welcome", "re": request["id"], "conn": self.conn, "user": user, "guest_token": guest.token,
                     "now": self._hub.wall(), **self._hub.greeting})  # fmt: skip
        self._port.welcomed()

    def _drop_guest(self, guest: Guest | Unavailable | None) -> None:
        if isinstance(guest, Guest):
            self._hub.engine.release_guest(guest.token)

    def _release(self) -> None:
        if self._token is not None:
            self._hub.engine.release_guest(self._token)
            self._token = None

    def _hello_again(self, request: Request) -> None:
        raise ProtocolError("already_identified", "hello was answered already", re=request["id"])

    def _join(self, request: Request) -> None:
        name = self._allowed(request)
        limits = self._hub.settings.limits
        already = name in self._rooms
        if not already and len(self._rooms) >= limits.rooms_per_conn:
            raise ProtocolError(
                "too_many_rooms", f"at most {limits.rooms_per_conn} rooms a connection", re=request["id"]
            )
        room = self._hub.room(name)
        room.hold(self)
        done = self._ask(
            request, partial(self._joined, request, room, already), partial(self._unjoin, room, already)
        )
        history = request.get("history", limits.history)
        self._hub.engine.join(name, self._me, request.get("after"), history, done)

    def _unjoin(self, room: Room, already: bool, result: Joined | Unavailable) -> None:
        if not self._ended:
            room.refuse(self, already=already)
            return
        room.drop(self)
        if isinstance(result, Joined):
            self._hub.engine.leave(room.name, self._me, linger=True)

    def _joined(self, request: Request, room: Room, already: bool, joined: Joined) -> None:
        tail = joined.tail
        message: dict[str, Any] = {
            "type": "joined", "re": request["id"], "room": room.name, "epoch": tail.epoch, "head": tail.head,
            "first": tail.first, "recovered": tail.recovered, "already": already, "count": joined.count,
        }  # fmt: skip
        if tail.reason is not None:
            message["reason"] = tail.reason
        if tail.missed is not None:
            message["missed"] = tail.missed
        self._rooms[room.name] = room
        frame = self._messages_frame(message, tail.messages)
        room.admit(self, frame, tail.head, already=already)

    def _leave(self, request: Request) -> None:
        name = self._allowed(request)
        room = self._rooms.pop(name, None)
        self._reply({"type": "left", "re": request["id"], "room": name})
        if room is not None:
            room.drop(self)
            self._hub.engine.leave(name, self._me, linger=False)

    def _send(self, request: Request) -> None:
        room = self._joined_room(request)
        done = self._ask(request, partial(self._sent, request))
        self._hub.engine.publish(room, self._me, request["text"], request.get("mid"), done)

    def _sent(self, request: Request, result: Stored | Conflict | Limited) -> None:
        if isinstance(result, Conflict):
            raise ProtocolError("mid_conflict", "this mid was used for another text", re=request["id"])
        if isinstance(result, Limited):
            raise ProtocolError(
                "rate_limited", "too many messages", re=request["id"], retry_after_ms=result.retry_after_ms,
                limit=self._hub.settings.limits.messages.advertised(),
            )  # fmt: skip
        message = {"type": "sent", "re": request["id"], "room": request["room"], "epoch": result.epoch,
                   "seq": result.seq, "ts": result.ts, "duplicate": result.duplicate}  # fmt: skip
        if "mid" in request:
            message["mid"] = request["mid"]
        self._reply(message)

    def _history(self, request: Request) -> None:
        room = self._joined_room(request)
        self._hub.engine.page(
            room, epoch=request.get("epoch"), before=request.get("before"), after=request.get("after"),
            limit=request.get("limit", min(50, self._hub.settings.limits.page)),
            done=self._ask(request, partial(self._paged, request)),
        )  # fmt: skip

    def _paged(self, request: Request, page: Page | Stale) -> None:
        if isinstance(page, Stale):
            raise ProtocolError(
                "invalid_cursor", "the epoch is not current any more", re=request["id"], field="/epoch"
            )
        message = {"type": "history", "re": request["id"], "room": request["room"], "epoch": page.epoch,
                   "head": page.head, "first": page.first, "more": page.more}  # fmt: skip
        self._port.send(self._messages_frame(message, page.messages))

    def _presence(self, request: Request) -> None:
        room = self._joined_room(request)
        done = self._ask(request, partial(self._present, request))
        self._hub.engine.present(room, self._hub.settings.limits.presence_max, done)

    def _present(self, request: Request, present: Present) -> None:
        members = [{"id": user, "name": name} for user, name in present.members]
        self._reply({"type": "presence", "re": request["id"], "room": request["room"], "members": members,
                     "count": present.count, "truncated": len(members) < present.count})  # fmt: skip

    def _auth(self, request: Request) -> None:
        raise ProtocolError("unsupported_auth", "a guest has no token to renew", re=request["id"])

    def _ping(self, request: Request) -> None:
        self._reply({"type": "pong", "re": request["id"], "now": self._hub.wall()})

    def _messages_frame(self, message: Mapping[str, Any], payloads: list[bytes]) -> bytes:
        """Frame ``message`` with the kept payloads as its ``messages``: as they are, not encoded again (HIST-7)."""
        frame = self._hub.frame(b'%b,"messages":[%b]}' % (encode(message)[:-1], b",".join(payloads)))
        self._port.owed(len(frame))
        return frame

    # Checks

    @property
    def _me(self) -> Member:
        assert self._member is not None
        return self._member

    @staticmethod
    def _allowed(request: Request) -> str:
        room: str = request["room"]
        if room.startswith("dm."):
            raise ProtocolError(
                "forbidden", "rooms that begin dm. are reserved", re=request["id"], field="/room"
            )
        return room

    def _joined_room(self, request: Request) -> str:
        room = self._allowed(request)
        if room not in self._rooms:
            raise ProtocolError("not_joined", "join the room first", re=request["id"], field="/room")
        return room


_HANDLERS: dict[str, Callable[[Session, Request], None]] = {
    "hello": Session._hello_again,
    "join": Session._join,
    "leave": Session._leave,
    "send": Session._send,
    "history": Session._history,
    "presence": Session._presence,
    "auth": Session._auth,
    "ping": Session._ping,
}
