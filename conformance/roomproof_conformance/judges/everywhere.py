"""Judges without parameters that fit any transcript: what must hold of whatever a server happens to say.

Those that read native messages take what is right from the protocol package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding
from roomproof_protocol import CLOSES, DEFAULTS, Limits, check_message, retry_after

from .base import EVENTS, Judge, shown
from .replay import told

REASON_BYTES = 123
"""What RFC 6455 5.5 leaves for the reason of a Close frame."""
PRIVATE = 4000
"""From here on close codes are the protocol's own, and reasons have its form."""
MOST_CHECKED = 100
"""Messages of one type that are validated in one transcript: each takes some 75 µs, a long history 10 ms."""
CUT_SHORT = frozenset({"truncated-frame"})
"""Faults that a connection shows when it was cut, as a server may do to a client that does not read."""

Number = tuple[Any, Any, Any]


@dataclass
class Everywhere(Judge):
    """Keeps the first violation, and counts what was looked at: unclear while that is nothing."""

    expected: ClassVar[str] = ""
    nothing: ClassVar[str] = "nothing of the kind was seen"
    _looked: int = field(default=0, init=False)
    _broken: Finding | None = field(default=None, init=False)

    def violated(self, seen: str, *evidence: int) -> None:
        if self._broken is None:
            self._broken = Finding("broken", self.expected, seen, evidence)

    def end(self) -> Finding:
        if self._broken is not None:
            return self._broken
        if not self._looked:
            return Finding("unclear", self.expected, self.nothing)
        return Finding("holds", self.expected, f"{self._looked} looked at")


def _native(record: Record) -> Mapping[str, Any] | None:
    """The native message of an event record."""
    tree = record.data["tree"] if record.kind == "event" else None
    return tree if isinstance(tree, dict) else None


