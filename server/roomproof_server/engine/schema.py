"""The file a durable store is: its tables, how it is opened, and in what words it is refused.

A file that is damaged, newer than this version or somebody else's is refused and never written to. It must not
know batches, threads or engines.

What the tables promise:

* ``message`` holds exactly the last messages of every stream: a trigger deletes what falls out of the history in
  the same transaction, so that pages are used again and the file stops growing;
* ``room.used`` and ``guest.used`` are NULL while somebody is there, else the ms since 1970 at which the last one
  went; whoever was there when a process was killed went when the file is opened again;
* ``seen`` is the dedupe window in the order of arrival, for all rooms together: appended at one end, deleted at
  the other, read as a whole when the file is opened;
* ``store.batch`` counts commits: after a commit that failed halfway it tells whether it happened.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

APPLICATION = 0x726F6F6D  # "room": what `file` and this module know the file by
VERSION = 1
BUSY_SECONDS = 2.0
CHECKED_BYTES = 64 * 1024 * 1024  # a larger file is not read through at every start
WAL_PAGES = 1000  # of 4 KiB: then its pages go to the file, and it is written from its beginning again
WAL_BYTES = 8 * 1024 * 1024  # what an unusually large transaction may leave behind

TABLES = """
CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, batch INTEGER NOT NULL);
CREATE TABLE room (name TEXT PRIMARY KEY, epoch TEXT NOT NULL, used INTEGER) WITHOUT ROWID;
CREATE INDEX room_used ON room (used);
CREATE TABLE message (epoch TEXT, seq INTEGER, ts INTEGER NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (epoch, seq))
    WITHOUT ROWID;
CREATE TABLE seen (id INTEGER PRIMARY KEY, epoch TEXT NOT NULL, user TEXT NOT NULL, mid TEXT NOT NULL,
    seq INTEGER NOT NULL, ts INTEGER NOT NULL, digest BLOB NOT NULL, expires INTEGER NOT NULL);
CREATE TABLE guest (key BLOB PRIMARY KEY, id TEXT NOT NULL, used INTEGER) WITHOUT ROWID;
CREATE INDEX guest_used ON guest (used);
"""

# Of this connection and not of the file: how much history is kept is a setting.
TRIGGERS = """
CREATE TEMP TRIGGER history AFTER INSERT ON main.message BEGIN
    DELETE FROM message WHERE epoch = NEW.epoch AND seq <= NEW.seq - {history}; END;
CREATE TEMP TRIGGER forgotten AFTER DELETE ON main.room BEGIN DELETE FROM message WHERE epoch = OLD.epoch; END;
CREATE TEMP TRIGGER rolled AFTER UPDATE OF epoch ON main.room BEGIN DELETE FROM message WHERE epoch = OLD.epoch; END;
"""

CHOOSE = "choose another file with --store"
WORDS = {
    sqlite3.SQLITE_BUSY: f"another process has locked it; if that is a server, stop it, or {CHOOSE}",
    sqlite3.SQLITE_CORRUPT: f"it is damaged; put back a copy of it, or move it away, or {CHOOSE}; it was left as it is",
    sqlite3.SQLITE_NOTADB: f"it is not an SQLite database; {CHOOSE}; it was left as it is",
    sqlite3.SQLITE_READONLY: f"it can only be read; make it writable for this user, or {CHOOSE}",
    sqlite3.SQLITE_PERM: f"it may not be used by this user; change its owner or mode, or {CHOOSE}",
    sqlite3.SQLITE_FULL: f"its disk is full; make room there, or {CHOOSE}",
    sqlite3.SQLITE_CANTOPEN: f"it cannot be opened; check that its folder is there and writable, or {CHOOSE}",
    sqlite3.SQLITE_IOERR: f"its disk reports an error; check the disk, or {CHOOSE}",
}


class StoreError(Exception):
    """The file cannot be the store now; the text is one line: what, where, what to do."""


def open_file(path: Path, *, history: int, create: bool) -> sqlite3.Connection:
    """Open the store, alone; raise `StoreError`. With ``create`` a missing file is made and a small one checked.

    The lock is held as long as the connection is open, and gone with the process. All that an earlier process
    left in the write-ahead log is synced before this returns: nothing is told of it that could still be lost.
    """
    if path.is_dir():
        raise StoreError(f"cannot keep rooms in {path}: it is a folder; name a file in it with --store")
    if create and not path.parent.is_dir():
        raise StoreError(f"cannot keep rooms in {path}: its folder does not exist; make it, or {CHOOSE}")
    if not all(os.access(name, os.W_OK) for name in (path.parent, path) if name.exists()):
        raise StoreError(f"cannot keep rooms in {path}: {WORDS[sqlite3.SQLITE_READONLY]}")
    db: sqlite3.Connection | None = None
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode={'rwc' if create else 'rw'}"
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _prepare(db, path, history, create)
    except (sqlite3.Error, StoreError) as error:
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot keep rooms in {path}: {words(error)}") from None
    return db


def words(error: sqlite3.Error) -> str:
    """An error of SQLite as a reason and an advice."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return WORDS.get(code & 0xFF, f"SQLite says: {error}")


def _prepare(db: sqlite3.Connection, path: Path, history: int, create: bool) -> None:
    # Alone, so that no second server numbers the same rooms; and without the shared-memory file, a mapping of
    # which would kill the process when the disk goes away.
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    _identify(db, path)
    if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StoreError(f"cannot keep rooms in {path}: its file system takes no write-ahead log; {CHOOSE}")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    db.execute("PRAGMA temp_store = MEMORY")
    if create:
        if path.stat().st_size <= CHECKED_BYTES and (damage := db.execute("PRAGMA quick_check(1)").fetchone()) != (
            "ok",
        ):
            first = str(damage[0]).splitlines()[-1]
            raise StoreError(f"cannot keep rooms in {path}: {WORDS[sqlite3.SQLITE_CORRUPT]} ({first})")
        if not db.execute("PRAGMA user_version").fetchone()[0]:
            db.executescript(
                f"BEGIN; {TABLES} INSERT INTO store VALUES (1, '{secrets.token_hex(16)}', 0);"
                f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
            )
    if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise StoreError(f"cannot keep rooms in {path}: {WORDS[sqlite3.SQLITE_BUSY]}")
    # Less than one message is no history, but without it the number of the last one would be lost.
    db.executescript(TRIGGERS.format(history=max(1, history)))


def _identify(db: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not a store of this version, before anything is written."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not (application or version or tables):
        return
    if application != APPLICATION:
        raise StoreError(f"cannot keep rooms in {path}: it is the database of another program; {CHOOSE}")
    if version > VERSION:
        raise StoreError(
            f"cannot keep rooms in {path}: a newer version wrote it (format {version}, this one knows {VERSION}); "
            f"upgrade roomproof, or {CHOOSE}"
        )
