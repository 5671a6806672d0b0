"""A room with members on this node: a copy of its stream's end that follows what Redis says, and who is here.

What comes is put in order and without holes, or the members hear ``reset``. It must not know connections to Redis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from roomproof_server.engine.base import Sink
from roomproof_server.rules.presence import Presence
from roomproof_server.rules.stream import Entry, Stream


class Hosted:
    """One room. ``sink`` is None while no member is here, ``stream`` until Redis told what is in it."""

    __slots__ = ("_retain", "ahead", "presence", "room", "sink", "stream", "syncing", "waiting")

    def __init__(self, room: str, *, retain: int, grace: float) -> None:
        self.room, self._retain = room, retain
        self.sink: Sink | None = None
        self.stream: Stream | None = None
        self.presence = Presence(grace)  # of this node's users alone
        self.syncing = False  # it is being read already
        self.ahead: float | None = None  # since when there is a message that has not come yet, in ms
        self.waiting: list[tuple[float, Callable[[], None], Callable[[], None]]] = []  # until it is heard

    @property
    def position(self) -> tuple[str, int]:
        """What was heard last: epoch and seq, ("", 0) for nothing."""
        return (self.stream.epoch, self.stream.head) if self.stream is not None else ("", 0)

    def follow(self, entry: Entry) -> bool:
        """A message that was kept: True when it was the next one or is known, False when something is missing."""
        stream = self.stream
        if stream is None:
            return True  # what is read will have it
        if entry.epoch != stream.epoch or entry.seq > stream.head + 1:
            return False
        if entry.seq == stream.head + 1:
            stream.follow(entry)
            if self.sink is not None:
                self.sink.message(entry)
        return True

    def take(self, epoch: str, head: int, records: Sequence[bytes]) -> None:
        """What Redis holds above `position`: told to the members where it goes on from there, else ``reset``."""
        stream = self.stream
        entries = [parsed(record) for record in records]
        if stream is not None and stream.epoch == epoch:
            for entry in entries:
                if not self.follow(entry):
                    break
            if stream.head >= head:
                self.ahead = None
                return
        self.stream = Stream(self.room, epoch, retain=self._retain, dedup=0)
        self.stream.restore(head, 0, _unbroken(entries, head), {})
        self.ahead = None
        if stream is not None and self.sink is not None:
            self.sink.reset(epoch, head, "gap" if stream.epoch == epoch else "epoch_changed")


def parsed(record: bytes) -> Entry:
    """The message of a record."""
    epoch, seq, ts, user, mid, payload = record.split(b" ", 5)
    shown = None if mid == b"." else mid.decode()
    return Entry(epoch.decode(), int(seq), int(ts), user.decode(), shown, payload)


def _unbroken(entries: Iterable[Entry], head: int) -> list[bytes]:
    """The payloads that end at head without a hole."""
    kept: list[bytes] = []
    last = None
    for entry in entries:
        if last is not None and entry.seq != last + 1:
            kept.clear()
        kept.append(entry.payload)
        last = entry.seq
    return kept if last == head else []
