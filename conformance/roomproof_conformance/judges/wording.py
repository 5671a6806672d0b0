"""Judges of what a server of roomproof.v1 says: errors without leaks, one reply per request, schemas, sizes.

The only judges that read native messages; the protocol package says what is right.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.transcript import Record, payload_of
from roomproof_conformance.verdicts import Finding
from roomproof_protocol import ERRORS, check_message

from .base import Judge, shown

_TRACE = re.compile(
    r"Traceback \(most recent"
    r"|File \"[^\"]+\", line \d"
    r"|\bat [\w$.<>]+ ?\([^)]*:\d+(?::\d+)?\)"
    r"|\.(?:py|js|go|rs|java):\d+"
)
_PATH = re.compile(r"(?<![\w/:.])/(?:usr|home|opt|var|srv|app|root|tmp|etc|work|lib)/\w|\b[A-Za-z]:\\\w")
_LONGEST = 256
COMPRESSED = 4
"""RSV1, the bit that says so (RFC 7692)."""
_ID = re.compile(r'"id"\s*:\s*"([^"\\]*)"')  # also of frames that are no JSON, cut, or a fragment
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")  # as any character of an id, or of its name, may be written


@dataclass
class CleanErrors(Judge):
    """Every error has a code of section 4 and a message of at most 256 characters that gives nothing away.

    Looked for: stack traces, paths of files, and other users' names, texts and tokens (those of four characters or
    more that the connection itself never wrote).
    """

    reads = frozenset({"op", "sent", "event"})
    _errors: list[Record] = field(default_factory=list, init=False)
    _secrets: dict[str, str] = field(default_factory=dict, init=False)  # and the user whose they are
    _user: dict[str, str] = field(default_factory=dict, init=False)
    _own: dict[str, list[str]] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "op":
            self._user[record.conn] = record.data.get("user", record.conn)
            self._keep(record.conn, record.data["args"].get("text"))
        elif record.kind == "sent" and "text" in record.data:
            self._own.setdefault(record.conn, []).append(record.data["text"])
        elif record.kind == "event":
            tree = record.data["tree"]
            if not isinstance(tree, dict):
                return
            if tree.get("type") == "error":
                self._errors.append(record)
            elif tree.get("type") == "welcome" and isinstance(tree.get("user"), dict):
                self._keep(record.conn, tree["user"].get("name"))
                self._keep(record.conn, tree.get("guest_token"))

    def _keep(self, conn: str, secret: Any) -> None:
        if isinstance(secret, str) and len(secret) >= 4:
            self._secrets.setdefault(secret, self._user.get(conn, conn))

    def end(self) -> Finding:
        expected = f"errors with a code of section 4 and at most {_LONGEST} characters that give nothing away"
        for record in self._errors:
            fault = self._fault(record)
            if fault is not None:
                return Finding("broken", expected, f"{fault}: {shown(record.data['tree'], 400)}", (record.index,))
        if not self._errors:
            return Finding("unclear", expected, "no error was seen")
        return Finding("holds", expected, f"{len(self._errors)} errors")

    def _fault(self, record: Record) -> str | None:
        code, message = record.data["tree"].get("code"), record.data["tree"].get("message")
        if code not in ERRORS:
            return f"code {shown(code)} is not of section 4"
        if not isinstance(message, str):
            return "message is not a string"
        if len(message) > _LONGEST:
            return f"message has {len(message)} characters"
        if _TRACE.search(message):
            return "message holds a stack trace"
        if _PATH.search(message):
            return "message holds the path of a file"
        user = self._user.get(record.conn, record.conn)
        written = self._own.get(record.conn, [])
        for secret, owner in self._secrets.items():
            if owner != user and secret in message and not any(secret in text for text in written):
                return f"message holds {shown(secret, 60)} of user {owner}"
        return None


def _legible(record: Record) -> str:
    """What the kit wrote; of bytes that are no text (a fragment, say) whatever is ASCII in them."""
    text: str | None = record.data.get("text")
    return payload_of(record.data).decode("ascii", "replace") if text is None else text


@dataclass
class OneReply(Judge):
    """No request is answered more often than it was sent.

    Connections to which the kit wrote a compressed frame are left out: its ids cannot be read.
    """

    reads = frozenset({"sent", "event"})
    _sent: Counter[tuple[str, str]] = field(default_factory=Counter, init=False)
    _replies: dict[tuple[str, str], list[int]] = field(default_factory=dict, init=False)
    _compressed: set[str] = field(default_factory=set, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "sent" and record.data.get("rsv") == COMPRESSED:
            self._compressed.add(record.conn)
        elif record.kind == "sent":
            for identifier in _ID.findall(_ESCAPED.sub(lambda code: chr(int(code[1], 16)), _legible(record))):
                self._sent[record.conn, identifier] += 1
        elif record.kind == "event" and isinstance(record.data["tree"], dict):
            answered = record.data["tree"].get("re")
            if isinstance(answered, str):
                self._replies.setdefault((record.conn, answered), []).append(record.index)

    def end(self) -> Finding:
        expected = "one reply to each request"
        for (conn, identifier), replies in self._replies.items():
            sent = self._sent[conn, identifier]
            if len(replies) > sent and conn not in self._compressed:
                seen = f"{len(replies)} replies to {sent} requests of {conn} with id {shown(identifier)}"
                return Finding("broken", expected, seen, tuple(replies[:8]))
        if not self._replies:
            return Finding("unclear", expected, "no reply was seen")
        return Finding("holds", expected, f"{sum(map(len, self._replies.values()))} replies")


@dataclass
class Valid(Judge):
    """`conn` gets a message of type `type`, and it validates against the schema."""

    conn: str
    type: str
    after: int = 0
    _event: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.conn == self.conn and record.kind == "event" and record.index >= self.after and self._event is None:
            tree = record.data["tree"]
            if isinstance(tree, dict) and tree.get("type") == self.type:
                self._event = record

    def end(self) -> Finding:
        expected = f"a {self.type} that is valid by its schema on {self.conn}"
        if self._event is None:
            return Finding("broken", expected, "none came")
        faults = check_message(self._event.data["tree"])
        evidence = (self._event.index,)
        if faults:
            told = "; ".join(f"{fault.pointer or '/'}: {fault.message}" for fault in faults[:3])
            return Finding("broken", expected, f"{told}; got {shown(self._event.data['tree'], 400)}", evidence)
        return Finding("holds", expected, "valid", evidence)


@dataclass
class FramesWithin(Judge):
    """No frame of the server is longer than the `server_frame_bytes` that its welcome states."""

    reads = frozenset({"event", "received"})
    least: int = 0  # of a longest frame that must have been seen, so that the limit was put to the test
    _limit: int | None = field(default=None, init=False)
    _longest: Record | None = field(default=None, init=False)
    _most: int = field(default=-1, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "event" and isinstance(record.data["tree"], dict):
            limits = record.data["tree"].get("limits")
            if isinstance(limits, dict) and isinstance(limits.get("server_frame_bytes"), int):
                self._limit = limits["server_frame_bytes"]
        elif record.kind == "received" and record.data["opcode"] in (0, 1, 2) and record.data["length"] > self._most:
            self._longest, self._most = record, record.data["length"]

    def end(self) -> Finding:
        if self._limit is None or self._longest is None:
            return Finding("unclear", "frames within server_frame_bytes", "no limit and no frame was seen")
        expected = f"no frame over {self._limit} bytes"
        seen, evidence = f"the longest has {self._most} bytes", (self._longest.index,)
        if self._most > self._limit:
            return Finding("broken", expected, seen, evidence)
        if self._most < self.least:
            return Finding("unclear", expected, f"{seen}, and at least {self.least} were to come", evidence)
        return Finding("holds", expected, seen, evidence)
