"""One node: its listener, its clock, its timer, and what all its connections share."""

from __future__ import annotations

import asyncio
import http
import logging
import random
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Response

from roomproof_protocol import CLOSES
from roomproof_server.engine.base import Engine
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Hub
from roomproof_server.rules.address import FORWARDING, Addresses, Client
from roomproof_server.rules.identity import Verify
from roomproof_server.settings import Settings
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.deflate import Deflaters
from roomproof_server.shell.listen import remove_unix_socket, unix_socket
from roomproof_server.shell.log import Refusals, tell
from roomproof_server.shell.pages import Pages, plain
from roomproof_server.shell.wheel import SLOT_MS, Wheel
from roomproof_server.shell.wire import text_frame

# The kernel would take up to 4 MB for a client that does not read, before its queue shows here.
SEND_BUFFER = 256 * 1024
BACKLOG = 1024
ACCEPTS = 64  # per turn of the loop, which takes the backlog for both
STOP_SECONDS = 2.0
# What one connection may bring per turn of the loop: small, or a flood of frames holds everybody up.
READ_BYTES = 4096
SPARE = 256  # connections above the most that still get an answer: 503, or a page
RECONNECT_MS = 1_000  # the least time over which the clients of a draining server come back
PROXY_TOLD_MS = 3_600_000
LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1", None)
FULL_WAIT_S = 5  # section 5 has clients back off at least that long from an overloaded server


def monotonic_ms() -> float:
    """``now`` of the rules."""
    return time.monotonic() * 1000


def wall_ms() -> int:
    """``wall`` of the rules."""
    return int(time.time() * 1000)


def _verifier(settings: Settings) -> Verify | None:
    if settings.jwt is None:
        return None
    from roomproof_server.auth.tokens import token_verifier  # which takes a while to import

    return token_verifier(settings.jwt, now=monotonic_ms, wall=wall_ms)


