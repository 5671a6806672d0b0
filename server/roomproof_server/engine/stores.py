"""Which engine a ``--store`` names. The only place that knows them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from roomproof_protocol import Limits
from roomproof_server.engine.base import Engine
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.engine.sqlite import SqliteEngine

DEFAULT_FILE = "roomproof.db"  # in the current folder
ENDINGS = (".db", ".sqlite", ".sqlite3")


def parse_store(text: str) -> Path | None:
    """The file of ``memory`` (None), ``sqlite``, ``sqlite:FILE`` or ``FILE.db``. Raises ValueError: one line."""
    if text == "memory":
        return None
    scheme, colon, rest = text.partition(":")
    if scheme == "sqlite":
        return Path(rest or DEFAULT_FILE)
    if colon or Path(text).suffix not in ENDINGS:
        raise ValueError(f"{text!r} is not a store: expected memory, sqlite, sqlite:FILE, or FILE.db")
    return Path(text)


def open_engine(
    store: Path | None,
    limits: Limits,
    *,
    now: Callable[[], float],
    wall: Callable[[], int],
    post: Callable[[Callable[[], None]], object],
) -> Engine:
    """The engine on that file, or in memory; raises `StoreError` (one line) when the file cannot be the store.

    ``now`` gives monotonic ms, ``wall`` ms since 1970; ``post`` is the loop's ``call_soon_threadsafe``.
    """
    if store is None:
        return MemoryEngine(limits, now=now, wall=wall)
    return SqliteEngine(limits, store, now=now, wall=wall, post=post)
