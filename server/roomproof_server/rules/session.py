"""One connection's requests: ``hello``, then one reply to each, in the order sent.

Requests are carried out one at a time: the next one waits while the engine owes an answer (CONN-10) or while
the client has too much to read already (DISC-10). The order of checks is section 4's: `parse_request` does
everything up to the members, this module permission, membership and room count, the engine dedupe and quota.
It must not know sockets or frames of RFC 6455: what it says goes out through a `Port`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol

from roomproof_protocol import CLOSES, ERRORS, ProtocolError, encode_plain, parse_request
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
from roomproof_server.rules.identity import Expiry, Identity
from roomproof_server.rules.limiter import ErrorLog, FrameBucket
from roomproof_server.rules.stream import Page

logger = logging.getLogger("roomproof.server")

Request = dict[str, Any]
Step = Callable[..., None]

FLOOD_WAIT_MS = 30_000  # what the blocks of section 5 say where the server names no time
DEFAULT_PAGE = 50  # section 2


class Port(Protocol):
    """The way out of a session."""

    @property
    def congested(self) -> bool:
        """True while more than a quarter of ``queue_bytes`` waits for the client (DISC-10)."""
        ...

    @property
    def write(self) -> Callable[[bytes], object]:
        """Writes finished frames at once, past the queue."""
        ...

    @property
    def apart(self) -> bool:
        """True while nothing may be written past the queue."""
        ...

    def send(self, frame: bytes) -> None:
        """Queue a finished frame; it goes out in this turn of the loop."""

    def keep(self, frame: bytes) -> None:
        """Queue a finished frame; somebody will `flush`."""

    def flush(self) -> None:
        """Write what is queued."""

    def owed(self, size: int) -> None:
        """A reply of ``size`` bytes comes next: asked for, it must not overflow the queue (DISC-10)."""

    def welcomed(self) -> None:
        """The client is known: heartbeats begin."""

    def wake(self) -> None:
        """The token's end is another now: `Session.on_time` wants to be asked soon."""

    def resume(self) -> None:
        """An engine's answer came late: `Session.pump` may go on now."""

    def close(self, code: int, reason: str) -> None:
        """Say Close after what is queued; nothing is sent afterwards."""