class Server:
    """A running node. Make it inside the event loop that it will live in.

    Raises `roomproof_server.auth.keys.KeyFault` where the key for tokens cannot be used.
    """

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = monotonic_ms
        self.engine = engine or MemoryEngine(settings.limits, now=monotonic_ms, wall=wall_ms)
        self.hub = Hub(
            self.engine, settings, frame=text_frame, wall=wall_ms, now=self.now, later=self.later,
            verify=_verifier(settings),
        )  # fmt: skip
        self.wheel = Wheel(self.now())
        self.connections: set[Connection] = set()
        self.addresses = Addresses(settings)
        self._parting: list[tuple[float, Connection]] = []  # who is closed when, the last first: draining, or isolated
        self._isolated = False
        self._staying: set[Connection] = set()
        self._parted = asyncio.Event()  # the last of them has gone
        self._proxy_told = 0.0
        # All connections read into it, one at a time. A view, because asyncio's TLS fills slices of it.
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.deflaters = Deflaters()
        self.ready: dict[str, Callable[[], bool]] = {
            "draining": lambda: not self.hub.draining,
            "store": lambda: self.engine.usable,
        }
        self.pages = Pages(self.readiness, self._figures)
        self._refusals = Refusals(self.hub.counters, self.now())
        self.stopping = False
        self._dirty: list[Callable[[], None]] = []  # what has something to write
        self._empty = asyncio.Event()
        self._listeners: list[asyncio.Server] = []
        self._unix: tuple[Path, int] | None = None
        self._turn_began = self._expected = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None, *, reuse_port: bool = False) -> int:
        """Listen, and return the port; 0 takes a free one, ``reuse_port`` one that others have.

        Raises OSError when that cannot be.
        """
        listener = await self.loop.create_server(
            lambda: Connection(self), host, port, backlog=ACCEPTS, start_serving=False, ssl=tls,
            reuse_port=reuse_port or None,
            ssl_handshake_timeout=self.settings.handshake_ms / 1000 if tls else None,
        )  # fmt: skip
        await self._serve(listener)
        taken: int = listener.sockets[0].getsockname()[1]
        return taken

    async def start_unix(self, path: Path, mode: int) -> None:
        """Listen at a name in the file system, too, without TLS. Raises OSError when that cannot be."""
        sock, inode = unix_socket(path, mode)
        self._unix = path, inode
        await self._serve(
            await self.loop.create_unix_server(
                lambda: Connection(self), sock=sock, backlog=ACCEPTS, start_serving=False
            )
        )

    async def _serve(self, listener: asyncio.Server) -> None:
        for listening in listener.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        await listener.start_serving()
        for listening in listener.sockets:
            with socket.socket(fileno=listening.dup().detach()) as same:
                same.listen(BACKLOG)
        self._listeners.append(listener)
        if self._timer is None:
            self._expected = self.loop.time()
            self._turn()

    async def drain(self) -> None:
        """Tell everybody, send them away one after the other over ``drain_ms``, then `stop` (DISC-5).

        Meanwhile the listener stays, for /readyz and to answer handshakes with 503.
        """
        self.hub.draining = True
        window = self.settings.drain_ms
        spread = max(window, RECONNECT_MS)
        staying = [one for one in self.connections if one.draining(random.randrange(spread))]
        random.shuffle(staying)
        began = self.now()
        self._parting = [(began + window * n / len(staying), one) for n, one in enumerate(staying, 1)][::-1]
        self._staying = set(staying)
        if staying:
            self._parted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(window / 1000):
                    await self._parted.wait()
        await self.stop()

    async def stop(self) -> None:
        """Close the listener and say 1001 to everybody; who has not gone after two seconds is cut off."""
        self.stopping = self.hub.draining = True
        for listener in self._listeners:
            listener.close()
        if self._unix is not None:
            remove_unix_socket(*self._unix)
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

    def readiness(self) -> dict[str, bool]:
        """What /readyz asks, by name; add to `ready` what else has to be fine."""
        return {name: fine() for name, fine in self.ready.items()}

    def _figures(self) -> tuple[str, bytes]:
        # Who is never asked never pays for the library, which is a fifth of the time that a start takes.
        from roomproof_server.shell.metrics import CONTENT_TYPE, Metrics

        return CONTENT_TYPE, Metrics(self).text()

    def has_room(self) -> bool:
        """Whether another TCP connection is taken at all."""
        # One may have been accepted before the listener closed, and be heard of only now.
        return not self.stopping and len(self.connections) < self.settings.max_connections + SPARE

    def client(self, peer: str | None, headers: Headers) -> Client:
        """The client behind a TCP peer, None for a unix socket, as far as the headers are believed."""
        settings = self.settings
        client = self.addresses.client(peer, headers.get_all(settings.forwarded_header))
        # Very likely a proxy: to this server all who come through it are one, and on loopback without limits.
        if peer in LOOPBACK and not settings.trusted_proxies and any(name in headers for name in FORWARDING):
            now = self.now()
            if now >= self._proxy_told:
                self._proxy_told = now + PROXY_TOLD_MS
                tell(logging.WARNING, "forwarding header not believed", advice="name the proxy with --trusted-proxy")
        return client

    def bearer(self, headers: Headers) -> str | None:
        """The token of an Authorization header, where that is looked at (AUTH-1)."""
        if self.settings.jwt is None or not self.settings.jwt.header:
            return None
        values = headers.get_all("Authorization")
        scheme, _, token = values[0].strip().partition(" ") if len(values) == 1 else ("", "", "")
        return token.strip() or None if scheme.lower() == "bearer" else None

    def refusal(self, client: Client) -> Response | None:
        """What a handshake gets that is fine in itself, but cannot be taken now."""
        status = http.HTTPStatus.SERVICE_UNAVAILABLE
        if self.hub.draining:
            why = "this server is going away"
        elif self.addresses.is_full(client):
            status, why = http.HTTPStatus.TOO_MANY_REQUESTS, "too many connections from this address"
        elif len(self.connections) > self.settings.max_connections:
            why = "too many connections"
        else:
            return None
        return plain(status, f"{why}; try again later\n", Retry_After=str(FULL_WAIT_S))

    def forget(self, connection: Connection) -> None:
        """The connection is lost."""
        self.connections.discard(connection)
        self._staying.discard(connection)
        if not self._staying:
            self._parted.set()
        if not self.connections:
            self._empty.set()

    def later(self, delay: float, call: Callable[[], None]) -> None:
        """Have it called in so many ms, or for 0 once all that this turn of the loop brings is there."""
        if delay > 0:
            self.loop.call_later(delay / 1000, call)
            return
        if not self._dirty:
            self._turn_began = self.now()
            self.loop.call_soon(self._flush)
        self._dirty.append(call)

    def tick(self) -> bytes:
        """A ``tick`` of now, framed."""
        return self.hub.encode_frame({"type": "tick", "now": self.hub.wall()})

    def _isolate(self, now: float) -> None:
        """The engine was away for long: send everybody to another node, spread; or it is back (CL-7)."""
        self._isolated = self.engine.isolated
        leaving = list(self.connections) if self._isolated else []
        random.shuffle(leaving)
        window = self.settings.drain_ms
        self._parting = [(now + window * n / len(leaving), one) for n, one in enumerate(leaving)][::-1]
        tell(logging.WARNING, "isolated" if self._isolated else "not isolated any more", connections=len(leaving))

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for write in dirty:
            write()
        self.hub.counters.write.observe((self.now() - self._turn_began) / 1000)

    def _turn(self) -> None:
        counted, now = self.loop.time(), self.now()
        self.hub.counters.lag.observe(max(0.0, counted - self._expected))
        self._expected = counted + SLOT_MS / 1000
        self._timer = self.loop.call_at(self._expected, self._turn)
        self.wheel.turn(now)
        while self._parting and self._parting[-1][0] <= now:
            code = 1001 if self.hub.draining else 4003
            self._parting.pop()[1].close(code, CLOSES[code].reason())
        if self.engine.isolated is not self._isolated and not self.hub.draining:
            self._isolate(now)
        self.hub.sweep(now)
        self.engine.sweep()
        self._refusals.turn(now)
