"""How to open a connection to the Redis of a `RedisStore`, whichever server that is just now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from roomproof_server.engine.cluster.address import RedisStore

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

Dial = Callable[[], Awaitable["AbstractConnection"]]


def dialler(store: RedisStore) -> Dial:
    """Opens connections to a single server."""

    async def dial() -> AbstractConnection:
        host = store.hosts[0] if store.hosts else None
        return await connect(store, host)

    return dial


async def connect(store: RedisStore, host: tuple[str, int] | None) -> AbstractConnection:
    """A connection to one server, logged in. Raises `redis.RedisError` or OSError."""
    # Answers may take their time on a bus; who waits for one looks at the clock.
    options: dict[str, Any] = {
        "db": store.db, "username": store.username, "password": store.password, "protocol": 2,
        "socket_timeout": None, "socket_connect_timeout": store.times.reply_ms / 1000, "client_name": "roomproof",
    }  # fmt: skip
    connection: AbstractConnection
    if host is None:
        connection = UnixDomainSocketConnection(path=store.path or "", **options)
    else:
        kind = SSLConnection if store.tls else Connection
        connection = kind(host=host[0], port=host[1], **options)
    await cast("Any", connection).connect()  # which the library leaves untyped
    return connection
