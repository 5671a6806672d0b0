"""The engine that keeps rooms in one file: every answer about a message waits for the commit that holds it.

Decisions are those of the memory engine, made at once and in order: dedupe, quota and number when a request comes.
What is to be stored gathers in a batch; while one batch is being committed the next one gathers, and a lone
message is committed at once. Rooms are fetched from the file when somebody asks for them and leave memory when
nobody is there and their dedupe window is over. Presence and quotas are of this process.

When a commit fails its messages were never there: numbers and mids are free again. When nobody knows whether it
failed, they stay taken and sending is refused until the file tells (`Report.settled`). It must not know SQL.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from roomproof_protocol import Limits
from roomproof_server.engine.base import (
    Conflict,
    Done,
    Durability,
    Guest,
    Limited,
    Member,
    Sink,
    Stored,
    T,
    Unavailable,
)
from roomproof_server.engine.memory import GuestState, MemoryEngine, RoomState, guest_key, make_guest
from roomproof_server.engine.writer import Batch, Loaded, Outcome, Report, SeenRow, Writer
from roomproof_server.rules.stream import Entry, Seen, Stream

TIDY_MS = 1000
# A callback and what to tell it when the store did its part; else it is told Unavailable.
Answer = tuple[Callable[[Any], None], Any]


@dataclass(slots=True)
class _Work(Batch):
    """A batch, and who waits for it."""

    staged: list[tuple[RoomState, Stream]] = field(default_factory=list)  # as `messages`
    seekers: dict[bytes, list[tuple[str, Done[Guest | Unavailable | None]]]] = field(default_factory=dict)
    made: list[tuple[Guest, Done[Guest | Unavailable]]] = field(default_factory=list)

    @property
    def awaited(self) -> bool:
        """Somebody waits; the rest has time."""
        return bool(self.messages or self.guests or self.loads or self.finds)


class SqliteEngine(MemoryEngine):
    """An `roomproof_server.engine.base.Engine` on a file. Raises `StoreError` if that cannot be the store.

    ``now`` gives monotonic ms, ``wall`` ms since 1970. ``post`` has a callback called soon, on the thread that
    all other calls come from; it is called from any thread.
    """

    def __init__(
        self,
        limits: Limits,
        path: Path,
        *,
        now: Callable[[], float],
        wall: Callable[[], int],
        post: Callable[[Callable[[], None]], object],
    ) -> None:
        super().__init__(limits, now=now, wall=wall)
        # Past its dedupe window, and without anybody in grace, a room can be read again as it was.
        self._rest_ms = min(limits.room_ttl_ms, max(limits.dedup_ms, limits.presence_grace_ms))
        self._post = post
        self._offset = wall() - now()  # a step of the wall clock must not age what is stored
        self._writer: Writer[_Work] = Writer(
            path,
            history=limits.history,
            room_ttl=limits.room_ttl_ms,
            guest_ttl=limits.guest_ttl_ms,
            report=lambda work, report: post(partial(self._reported, work, report)),
        )
        self._next = _Work()
        self._scheduled = self._running = self._closed = False
        self._unloaded: dict[str, list[tuple[Callable[[RoomState], None], Done[Unavailable]]]] = {}
        self._pending: dict[tuple[str, int], list[Answer]] = {}  # by (epoch, seq) of staged messages
        self._doubt: list[tuple[RoomState, Stream]] | None = None
        self._usable = True  # the last batch was kept
        self._tidied = now()
        self._windows = self._writer.start(self._age())
        self._windows_end = now() + limits.dedup_ms

    @property
    def durability(self) -> Durability:
        return "disk"

    @property
    def usable(self) -> bool:
        return self._usable

    @property
    def busy(self) -> bool:
        """An answer is owed, or something is on its way to the file."""
        return self._scheduled or self._running

    def subscribe(self, room: str, sink: Sink) -> None:
        super().subscribe(room, sink)
        if self._rooms[room].stream.head:
            self._next.room_used[room] = None

    def publish(
        self,
        room: str,
        member: Member,
        text: str,
        mid: str | None,
        done: Done[Stored | Conflict | Limited | Unavailable],
    ) -> None:
        if self._doubt is None:
            super().publish(room, member, text, mid, done)
        else:
            done(Unavailable())

    def new_guest(self, done: Done[Guest | Unavailable]) -> None:
        guest = make_guest()
        self._next.guests.append((guest_key(guest.token), guest.id))
        self._next.made.append((guest, done))
        self._wake()

    def find_guest(self, token: str, done: Done[Guest | Unavailable | None]) -> None:
        key = guest_key(token)
        if record := self._guests.get(key):
            record.uses += 1
            done(Guest(record.id, token))
            return
        if key not in self._next.seekers:
            self._next.finds.append(key)
        self._next.seekers.setdefault(key, []).append((token, done))
        self._wake()

    def release_guest(self, token: str) -> None:
        key = guest_key(token)
        record = self._guests[key]
        record.uses -= 1
        if not record.uses:
            del self._guests[key]
            self._next.guest_used[key] = self._age()

    def sweep(self) -> None:
        super().sweep()
        now = self._now()
        if now >= self._windows_end:
            self._windows.clear()
        if now - self._tidied >= TIDY_MS:  # what is over, marks nobody waits for, and whether a lost file is back
            self._tidied = now
            self._next.tidy = math.floor(now + self._offset)
            self._wake()

    def close(self) -> None:
        """Keep what was accepted, move the log into the file and end the thread."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._writer.stop()

    # Rooms come and go

    def _with(self, room: str, step: Callable[[RoomState], None], done: Done[Unavailable]) -> None:
        state = self._room(room)
        waiting = self._unloaded.get(room)
        if waiting is None:
            step(state)
            return
        if not waiting:
            self._next.loads.append(room)
            self._wake()
        waiting.append((step, done))

    def _room(self, room: str) -> RoomState:
        if room not in self._rooms:
            self._unloaded[room] = []
        return super()._room(room)

    def _drop(self, room: str) -> None:
        state = self._rooms[room]
        if self._unloaded.get(room) or state.stream.unsettled:
            self._rest(state)  # the store is slow
            return
        super()._drop(room)
        self._unloaded.pop(room, None)

    def _rest(self, state: RoomState) -> None:
        super()._rest(state)
        if state.stream.head:
            self._next.room_used[state.stream.room] = self._age()

    def _load(self, room: str, loaded: Loaded | None) -> None:
        state = self._rooms[room]
        if loaded is not None:
            state.stream = Stream(room, loaded.epoch, retain=self._limits.history, dedup=self._limits.dedup_ms)
            window = {(row.user, row.mid): self._seen(row) for row in self._windows.pop(loaded.epoch, ())}
            state.stream.restore(loaded.head, loaded.ts, loaded.payloads, window)
        for step, _ in self._unloaded.pop(room):
            step(state)
        if state.sink is None:
            self._rest(state)

    def _not_loaded(self, room: str) -> None:
        waiting, self._unloaded[room] = self._unloaded[room], []
        if self._rooms[room].sink is None:
            self._rest(self._rooms[room])
        for _, done in waiting:
            done(Unavailable())

    def _seen(self, row: SeenRow) -> Seen:
        """A row with the time it has left; a wall clock that was set in between cannot make that longer."""
        left = min(row.expires - self._offset - self._now(), self._limits.dedup_ms)
        return Seen(self._now() + left, row.seq, row.ts, row.digest)

    # Messages

    def _keep(self, state: RoomState, entry: Entry) -> None:
        work, stream = self._next, state.stream
        if entry.seq == 1:
            work.rooms.append((stream.room, entry.epoch))
        work.messages.append((entry.epoch, entry.seq, entry.ts, entry.payload.decode()))
        work.staged.append((state, stream))
        if entry.mid is not None and (seen := stream.seen(entry.user, entry.mid, self._now())):
            expires = math.ceil(seen.expires + self._offset)
            work.seen.append((entry.epoch, entry.user, entry.mid, entry.seq, entry.ts, seen.digest, expires))
        self._pending[entry.epoch, entry.seq] = []
        self._wake()

    def _after(self, stream: Stream, seq: int, answer: T, done: Done[T | Unavailable]) -> None:
        answers = self._pending.get((stream.epoch, seq))
        if answers is None:
            done(answer)
        else:
            answers.append((done, answer))

    # Batches

    def _age(self) -> int:
        """Now, as the file counts: up, so that nothing is over there before it is here."""
        return math.ceil(self._now() + self._offset)

    def _wake(self) -> None:
        """Hand the batch over in the next turn, with all that this turn brings, unless one is on its way."""
        if not self.busy:
            self._scheduled = True
            self._post(self._hand_over)

    def _hand_over(self) -> None:
        self._scheduled, self._running = False, True
        work, self._next = self._next, _Work()
        work.wall = math.floor(self._now() + self._offset)
        self._writer.submit(work)

    def _reported(self, work: _Work, report: Report) -> None:
        self._running = False
        self._usable = report.outcome is Outcome.KEPT
        if report.settled is not None:
            self._settle(report.settled)
        if report.outcome is Outcome.KEPT:
            if self._next.awaited:
                self._hand_over()  # the file works while we tell
            for state, stream in work.staged:
                self._told(state, stream)
            for guest, done in work.made:
                self._guests[guest_key(guest.token)] = GuestState(guest.id, uses=1)
                done(guest)
        else:
            self._take_back(work, doubtful=report.outcome is Outcome.DOUBTFUL)
        for room in work.loads:
            if room in report.rooms:
                self._load(room, report.rooms[room])
            else:
                self._not_loaded(room)
        for key, seekers in work.seekers.items():
            for token, done in seekers:
                self._found(key, token, done, report)
        if self._next.awaited:
            self._wake()

    def _told(self, state: RoomState, stream: Stream) -> None:
        """The oldest staged message is in the file: the room hears it, then who waits for it."""
        entry = self._kept(state, stream)
        for done, answer in self._pending.pop((entry.epoch, entry.seq), ()):
            done(answer)
        if state.sink is None:
            self._rest(state)

    def _found(self, key: bytes, token: str, done: Done[Guest | Unavailable | None], report: Report) -> None:
        if key not in report.guests:
            done(Unavailable())
        elif (guest := report.guests[key]) is None:
            done(None)
        else:
            self._guests.setdefault(key, GuestState(guest, uses=0)).uses += 1
            done(Guest(guest, token))

    def _take_back(self, work: _Work, *, doubtful: bool) -> None:
        """The batch failed. The messages behind it have to go too, or they would leave a hole."""
        later = self._next
        if doubtful:
            self._doubt = work.staged
        taken: dict[Stream, int] = {stream: 0 for _, stream in (*work.staged, *later.staged)}
        for _, stream in work.staged if doubtful else ():
            taken[stream] += 1
        for stream, keep in taken.items():
            stream.rollback(keep)
        later.rooms, later.messages, later.seen, later.staged = [], [], [], []
        later.room_used = work.room_used | later.room_used
        later.guest_used = work.guest_used | later.guest_used
        pending, self._pending = self._pending, {}
        for answers in pending.values():
            for done, _ in answers:
                done(Unavailable())
        for _, done in work.made:
            done(Unavailable())

    def _settle(self, kept: bool) -> None:
        """The file tells at last whether the doubtful batch is in it."""
        doubt, self._doubt = self._doubt or [], None
        for state, stream in doubt:
            if kept:
                self._told(state, stream)
            else:
                stream.rollback()
