"""The one thread that touches the file: it takes a batch, commits it, and says what became of it.

A batch is one transaction, synced: what it stores, what it reads, and what is over. Rows go in with few large
statements, because after each one the thread waits for its turn in the interpreter, which a busy loop gives it
only every few milliseconds. It must not know rooms, members or what a message means.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from roomproof_server.engine.schema import StoreError, open_file, words

logger = logging.getLogger("roomproof.server")

# How many rows one statement takes, by what is left; SQLite allows 32,766 values in one.
SIZES = (256, 32, 4, 1)
FORGET_ROOMS = 100  # at once, with up to a hundred messages each
FORGET_GUESTS = 1000
FORGET_SEEN = 1000


@dataclass(slots=True)
class Batch:
    """What one transaction does, in this order. Times are ms since 1970."""

    wall: int = 0
    room_used: dict[str, int | None] = field(default_factory=dict)
    guest_used: dict[bytes, int | None] = field(default_factory=dict)
    guests: list[tuple[bytes, str]] = field(default_factory=list)  # key, id
    rooms: list[tuple[str, str]] = field(default_factory=list)  # name, epoch: a new stream, in place of any other
    messages: list[tuple[str, int, int, str]] = field(default_factory=list)  # epoch, seq, ts, payload
    seen: list[tuple[str, str, str, int, int, bytes, int]] = field(default_factory=list)  # as in the table
    loads: list[str] = field(default_factory=list)  # rooms that are wanted, and in use from now on
    finds: list[bytes] = field(default_factory=list)  # guests likewise
    tidy: int | None = None  # forget what is over at this time


B = TypeVar("B", bound=Batch)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stored room."""

    epoch: str
    head: int
    ts: int
    payloads: list[bytes]


@dataclass(frozen=True, slots=True)
class SeenRow:
    """A row of the dedupe window; ``expires`` in ms since 1970."""

    user: str
    mid: str
    seq: int
    ts: int
    digest: bytes
    expires: int


class Outcome(Enum):
    """What became of a batch."""

    KEPT = auto()
    FAILED = auto()  # nothing of it was stored
    DOUBTFUL = auto()  # nobody knows; a later `Report.settled` will tell


@dataclass(slots=True)
class Report:
    """The end of a batch. ``settled``: an earlier doubtful one is known to be stored, or not, from now on.

    A room or guest that is not named was not read; one that is None is not stored, or was over.
    """

    outcome: Outcome
    settled: bool | None = None
    rooms: dict[str, Loaded | None] = field(default_factory=dict)
    guests: dict[bytes, str | None] = field(default_factory=dict)


