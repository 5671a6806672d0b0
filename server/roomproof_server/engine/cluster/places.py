"""Which server of Redis has which partition, and how to open a connection to it.

A single server has them all; Sentinels know which one is the master now; in a cluster each of the masters has some.
Sentinels and clusters are asked again every now and then, and when a server says that it is not in charge.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.crc import key_slot
from redis.exceptions import RedisError

from roomproof_server.engine.cluster.address import RedisStore
from roomproof_server.engine.cluster.keys import PARTITIONS, Keys
from roomproof_server.engine.cluster.link import _cut, ask

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

logger = logging.getLogger("roomproof.server")

Dial = Callable[[], Awaitable["AbstractConnection"]]


@dataclass(frozen=True, slots=True)
class Place:
    """A server by its name, and how to open a connection to it."""

    name: str
    dial: Dial


class Places:
    """``arrange`` is called with the places by partition whenever they are others; ``first`` serves until then."""

    def __init__(self, store: RedisStore, arrange: Callable[[list[Place]], None]) -> None:
        self._store, self._arrange = store, arrange
        self._hosts = list(store.hosts)
        self._wanted = asyncio.Event()
        self._slots = [key_slot(Keys(store.prefix).shard("m", number).encode()) for number in range(PARTITIONS)]
        self._known: list[tuple[str, int]] = []
        self.first = Place(str(store), self._dial_single if store.kind == "single" else self._dial_unknown)
        self._task: asyncio.Task[None] | None = None
        if store.kind != "single":
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def look(self) -> None:
        """Ask again, soon."""
        self._wanted.set()

    def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()

    async def _dial_single(self) -> AbstractConnection:
        return await connect(self._store, self._store.hosts[0] if self._store.hosts else None)

    async def _dial_unknown(self) -> AbstractConnection:
        raise ConnectionError("nobody has told yet which server is in charge")

    async def _watch(self) -> None:
        seek = self._master if self._store.kind == "sentinel" else self._masters
        while True:
            self._wanted.clear()
            if (found := await seek()) and found != self._known:
                self._known = found
                self._arrange([self._place(host) for host in found])
            await asyncio.sleep(0.1)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._store.times.check_ms / 1000 / (1 if found else 10)):
                    await self._wanted.wait()

    def _place(self, host: tuple[str, int]) -> Place:
        async def dial() -> AbstractConnection:
            return await connect(self._store, host)

        return Place(f"{self._store} at {host[0]}:{host[1]}", dial)

    async def _master(self) -> list[tuple[str, int]]:
        """Where the Sentinels say that the master is."""
        answer = await self._anybody("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._store.master or "")
        return [(answer[0].decode(), int(answer[1]))] * PARTITIONS if answer else []

    async def _masters(self) -> list[tuple[str, int]]:
        """Where the cluster says that each partition is, if it is somewhere."""
        answer = await self._anybody("CLUSTER", "SLOTS")
        ranges = [(low, high, (master[0].decode(), master[1])) for low, high, master, *_ in answer or ()]
        found = [next((host for low, high, host in ranges if low <= slot <= high), None) for slot in self._slots]
        places = [host for host in found if host is not None]
        self._hosts = list(dict.fromkeys([*places, *self._store.hosts]))
        return places if len(places) == PARTITIONS else []

    async def _anybody(self, *command: str) -> Any:
        """The answer of the first that gives one, None when nobody does."""
        # Sentinels have no databases, and passwords of their own, if any: those are not ours.
        plain = replace(self._store, db=0, username=None, password=None)
        for host in self._hosts:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    connection = await connect(plain if self._store.kind == "sentinel" else self._store, host)
                    try:
                        answer = await ask(connection, *command)
                    finally:
                        _cut(connection)
                    if answer:
                        return answer
        return None


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
