"""One node: its listener, its clock, its timer, and what all its connections share."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable

from roomproof_protocol import CLOSES
from roomproof_server.engine.base import Engine
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Hub
from roomproof_server.settings import Settings
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.wheel import SLOT_MS, Wheel
from roomproof_server.shell.wire import text_frame

logger = logging.getLogger("roomproof.server")

# The kernel would take up to 4 MB for a client that does not read, before its queue shows here.
SEND_BUFFER = 256 * 1024
STOP_SECONDS = 2.0


def monotonic_ms() -> float:
    """``now`` of the rules."""
    return time.monotonic() * 1000


def wall_ms() -> int:
    """``wall`` of the rules."""
    return int(time.time() * 1000)


class Server:
    """A running node. Make it inside the event loop that it will live in."""

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = monotonic_ms
        self.engine = engine or MemoryEngine(settings.limits, now=monotonic_ms, wall=wall_ms)
        self.hub = Hub(self.engine, settings, frame=text_frame, wall=wall_ms)
        self.wheel = Wheel(self.now())
        self.connections: set[Connection] = set()
        self.stopping = False
        self._dirty: list[Connection] = []
        self._empty = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port; 0 takes a free one. Raises OSError when that cannot be."""
        self._listener = await self.loop.create_server(
            lambda: Connection(self), host, port, backlog=1024, start_serving=False
        )
        for listening in self._listener.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        await self._listener.start_serving()
        self._turn()
        taken: int = self._listener.sockets[0].getsockname()[1]
        return taken

    async def stop(self) -> None:
        """Close the listener and say 1001 to everybody; who has not gone after two seconds is cut off."""
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        self._empty.clear()
        for connection in list(self.connections):
            connection.close(1001, CLOSES[1001].reason())
        try:
            if self.connections:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._empty.wait()
        except TimeoutError:
            for connection in list(self.connections):
                connection.abort()
            await asyncio.sleep(0)  # one turn, in which the transports report their loss
        if self._timer is not None:
            self._timer.cancel()

    def forget(self, connection: Connection) -> None:
        """The connection is lost."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def flush_later(self, connection: Connection) -> None:
        """The connection has something to write: once for all that this turn of the loop brings."""
        if not self._dirty:
            self.loop.call_soon(self._flush)
        self._dirty.append(connection)

    def tick(self) -> bytes:
        """A ``tick`` of now, framed."""
        return self.hub.encode_frame({"type": "tick", "now": self.hub.wall()})

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()

    def _turn(self) -> None:
        self._timer = self.loop.call_later(SLOT_MS / 1000, self._turn)
        self.wheel.turn(self.now())
        self.engine.sweep()
