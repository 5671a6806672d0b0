"""One room's stream: epoch, seq, the last messages, the dedupe window, and the answers to join and history.

A message is *staged* (it has its number), then *committed* (kept as durability says) and only then visible:
nothing that a crash could take back is ever shown (MSG-18). It must not know who is in the room or how
messages are stored.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

from roomproof_protocol import encode_plain

MAX_SEQ = 2**53 - 1


def new_epoch() -> str:
    """A name for a new life of a stream: 64 random bits, of the identifier grammar."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Entry:
    """A numbered message; ``payload`` is its JSON without ``mid``, the same bytes for every reader."""

    epoch: str
    seq: int
    ts: int
    user: str
    mid: str | None
    payload: bytes

    def own_payload(self) -> bytes:
        """The same object with ``mid``, for the sender's own connections (MSG-15)."""
        if self.mid is None:
            return self.payload
        return b'%b,"mid":"%b"}' % (
            self.payload[:-1],
            self.mid.encode(),
        )  # the grammar of mid needs no escape


@dataclass(frozen=True, slots=True)
class Seen:
    """What a (user, mid) stands for: where it was stored, and the digest of its text."""

    expires: float
    seq: int
    ts: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A consistent look at a stream: ``messages`` are payloads in ascending order."""

    epoch: str
    head: int
    first: int
    messages: list[bytes]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Tail(Page):
    """What a join is answered with (HIST-1..4, RES-1..12)."""

    recovered: bool = False
    reason: str | None = None
    missed: int | None = None


def text_digest(text: str) -> bytes:
    """Sixteen bytes that stand for a text in the dedupe window."""
    return blake2b(text.encode(), digest_size=16).digest()


class Stream:
    """The stream of one room in one epoch, the last ``retain`` messages kept; ``dedup`` is a time in ms."""

    __slots__ = ("_dedup", "_retained", "_seen", "_staged", "_ts", "epoch", "head", "room")

    def __init__(self, room: str, epoch: str, *, retain: int, dedup: float) -> None:
        self.room, self.epoch = room, epoch
        self.head = 0
        self._ts = 0
        self._dedup = dedup
        self._retained: deque[bytes] = deque(maxlen=retain)  # payloads, up to head
        self._staged: deque[Entry] = deque()
        self._seen: OrderedDict[tuple[str, str], Seen] = OrderedDict()

    @property
    def first(self) -> int:
        """The oldest retained seq; head + 1 when nothing is (section 3: 1 in an empty room)."""
        return self.head - len(self._retained) + 1

    @property
    def full(self) -> bool:
        """True when no number is left and the epoch has to roll (section 9)."""
        return self.head + len(self._staged) >= MAX_SEQ

    @property
    def unsettled(self) -> bool:
        """True while a message is staged."""
        return bool(self._staged)

    def seen(self, user: str, mid: str, now: float) -> Seen | None:
        """What this user's ``mid`` was stored as within the window (MSG-9..11), staged messages included."""
        self._forget(now)
        return self._seen.get((user, mid))

    def stage(self, sender: Mapping[str, Any], text: str, mid: str | None, *, now: float, wall: int) -> Entry:
        """Number a message; ``ts`` never runs back (MSG-8). Until committed only `seen` shows it."""
        self._forget(now)
        seq = self.head + len(self._staged) + 1
        self._ts = max(self._ts, wall)
        user = sender["id"]
        message = {"type": "message", "room": self.room, "epoch": self.epoch, "seq": seq, "ts": self._ts,
                   "from": {"id": user, "name": sender["name"]}, "text": text}  # fmt: skip
        entry = Entry(self.epoch, seq, self._ts, user, mid, encode_plain(message))
        self._staged.append(entry)
        if mid is not None:
            self._seen[user, mid] = Seen(now + self._dedup, seq, self._ts, text_digest(text))
        return entry

    def commit(self) -> Entry:
        """The oldest staged message is kept now: make it visible and return it."""
        entry = self._staged.popleft()
        self._retained.append(entry.payload)
        self.head = entry.seq
        return entry

    def follow(self, entry: Entry) -> None:
        """The next message was numbered and kept elsewhere; nothing is staged here."""
        self._retained.append(entry.payload)
        self.head = entry.seq

    def rollback(self, keep: int = 0) -> None:
        """Storage failed: take back every staged message but the oldest ``keep``, its number and its ``mid``."""
        while len(self._staged) > keep:
            entry = self._staged.pop()
            if entry.mid is not None:
                self._seen.pop((entry.user, entry.mid), None)

    def restore(self, head: int, ts: int, payloads: Iterable[bytes], seen: Mapping[tuple[str, str], Seen]) -> None:
        """Go on in a new process where storage ends: the messages up to ``head``, ``ts`` that of the last one."""
        self.head, self._ts = head, ts
        self._retained.extend(payloads)
        self._seen.update(seen)

    def tail(self, after: Mapping[str, Any] | None, history: int) -> Tail:
        """Answer a join: recovery is all of the gap or none of it (RES-3), else the newest ``history``."""
        first, head = self.first, self.head
        reason = missed = None
        if after is not None:
            seq: int = after["seq"]
            if after["epoch"] != self.epoch:
                reason = "epoch_changed"
            elif seq > head:
                reason = "ahead"
            elif seq < first - 1:
                reason, missed = "too_old", first - 1 - seq
            else:
                return Tail(self.epoch, head, first, self._payloads(seq + 1, head), recovered=True)
        messages = self._payloads(max(first, head - history + 1), head)
        return Tail(self.epoch, head, first, messages, reason=reason, missed=missed)

    def page(self, *, before: int | None, after: int | None, limit: int) -> Page:
        """Answer ``history``: the newest below ``before``, or the oldest above ``after`` (HIST-5..8)."""
        first, head = self.first, self.head
        if after is not None:
            low = max(first, after + 1)
            high = min(head, low + limit - 1)
            more = low <= high < head
        else:
            high = head if before is None else min(head, before - 1)
            low = max(first, high - limit + 1)
            more = first < low <= high
        return Page(self.epoch, head, first, self._payloads(low, high), more=more)

    def _payloads(self, low: int, high: int) -> list[bytes]:
        first = self.first
        return list(islice(self._retained, max(0, low - first), max(0, high - first + 1)))

    def _forget(self, now: float) -> None:
        while self._seen:
            key, seen = next(iter(self._seen.items()))
            if seen.expires > now:
                return
            del self._seen[key]