class Writer(Generic[B]):
    """The thread and its file. ``report`` is called in the thread, once for each batch, in order."""

    def __init__(
        self, path: Path, *, history: int, room_ttl: int, guest_ttl: int, report: Callable[[B, Report], object]
    ) -> None:
        self._path, self._history = path, history
        self._room_ttl, self._guest_ttl = room_ttl, guest_ttl
        self._report = report
        self._queue: SimpleQueue[B | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._db: sqlite3.Connection | None = None
        self._place: object = None
        self._id, self._number = "", 0  # of the store, and of its last batch
        self._doubt = False
        self._failing = False
        self._damaged: set[str] = set()

    def start(self, wall: int) -> dict[str, list[SeenRow]]:
        """Open the file and start; returns the dedupe window by epoch. Raises `StoreError`."""
        self._db = db = open_file(self._path, history=self._history, create=True)
        try:
            self._id, self._number = db.execute("SELECT id, batch FROM store").fetchone()
            self._place = self._where()
            db.execute("BEGIN")
            # Who was there when the last process ended went now; a clock that was ahead is not believed.
            for table in ("room", "guest"):
                db.execute(f"UPDATE {table} SET used = ?1 WHERE used IS NULL OR used > ?1", (wall,))
            db.execute("DELETE FROM seen WHERE expires <= ?", (wall,))
            db.execute("COMMIT")
            window: dict[str, list[SeenRow]] = {}
            for epoch, *row in db.execute("SELECT epoch, user, mid, seq, ts, digest, expires FROM seen ORDER BY id"):
                window.setdefault(epoch, []).append(SeenRow(*row))
        except (sqlite3.Error, OSError) as error:
            self._let_go()
            reason = words(error) if isinstance(error, sqlite3.Error) else error.strerror
            raise StoreError(f"cannot keep rooms in {self._path}: {reason}") from None
        self._thread.start()
        return window

    def submit(self, batch: B) -> None:
        """Have a batch carried out."""
        self._queue.put(batch)

    def stop(self) -> None:
        """Carry out what was submitted, move the log into the file, close it and end the thread."""
        self._queue.put(None)
        self._thread.join()

    # In the thread

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            self._report(batch, self._attempt(batch))
        self._let_go()

    def _attempt(self, batch: B) -> Report:
        report = Report(Outcome.KEPT)
        try:
            if self._db is None:
                self._db = self._reopen(report)
            if self._where() != self._place:
                raise StoreError("the file was moved or deleted, or its disk is gone")
            db = self._db
            db.execute("BEGIN")
            before = db.total_changes
            self._apply(db, batch, report)
            # A store that failed has to show that it can be written to before it counts as working again.
            wrote = self._failing or db.total_changes != before
            if wrote:
                db.execute("UPDATE store SET batch = ?", (self._number + 1,))
        except Exception as error:  # whatever it is, the thread has to live and the batch to be answered
            return self._failed(error, report.settled)
        try:
            db.execute("COMMIT")
        except sqlite3.Error as error:
            return self._committed_or_not(error, report.settled)
        self._number += wrote
        if self._failing:
            self._failing = False
            logger.warning("the store %s works again", self._path)
        return report

    def _failed(self, error: Exception, settled: bool | None) -> Report:
        self._let_go()
        self._note(error)
        return Report(Outcome.FAILED, settled)

    def _committed_or_not(self, error: sqlite3.Error, settled: bool | None) -> Report:
        """SQLite could not finish the commit: look at the file before anything is said."""
        self._let_go()
        self._note(error)
        self._doubt = True
        verdict = Report(Outcome.DOUBTFUL, settled)
        try:
            self._db = self._reopen(verdict)
        except (sqlite3.Error, OSError, StoreError):
            return verdict
        verdict.outcome = Outcome.KEPT if verdict.settled else Outcome.FAILED
        verdict.settled = settled
        return verdict

    def _reopen(self, report: Report) -> sqlite3.Connection:
        """Open the same file again, and settle the doubt; nothing is created."""
        db = open_file(self._path, history=self._history, create=False)
        try:
            store, number = db.execute("SELECT id, batch FROM store").fetchone()
            kept = number - self._number
            if store != self._id or kept not in ((0, 1) if self._doubt else (0,)):
                raise StoreError("another file has taken its place: put the right one back, or start the server again")
            self._place = self._where()
        except BaseException:
            db.close()
            raise
        if self._doubt:
            self._doubt, report.settled = False, bool(kept)
            self._number = number
        return db

    def _where(self) -> object:
        """What the file's names stand for: an open file can be deleted, and be written to all the same."""
        stats = [os.stat(name) for name in (self._path, f"{self._path}-wal")]
        return [(stat.st_dev, stat.st_ino) for stat in stats]

    def _let_go(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _note(self, error: Exception) -> None:
        """Say it once, not for every batch."""
        if not self._failing:
            self._failing = True
            reason = words(error) if isinstance(error, sqlite3.Error) else error
            logger.error("the store %s fails, clients are told unavailable until it works: %s", self._path, reason)

    def _apply(self, db: sqlite3.Connection, batch: Batch, report: Report) -> None:
        mark = "AS new WHERE {0} = new.column1"
        if batch.room_used:
            _bulk(db, "UPDATE room SET used = new.column2 FROM (VALUES", ")" + mark.format("room.name"),
                  batch.room_used.items())  # fmt: skip
        if batch.guest_used:
            _bulk(db, "UPDATE guest SET used = new.column2 FROM (VALUES", ")" + mark.format("guest.key"),
                  batch.guest_used.items())  # fmt: skip
        _bulk(db, "INSERT INTO guest (key, id) VALUES", "", batch.guests)
        _bulk(db, "INSERT INTO room (name, epoch) VALUES",
              "ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, used = NULL", batch.rooms)  # fmt: skip
        _bulk(db, "INSERT INTO message VALUES", "", batch.messages)
        if batch.seen:
            _bulk(db, "INSERT INTO seen (epoch, user, mid, seq, ts, digest, expires) VALUES", "", batch.seen)
            self._forget_seen(db, batch.wall, 2 * len(batch.seen))
        for room in batch.loads:
            self._load(db, room, batch.wall, report)
        for key in batch.finds:
            row = db.execute(
                "UPDATE guest SET used = NULL WHERE key = ? AND (used IS NULL OR used > ?) RETURNING id",
                (key, batch.wall - self._guest_ttl),
            ).fetchall()
            report.guests[key] = row[0][0] if row else None
        if batch.tidy is not None:
            for table, name, ttl, most in (
                ("room", "name", self._room_ttl, FORGET_ROOMS),
                ("guest", "key", self._guest_ttl, FORGET_GUESTS),
            ):
                over = f"SELECT {name} FROM {table} WHERE used <= ? LIMIT {most}"
                db.execute(f"DELETE FROM {table} WHERE {name} IN ({over})", (batch.tidy - ttl,))
            self._forget_seen(db, batch.tidy, FORGET_SEEN)

    def _load(self, db: sqlite3.Connection, room: str, wall: int, report: Report) -> None:
        """Read a room. One that is damaged is not read, which is no reason to refuse the others."""
        try:
            found = db.execute(
                "UPDATE room SET used = NULL WHERE name = ? AND (used IS NULL OR used > ?) RETURNING epoch",
                (room, wall - self._room_ttl),
            ).fetchall()
            if not found:
                db.execute("DELETE FROM room WHERE name = ?", (room,))
                report.rooms[room] = None
                return
            ((epoch,),) = found
            # One row for all messages: each row more would be one more wait for the interpreter.
            count, first, head, ts, payloads = db.execute(
                "SELECT count(*), min(seq), max(seq), max(ts), group_concat(payload, char(10))"
                " FROM (SELECT seq, ts, payload FROM message WHERE epoch = ? ORDER BY seq)",
                (epoch,),
            ).fetchone()
            if count and head - first + 1 == count:
                report.rooms[room] = Loaded(epoch, head, ts, payloads.encode().split(b"\n"))
                return
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
        if room not in self._damaged:
            self._damaged.add(room)
            logger.error("the store %s is damaged, room %s cannot be read; put back a copy of it", self._path, room)

    @staticmethod
    def _forget_seen(db: sqlite3.Connection, wall: int, most: int) -> None:
        oldest = f"SELECT id FROM seen ORDER BY id LIMIT {most}"
        db.execute(f"DELETE FROM seen WHERE id IN ({oldest}) AND expires <= ?", (wall,))


def _bulk(db: sqlite3.Connection, head: str, tail: str, rows: Iterable[Sequence[Any]]) -> None:
    """Execute ``head (?, …), (?, …) tail`` over all rows, many at a time."""
    left = list(rows)
    start = 0
    for size in SIZES:
        while len(left) - start >= size:
            values = tuple(chain.from_iterable(left[start : start + size]))
            db.execute(_statement(head, tail, size, len(left[0])), values)
            start += size


@cache
def _statement(head: str, tail: str, rows: int, columns: int) -> str:
    row = f"({','.join('?' * columns)})"
    return f"{head} {','.join([row] * rows)} {tail}"
