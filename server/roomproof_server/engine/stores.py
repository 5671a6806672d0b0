"""Which engine a ``--store`` names. The only place that knows them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from roomproof_protocol import Limits
from roomproof_server.engine.base import Engine
from roomproof_server.engine.cluster.address import RedisStore, is_redis, parse_redis
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.engine.schema import StoreError
from roomproof_server.engine.sqlite import SqliteEngine

DEFAULT_FILE = "roomproof.db"  # in the current folder
ENDINGS = (".db", ".sqlite", ".sqlite3")


Store = Path | RedisStore | None
"""A file, a Redis, or memory."""


def parse_store(text: str) -> Store:
    """The store that ``memory``, ``sqlite``, ``sqlite:FILE``, ``FILE.db`` or ``redis://…`` names.

    Raises ValueError: one line.
    """
    if text == "memory":
        return None
    if is_redis(text):
        return parse_redis(text)
    scheme, colon, rest = text.partition(":")
    if scheme == "sqlite":
        return Path(rest or DEFAULT_FILE)
    if colon or Path(text).suffix not in ENDINGS:
        raise ValueError(f"{text!r} is not a store: expected memory, sqlite, sqlite:FILE, FILE.db, or redis://…")
    return Path(text)


def open_engine(
    store: Store,
    limits: Limits,
    *,
    now: Callable[[], float],
    wall: Callable[[], int],
    post: Callable[[Callable[[], None]], object],
) -> Engine:
    """The engine on that file or Redis, or in memory; raises `StoreError` (one line) when that cannot be the store.

    ``now`` gives monotonic ms, ``wall`` ms since 1970; ``post`` is the loop's ``call_soon_threadsafe``.
    """
    if store is None:
        return MemoryEngine(limits, now=now, wall=wall)
    if isinstance(store, RedisStore):
        return _redis(store, limits, now)
    return SqliteEngine(limits, store, now=now, wall=wall, post=post)


def _redis(store: RedisStore, limits: Limits, now: Callable[[], float]) -> Engine:
    # Only who keeps rooms there pays for the library, and only who does needs it.
    try:
        from roomproof_server.engine.cluster.engine import RedisEngine
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "redis":
            raise
        raise StoreError(
            f"cannot keep rooms in {store}: install roomproof[server], which has the library redis"
        ) from None
    return RedisEngine(limits, store, now=now)