@dataclass
class ListedCloses(Everywhere):
    """Every close that the server begins has a code of section 5 and a reason of at most 123 bytes (DISC-4).

    With the protocol's own codes the reason is `<name>`, or `<name>; retry_after_ms=N`. Connections to which the kit
    wrote raw bytes are left out: these may have held a Close frame.
    """

    reads = frozenset({"sent", "received"})
    expected: ClassVar[str] = "a close code of section 5, and a reason of at most 123 bytes in its form"
    nothing: ClassVar[str] = "the server closed no connection"
    _ours: set[str] = field(default_factory=set, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "sent" and record.data["opcode"] in (8, None):
            self._ours.add(record.conn)
        elif record.kind == "received" and record.data["opcode"] == 8 and record.conn not in self._ours:
            self._looked += 1
            self._judge(record)

    def _judge(self, record: Record) -> None:
        code: int | None = record.data.get("code")
        reason: str = record.data.get("reason") or ""
        if code is None or code not in CLOSES or not CLOSES[code].initiated_by_server:
            what = "without a code" if code is None else f"with {code}"
            self.violated(f"the server closed {record.conn} {what}, which section 5 does not list", record.index)
        elif len(reason.encode(errors="surrogateescape")) > REASON_BYTES:
            self.violated(f"Close {code} has a reason of {len(reason)} characters", record.index)
        elif code >= PRIVATE and reason != CLOSES[code].reason(retry_after(reason)):
            seen = f"Close {code} has the reason {shown(reason, 130)!r}, expected {CLOSES[code].reason()!r}"
            self.violated(seen, record.index)


@dataclass
class Quiet(Everywhere):
    """From an event of the type `begins` to the next `joined` a connection gets nothing of that room.

    With `barred`: no event of these types.
    """

    reads = EVENTS
    begins: ClassVar[str] = ""
    barred: ClassVar[tuple[str, ...]] = ()
    words: ClassVar[str] = ""
    _since: dict[tuple[str, str], int] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        message = _native(record)
        if message is None or not isinstance(message.get("room"), str):
            return
        key, kind = (record.conn, message["room"]), message.get("type")
        if kind == self.begins:
            self._looked += 1
            self._since[key] = record.index
        elif kind == "joined":
            self._since.pop(key, None)
        elif key in self._since and (not self.barred or kind in self.barred):
            seen = self.words.format(conn=record.conn, room=key[1], message=shown(message))
            self.violated(seen, self._since[key], record.index)


@dataclass
class LeftIsLeft(Quiet):
    """After `left` no frame of that room comes to the connection until the next `joined` (ROOM-6).

    A further `left` is the answer to a further `leave` (ROOM-7).
    """

    begins: ClassVar[str] = "left"
    expected: ClassVar[str] = "nothing of a room between left and the next joined"
    nothing: ClassVar[str] = "nobody left a room"
    words: ClassVar[str] = "{conn} left {room} and then got {message}"


@dataclass
class ResetIsQuiet(Quiet):
    """After `reset` no message of that room comes to the connection until the next `joined` (ROOM-12)."""

    begins: ClassVar[str] = "reset"
    barred: ClassVar[tuple[str, ...]] = ("message",)
    expected: ClassVar[str] = "no message of a room between reset and the next joined"
    nothing: ClassVar[str] = "no room was reset"
    words: ClassVar[str] = "{conn} got {message} after the reset"


@dataclass
class ReplaysEqual(Everywhere):
    """A replayed message has the sender, time and text of its live delivery (HIST-7)."""

    reads = EVENTS
    expected: ClassVar[str] = "each replayed message like its live delivery"
    nothing: ClassVar[str] = "no message was seen both live and replayed"
    _live: dict[Number, tuple[dict[str, Any], int]] = field(default_factory=dict, init=False)
    _past: dict[Number, tuple[dict[str, Any], int]] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.kind != "event" or self._broken is not None:
            return
        for fields, past in told(record):
            if not isinstance(fields.get("seq"), int):
                continue
            number = fields.get("room"), fields.get("epoch"), fields["seq"]
            shape = {name: fields.get(name) for name in ("text", "from", "name", "ts")}
            mine, other = (self._past, self._live) if past else (self._live, self._past)
            mine[number] = shape, record.index
            if number in other:
                self._looked += 1
                self._compare(number, shape, record.index, past=past, other=other[number])

    def _compare(
        self, number: Number, shape: dict[str, Any], index: int, *, past: bool, other: tuple[dict[str, Any], int]
    ) -> None:
        for name, value in shape.items():
            if value != other[0][name]:
                live, replayed = (other[0][name], value) if past else (value, other[0][name])
                seen = f"message {number[2]} of {number[0]} had {name} {shown(live, 60)} live"
                self.violated(f"{seen}, {shown(replayed, 60)} replayed", *sorted((index, other[1])))


@dataclass
class OwnMids(Everywhere):
    """A live message carries its `mid` to its sender and to nobody else, a replayed one to nobody (MSG-15)."""

    reads = EVENTS
    expected: ClassVar[str] = "the mid on the sender's own connections, live, and nowhere else"
    nothing: ClassVar[str] = "no message with a mid was seen"
    _user: dict[str, Any] = field(default_factory=dict, init=False)  # of each connection, by its welcome
    _mids: dict[Number, Any] = field(default_factory=dict, init=False)  # as acknowledged
    _bare: list[tuple[Number, Record]] = field(default_factory=list, init=False)  # own messages without one

    def step(self, record: Record) -> None:
        message = _native(record)
        if message is None:
            return
        kind = message.get("type")
        if kind == "welcome" and isinstance(message.get("user"), Mapping):
            self._user[record.conn] = message["user"].get("id")
        elif kind == "sent" and "mid" in message:
            self._mids[self._number(message)] = message["mid"]
        elif kind == "message":
            self._live(message, record)
        elif kind in ("joined", "history") and isinstance(message.get("messages"), list):
            for past in message["messages"]:
                if isinstance(past, Mapping) and "mid" in past:
                    self.violated(f"a replayed message carries a mid: {shown(past)}", record.index)

    def _number(self, message: Mapping[str, Any]) -> Number:
        return message.get("room"), message.get("epoch"), message.get("seq")

    def _live(self, message: Mapping[str, Any], record: Record) -> None:
        sender = message.get("from")
        own = isinstance(sender, Mapping) and sender.get("id") == self._user.get(record.conn)
        if not own and "mid" in message:
            self.violated(f"{record.conn} got the mid of another user's message: {shown(message)}", record.index)
        elif own and "mid" in message:
            self._looked += 1
        elif own:
            self._bare.append((self._number(message), record))

    def end(self) -> Finding:
        for number, record in self._bare:
            if number in self._mids:
                seen = f"{record.conn} got its own message without the mid {shown(self._mids[number])} it was sent with"
                self.violated(seen, record.index)
        return super().end()


@dataclass
class Unnumbered(Everywhere):
    """No presence event carries a `seq` (PRES-4)."""

    reads = EVENTS
    types = frozenset({"presence_event"})
    expected: ClassVar[str] = "presence events without seq"
    nothing: ClassVar[str] = "no presence event was seen"

    def step(self, record: Record) -> None:
        message = _native(record)
        if message is not None and message.get("type") == "presence_event":
            self._looked += 1
            if "seq" in message:
                self.violated(f"it carries seq: {shown(message)}", record.index)


@dataclass
class Faultless(Everywhere):
    """Every frame that the server writes is as RFC 6455 says: length, mask, bits, opcodes, fragments, UTF-8."""

    reads = frozenset({"received", "fault"})
    expected: ClassVar[str] = "frames as RFC 6455 says"
    nothing: ClassVar[str] = "no frame was seen"

    def step(self, record: Record) -> None:
        if record.kind == "received":
            self._looked += 1
        elif record.kind == "fault" and record.data["name"] not in CUT_SHORT:
            self.violated(f"{record.data['name']} on {record.conn}: {record.data['detail']}", record.index)


@dataclass
class WellFormed(Everywhere):
    """Every message of one type validates against its schema, with the limits that the server's welcome states."""

    reads = EVENTS
    message_type: ClassVar[str] = ""
    _stated: Any = field(default=None, init=False)  # the limits of the last welcome, and what they come to
    _limits: Limits = field(default=DEFAULTS, init=False)

    def step(self, record: Record) -> None:
        message = _native(record)
        if message is None or self._broken is not None:
            return
        kind = message.get("type")
        if kind == "welcome" and message.get("limits") != self._stated:
            self._learn(message.get("limits"))
        if kind == self.message_type and self._looked < MOST_CHECKED:
            past = message.get("messages")
            self._looked += 1 + (len(past) // 2 if isinstance(past, list) else 0)
            faults = check_message(message, self._limits)
            if faults:
                why = "; ".join(f"{fault.pointer or '/'} {fault.message}" for fault in faults[:3])
                self.violated(f"{why}; got {shown(message, 400)}", record.index)

    def _learn(self, limits: Any) -> None:
        self._stated = limits
        try:
            self._limits = Limits.from_mapping(limits)
        except (ValueError, TypeError, AttributeError):
            self._limits = DEFAULTS  # CONN-7 says what is wrong with them


@cache
def well_formed(message_type: str) -> type[WellFormed]:
    """The judge of every message of one type; one class, however often it is asked for."""
    name = "WellFormed" + message_type.title().replace("_", "")
    what = f"every `{message_type}` valid by its schema"
    types = frozenset({"welcome", message_type})
    body = {"__doc__": f"Every `{message_type}` of a run validates against its schema.", "__module__": __name__}
    return type(name, (WellFormed,), {**body, "message_type": message_type, "types": types, "expected": what})