class Session:
    """What one connection is and may do, from its handshake to its end.

    ``address`` is the one that ``limits.per_address`` holds for, None where it does not (RATE-14); ``bearer`` the
    token of an Authorization header that may be looked at (AUTH-1).
    """

    __slots__ = (
        "_address", "_backlog", "_bearer", "_bucket", "_busy", "_ended", "_errors", "_expiry", "_hub", "_limits",
        "_member", "_now", "_port", "_pumping", "_rooms", "_token", "conn", "flush", "keep", "send", "user_id",
    )  # fmt: skip

    def __init__(
        self, hub: Hub, port: Port, conn: str, now: float, *, address: str | None = None, bearer: str | None = None
    ) -> None:
        self._hub, self._port, self.conn, self._now = hub, port, conn, now
        self._address, self._bearer = address, bearer
        self._limits = limits = hub.settings.limits
        # What rooms call: bound once.
        self.send, self.keep, self.flush = port.send, port.keep, port.flush
        self.user_id = ""
        self._member: Member | None = None  # from welcome on
        self._token: str | None = None  # of a guest
        self._expiry: Expiry | None = None  # of another user's token
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

    @property
    def write(self) -> Callable[[bytes], object]:
        """Writes to this connection past its queue."""
        return self._port.write

    @property
    def apart(self) -> bool:
        """Nothing may be written to this connection past its queue."""
        return self._port.apart

    def stand_apart(self) -> None:
        """`apart` is true now: its rooms notice when it is false again."""
        for room in self._rooms.values():
            room.stand_aside(self)

    def last_sent(self) -> float:
        """When a room last wrote to this connection, in monotonic ms."""
        return max((room.sent_at for room in self._rooms.values() if room.is_member(self)), default=0.0)

    def receive(self, data: str | None, now: float) -> None:
        """A whole client message, ``None`` for a binary one: carried out now or when its turn comes."""
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
        """The connection is over, ``clean`` by a close 1000 of the client: rooms hear at once (PRES-3)."""
        if self._ended:
            return
        self._ended = True
        self._backlog.clear()
        if self._token is not None:
            self._hub.engine.release_guest(self._token)
        if self._member is None:
            return
        for name, room in self._rooms.items():
            room.drop(self)
            self._hub.engine.leave(name, self._member, linger=not clean)
        self._rooms.clear()
        self._hub.strike(self)

    def on_time(self) -> float | None:
        """Do what the token's end asks for; returns the ms until the next time, None for never (AUTH-4, AUTH-5)."""
        if self._expiry is None or self._ended:
            return None
        due = self._expiry.due(self._hub.wall())
        if due == "expired":
            self._close(4101)
            return None
        if due == "notice":
            self._notice("auth_expiring", "your token is about to expire", expires_at=self._expiry.expires_at)
        return self._expiry.next() - self._hub.wall()

    def draining(self, reconnect_after_ms: int) -> None:
        """The server is going away: tell a client that is known, with its time to come back (DISC-5)."""
        if self._member is not None and not self._ended:
            self._notice("draining", "this server is going away", reconnect_after_ms=reconnect_after_ms)

    # One request

    def _answer(self, data: str | None) -> None:
        if data is None:
            raise ProtocolError("unsupported_data", "binary frames are not part of v1: send JSON as text")
        request = parse_request(data, self._limits)
        handler = Session._hello if self._member is None else _HANDLERS[request["type"]]
        self._guarded(request["id"], partial(handler, self), request)

    def _guarded(self, re: str | None, step: Callable[[Any], None], argument: Any) -> None:
        """Take a step; what it raises becomes the reply, and nothing worse than that (ERR-14)."""
        try:
            step(argument)
        except ProtocolError as error:
            self._refuse(error, re)
        except Exception:
            logger.exception("connection %s: a request failed", self.conn)
            self._busy = False
            self._refuse(ProtocolError("internal", "the server failed; the outcome is unknown"), re)

    def _refuse(self, error: ProtocolError, re: str | None) -> None:
        error.re = error.re or re
        error.fatal = self._member is None
        self._hub.counters.refuse(error.code, self.conn)
        self._port.send(self._hub.encode_frame(error.to_message()))
        row = ERRORS[error.code]
        if error.fatal:
            self._close(row.hello_close, retry_after_ms=error.retry_after_ms)
        elif row.malformed:
            if self._errors is None:
                self._errors = ErrorLog(self._limits.errors.count, self._limits.errors.window_ms)
            if not self._errors.note(self._now):
                self._close(4400)

    def _reply(self, kind: str, request: Request, **members: Any) -> None:
        if (room := self._rooms.get(members.get("room", ""))) is not None:
            room.stand_aside(self)
        self._port.send(self._hub.encode_frame({"type": kind, "re": request["id"], **members}))

    def _notice(self, code: str, message: str, **members: Any) -> None:
        self._port.send(self._hub.encode_frame({"type": "notice", "code": code, "message": message, **members}))

    def _close(self, code: int, *, retry_after_ms: int | None = None) -> None:
        self.end(clean=False)
        self._port.close(code, CLOSES[code].reason(retry_after_ms))

    def _ask(self, request: Request, then: Step, undo: Step | None = None) -> Step:
        """The ``done`` of an engine call; no other request is begun until it is called.

        ``then`` answers the request. ``undo`` comes in its place when the engine could not, or nobody is left
        to hear the answer.
        """
        self._busy = True
        return partial(self._told, request, partial(then, request), undo)

    def _told(self, request: Request, then: Callable[[Any], None], undo: Step | None, result: Any) -> None:
        self._busy = False
        if self._ended or isinstance(result, Unavailable):
            if undo is not None:
                undo(result)
            if not self._ended:
                message = "the store of rooms does not answer; the outcome is unknown"
                wait = result.retry_after_ms
                self._refuse(ProtocolError("unavailable", message, retry_after_ms=wait), request["id"])
        else:
            self._guarded(request["id"], then, result)
        if not self._pumping:  # the engine took its time
            self._port.resume()

    # Requests

    def _hello(self, request: Request) -> None:
        if request["type"] != "hello":
            raise ProtocolError("unauthenticated", "the first frame must be hello")
        if self._hub.draining:
            raise ProtocolError("draining", "this server is going away")
        # The header counts only for a hello that says nothing of its own (AUTH-1).
        header = {"scheme": "jwt", "token": self._bearer} if self._bearer else {}
        auth = request.get("auth", header)
        scheme, token = auth.get("scheme", "guest"), auth.get("token")
        if scheme not in self._hub.schemes:
            message = f"this server takes {' and '.join(self._hub.schemes)}"
            raise ProtocolError("unsupported_auth", message, field="/auth/scheme")
        if scheme == "guest":
            self._count_guest()
            self._hub.engine.new_guest(self._ask(request, self._welcome_guest, self._drop_guest))
        elif token is None:
            raise ProtocolError("unauthenticated", f"{scheme} needs a token", field="/auth")
        elif scheme == "resume_guest":
            self._hub.engine.find_guest(token, self._ask(request, self._welcome_guest, self._drop_guest))
        else:
            user = self._verified(token, "/auth/token")
            self._expiry = Expiry(user.expires_at, random.random())
            name = user.name or request.get("name", user.id[: self._limits.name_len])
            self._welcome(request, Member(self.conn, user.id, name), {"auth_expires_at": user.expires_at})

    def _count_guest(self) -> None:
        """New guests of one address are limited; known ones may always come back (RATE-14)."""
        if self._address is not None and (wait := self._hub.new_guests.admit(self._address, self._now)):
            message = "too many new guests from this address"
            raise ProtocolError("too_many_connections", message, retry_after_ms=wait)

    def _verified(self, token: str, field: str) -> Identity:
        try:
            return self._hub.verify(token)
        except ProtocolError as error:
            error.field = field
            raise

    def _welcome_guest(self, request: Request, guest: Guest | None) -> None:
        if guest is None:
            raise ProtocolError("token_expired", "this guest token is not known any more", field="/auth/token")
        self._token = guest.token
        # Made up from the id, so that a guest who gives no name is called the same on every connection.
        name = request.get("name", f"guest-{guest.id[-6:]}")
        self._welcome(request, Member(self.conn, guest.id, name, self._address), {"guest_token": guest.token})

    def _welcome(self, request: Request, member: Member, more: Mapping[str, Any]) -> None:
        self.user_id = member.id
        if not self._hub.enrol(self):
            beat = self._hub.settings.heartbeat
            wait = beat.interval_ms + beat.timeout_ms  # by then a dead one is noticed (section 9)
            message = f"at most {self._limits.conns_per_user} connections a user"
            raise ProtocolError("too_many_connections", message, retry_after_ms=wait)
        self._member = member
        user = {"id": member.id, "name": member.name, "guest": self._token is not None}
        now, greeting = self._hub.wall(), self._hub.greeting(limited=self._address is not None)
        self._reply("welcome", request, conn=self.conn, user=user, now=now, **more, **greeting)
        self._port.welcomed()

    def _drop_guest(self, guest: Guest | Unavailable | None) -> None:
        if isinstance(guest, Guest):
            self._hub.engine.release_guest(guest.token)

    def _hello_again(self, request: Request) -> None:
        raise ProtocolError("already_identified", "hello was answered already")

    def _join(self, request: Request) -> None:
        name = self._allowed(request)
        already = name in self._rooms
        if not already and len(self._rooms) >= self._limits.rooms_per_conn:
            raise ProtocolError("too_many_rooms", f"at most {self._limits.rooms_per_conn} rooms a connection")
        room = self._hub.room(name)
        room.hold(self)
        done = self._ask(request, partial(self._joined, room, already), partial(self._unjoin, room, already))
        history = request.get("history", self._limits.history)
        self._hub.engine.join(name, self._me, request.get("after"), history, done)

    def _joined(self, room: Room, already: bool, request: Request, joined: Joined) -> None:
        tail = joined.tail
        message: dict[str, Any] = {
            "type": "joined", "re": request["id"], "room": room.name, "epoch": tail.epoch, "head": tail.head,
            "first": tail.first, "recovered": tail.recovered, "already": already, "count": joined.count,
        }  # fmt: skip
        if tail.reason is not None:
            message["reason"] = tail.reason
        if tail.missed is not None:
            message["missed"] = tail.missed
        self._hub.counters.joins["recovered" if tail.recovered else tail.reason or "fresh"] += 1
        self._rooms[room.name] = room
        room.admit(self, self._messages_frame(message, tail.messages), tail.head, already=already)

    def _unjoin(self, room: Room, already: bool, result: Joined | Unavailable) -> None:
        if not self._ended:
            room.refuse(self, already=already)
            return
        room.drop(self)
        if isinstance(result, Joined):
            self._hub.engine.leave(room.name, self._me, linger=True)

    def _leave(self, request: Request) -> None:
        name = self._allowed(request)
        room = self._rooms.pop(name, None)
        if room is not None:
            room.drop(self)
        self._reply("left", request, room=name)
        if room is not None:
            self._hub.engine.leave(name, self._me, linger=False)

    def _send(self, request: Request) -> None:
        room = self._joined_room(request)
        done = self._ask(request, self._sent)
        self._hub.engine.publish(room, self._me, request["text"], request.get("mid"), done)

    def _sent(self, request: Request, result: Stored | Conflict | Limited) -> None:
        if isinstance(result, Conflict):
            raise ProtocolError("mid_conflict", "this mid stands for another text", field="/mid")
        if isinstance(result, Limited):
            limit, message = self._limits.messages.advertised(), "too many messages"
            if result.scope == "address" and self._limits.per_address is not None:
                limit = {**asdict(self._limits.per_address.messages), "scope": "address"}
                message = "too many messages of guests from this address"
            raise ProtocolError("rate_limited", message, retry_after_ms=result.retry_after_ms, limit=limit)
        self._hub.counters.messages["duplicate" if result.duplicate else "stored"] += 1
        mid = {"mid": request["mid"]} if "mid" in request else {}
        self._reply("sent", request, room=request["room"], epoch=result.epoch, seq=result.seq, ts=result.ts,
                    duplicate=result.duplicate, **mid)  # fmt: skip

    def _history(self, request: Request) -> None:
        room = self._joined_room(request)
        limit = request.get("limit", min(DEFAULT_PAGE, self._limits.page))
        epoch, before, after = request.get("epoch"), request.get("before"), request.get("after")
        done = self._ask(request, self._paged)
        self._hub.engine.page(room, epoch=epoch, before=before, after=after, limit=limit, done=done)

    def _paged(self, request: Request, page: Page | Stale) -> None:
        if isinstance(page, Stale):
            raise ProtocolError("invalid_cursor", "this epoch is not the current one", field="/epoch")
        message = {
            "type": "history", "re": request["id"], "room": request["room"], "epoch": page.epoch,
            "head": page.head, "first": page.first, "more": page.more,
        }  # fmt: skip
        if (room := self._rooms.get(request["room"])) is not None:
            room.stand_aside(self)
        self._port.send(self._messages_frame(message, page.messages))

    def _presence(self, request: Request) -> None:
        room = self._joined_room(request)
        self._hub.engine.present(room, self._limits.presence_max, self._ask(request, self._present))

    def _present(self, request: Request, present: Present) -> None:
        members = [{"id": user, "name": name} for user, name in present.members]
        count, truncated = present.count, len(members) < present.count
        self._reply("presence", request, room=request["room"], members=members, count=count, truncated=truncated)

    def _auth(self, request: Request) -> None:
        if self._expiry is None:
            raise ProtocolError("unsupported_auth", "a guest has no token to renew")
        user = self._verified(request["token"], "/token")
        if user.id != self.user_id:
            raise ProtocolError("forbidden", "this token is another user's", field="/token")
        self._expiry = Expiry(user.expires_at, random.random())
        self._reply("auth_ok", request, expires_at=user.expires_at)
        self._port.wake()

    def _ping(self, request: Request) -> None:
        self._reply("pong", request, now=self._hub.wall())

    def _messages_frame(self, message: Mapping[str, Any], payloads: list[bytes]) -> bytes:
        """Frame ``message`` with the kept payloads as its ``messages``, not encoded again (HIST-7)."""
        frame = self._hub.frame(b'%b,"messages":[%b]}' % (encode_plain(message)[:-1], b",".join(payloads)))
        self._port.owed(len(frame))
        return frame

    # Checks

    @property
    def _me(self) -> Member:
        assert self._member is not None
        return self._member

    @staticmethod
    def _allowed(request: Request) -> str:
        """The room, unless nobody may use it (ROOM-13)."""
        room: str = request["room"]
        if room.startswith("dm."):
            raise ProtocolError("forbidden", "rooms that begin dm. are reserved", field="/room")
        return room

    def _joined_room(self, request: Request) -> str:
        room = self._allowed(request)
        if room not in self._rooms:
            raise ProtocolError("not_joined", "join the room first", field="/room")
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
