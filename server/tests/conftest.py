"""What the server's tests share: a clock that only moves when told, a connection without a socket, a late
engine, a real server on a free loopback port, and a bench for engines alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, closing, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, NoReturn, TypeVar

import pytest
from websockets.asyncio.client import ClientConnection, connect

from roomproof_protocol import DEFAULTS, ENDPOINT, SUBPROTOCOL, Heartbeat, Limits, check_message
from roomproof_server.engine.base import Guest, Joined, Member, Present, Stored
from roomproof_server.engine.cluster.address import parse_redis
from roomproof_server.engine.cluster.engine import RedisEngine
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.engine.sqlite import SqliteEngine
from roomproof_server.hub import Hub
from roomproof_server.rules.identity import Verify
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.session import Session
from roomproof_server.rules.stream import Entry, Tail
from roomproof_server.settings import Settings
from roomproof_server.shell.server import Server, monotonic_ms, wall_ms
from tools.support.redis_server import Missing, RedisServer

T = TypeVar("T")


class Clock:
    """Monotonic milliseconds that stand still."""

    def __init__(self) -> None:
        self.ms = 1_000_000.0

    def now(self) -> float:
        return self.ms

    def wall(self) -> int:
        return int(self.ms) + 1_700_000_000_000


class LateEngine:
    """An engine whose answers come when the test says so, in order, as a database's would."""

    OPERATIONS = frozenset({"join", "leave", "publish", "page", "present", "new_guest", "find_guest"})

    def __init__(self, engine: MemoryEngine, *, late: bool = False) -> None:
        self._engine = engine
        self.late = late
        self.waiting: list[Callable[[], None]] = []

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._engine, name)
        if name not in self.OPERATIONS or not self.late:
            return operation
        return lambda *args, **kwargs: self.defer(partial(operation, *args, **kwargs))

    def defer(self, step: Callable[[], None]) -> None:
        self.waiting.append(step)

    def step(self) -> None:
        """Let the oldest operation happen."""
        self.waiting.pop(0)()

    def settle(self) -> None:
        """Let all that waits happen, and what follows from it."""
        while self.waiting:
            self.step()


class LaggingEngine(LateEngine):
    """Answers some turns of the loop later, by itself."""

    LAG = 0.005

    def defer(self, step: Callable[[], None]) -> None:
        super().defer(step)
        asyncio.get_running_loop().call_later(self.LAG, self.step)


class Peer:
    """A connection without a socket: speaks to a `Session` and checks all it says against the schemas."""

    def __init__(self, house: House, **options: Any) -> None:
        self.clock = house.clock
        self.heard: list[dict[str, Any]] = []
        self.welcome: dict[str, Any] = {}
        self.closed: tuple[int, str] | None = None
        self.congested = self.apart = False
        self.beating = self.awake = False
        self._ids = 0
        house.peers += 1
        self.session = Session(house.hub, self, f"conn-{house.peers}", house.clock.now(), **options)

    # Port

    def send(self, frame: bytes) -> None:
        assert self.closed is None, "nothing may follow the Close"
        message = json.loads(frame)
        assert check_message(message) == [], message
        self.heard.append(message)

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None
        self.closed = (code, reason)

    def keep(self, frame: bytes) -> None:
        self.send(frame)

    @property
    def write(self) -> Callable[[bytes], object]:
        return self.send

    def flush(self) -> None:
        pass

    def owed(self, size: int) -> None:
        pass

    def resume(self) -> None:
        self.session.pump()

    def welcomed(self) -> None:
        self.beating = True

    def wake(self) -> None:
        self.awake = True

    # What tests call

    def raw(self, data: str | None) -> None:
        self.session.receive(data, self.clock.now())

    def say(self, kind: str, **members: Any) -> str:
        """Send a request; returns its id."""
        self._ids += 1
        request = {"type": kind, "id": f"r{self._ids}", **members}
        self.raw(json.dumps(request))
        return str(request["id"])

    def take(self) -> list[dict[str, Any]]:
        """What was heard since the last time."""
        heard, self.heard = self.heard, []
        return heard

    def ask(self, kind: str, **members: Any) -> dict[str, Any]:
        """Send a request and return its one reply; whatever else comes stays in ``heard``."""
        re = self.say(kind, **members)
        replies = [message for message in self.heard if message.get("re") == re]
        assert len(replies) == 1, (kind, members, self.heard)
        self.heard.remove(replies[0])
        return replies[0]


class House:
    """A hub with a clock of its own and any number of peers."""

    def __init__(self, *, verify: Verify | None = None, guests: bool = True, **limits: Any) -> None:
        self.clock = Clock()
        self.peers = 0
        settings = Settings(limits=Limits.from_mapping(limits), guests=guests)
        self.engine = LateEngine(MemoryEngine(settings.limits, now=self.clock.now, wall=self.clock.wall))
        self.hub = Hub(self.engine, settings, frame=bytes, wall=self.clock.wall, verify=verify)

    def peer(self, **options: Any) -> Peer:
        """A connection that has said nothing yet; ``options`` are those of its `Session`."""
        return Peer(self, **options)

    def guest(self, name: str = "Ann", *rooms: str, token: str | None = None) -> Peer:
        """A connection that was welcomed and is in these rooms."""
        peer = self.peer()
        auth = {"auth": {"scheme": "resume_guest", "token": token}} if token else {}
        peer.welcome = peer.ask("hello", name=name, **auth)
        for room in rooms:
            assert peer.ask("join", room=room)["type"] == "joined"
        return peer

    def passes(self, ms: float) -> None:
        """Time goes by."""
        self.clock.ms += ms
        self.engine.sweep()
        self.hub.sweep(self.clock.now())


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def make_house() -> type[House]:
    return House


class Client:
    """A websockets client that speaks JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.ws = connection
        self._ids = 0
        self.early: list[dict[str, Any]] = []

    async def say(self, kind: str, **members: Any) -> str:
        self._ids += 1
        await self.ws.send(json.dumps({"type": kind, "id": f"r{self._ids}", **members}))
        return f"r{self._ids}"

    async def hear(self, kind: str | None = None) -> dict[str, Any]:
        """The next message, or the next of that type with those before it passed over."""
        while True:
            async with asyncio.timeout(10):
                message: dict[str, Any] = json.loads(await self.ws.recv())
            assert check_message(message) == [], message
            if kind is None or message["type"] == kind:
                return message

    async def ask(self, kind: str, **members: Any) -> dict[str, Any]:
        re = await self.say(kind, **members)
        while (message := await self.hear()).get("re") != re:
            pass
        return message


class Node:
    """A running server and clients of it."""

    def __init__(self, server: Server, port: int, stack: AsyncExitStack) -> None:
        self.server, self.port, self._stack = server, port, stack
        self.url = f"ws://127.0.0.1:{port}{ENDPOINT}"

    async def client(self, **options: Any) -> Client:
        options = {"subprotocols": [SUBPROTOCOL], "ping_interval": None, "close_timeout": 1, **options}
        return Client(await self._stack.enter_async_context(connect(self.url, **options)))

    async def guest(self, *rooms: str, **options: Any) -> Client:
        client = await self.client(**options)
        assert (await client.ask("hello"))["type"] == "welcome"
        for room in rooms:
            assert (await client.ask("join", room=room))["type"] == "joined"
        return client

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A plain TCP connection."""
        return await self.stream(socket.create_connection(("127.0.0.1", self.port)))

    async def stream(self, sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Streams of a connected socket, closed with the test."""
        reader, writer = await asyncio.open_connection(sock=sock)

        async def close() -> None:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

        self._stack.push_async_callback(close)
        return reader, writer

    async def shaken(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A plain TCP connection after its WebSocket handshake."""
        reader, writer = await self.raw()
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        return reader, writer


@pytest.fixture
async def node() -> AsyncIterator[Callable[..., Awaitable[Node]]]:
    """Starts servers with the limits and settings given; they end with the test."""
    async with AsyncExitStack() as servers, AsyncExitStack() as clients:

        async def start(
            *,
            beat: tuple[int, int] = (20_000, 20_000),
            settings: dict[str, Any] | None = None,
            lagging: bool = False,
            **limits: Any,
        ) -> Node:
            made = Settings(limits=Limits.from_mapping(limits), heartbeat=Heartbeat(*beat), **(settings or {}))
            memory = MemoryEngine(made.limits, now=monotonic_ms, wall=wall_ms)
            server = Server(made, LaggingEngine(memory, late=True) if lagging else memory)
            port = await server.start("127.0.0.1", 0)
            servers.push_async_callback(server.stop)
            return Node(server, port, clients)

        yield start


class Ear:
    """A sink that remembers, in the order of calls."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def message(self, entry: Entry) -> None:
        self.heard.append(entry)

    def presence(self, event: PresenceEvent) -> None:
        self.heard.append(event)

    def reset(self, epoch: str, head: int, reason: Literal["epoch_changed", "gap"]) -> None:
        self.heard.append((epoch, head, reason))


class Bench:
    """An engine with plain calls: each waits for its one answer."""

    def __init__(self, store: str, limits: Limits, folder: Path, redis: RedisServer | None = None) -> None:
        self.ms = 50_000.0
        self.wall_ms = 1_700_000_000_000
        self.path = folder / "rooms.db"
        self._store, self._limits, self._redis = store, limits, redis
        self._loop = asyncio.new_event_loop() if redis else None
        self.start()

    def start(self) -> None:
        """Begin with what is stored; the fixture closes what is open at the end."""
        self.posts: SimpleQueue[Callable[[], None]] = SimpleQueue()  # the turns of a loop, made by hand
        self.ears: dict[str, Ear] = {}
        if self._store == "memory":
            self.engine: Any = MemoryEngine(self._limits, now=self.now, wall=self.wall)
        elif self._redis is not None:
            self.engine = self._run(self._redis_engine())
        else:
            self.engine = SqliteEngine(self._limits, self.path, now=self.now, wall=self.wall, post=self.posts.put)

    async def _redis_engine(self) -> RedisEngine:
        assert self._redis is not None
        self._redis.set_clock(self.wall_ms)
        return RedisEngine(self._limits, parse_redis(f"{self._redis.url}?prefix={id(self)}:"), now=self.now)

    def _run(self, step: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return self._loop.run_until_complete(asyncio.wait_for(step, 10))

    def close(self) -> None:
        self.engine.close()
        if self._loop is not None:
            self._run(asyncio.sleep(0.01))
            self._loop.close()

    def restart(self, *, after: int = 0, limits: Limits | None = None) -> None:
        """Another process goes on with the file, ``after`` ms of the wall clock later."""
        self.engine.close()
        self.revive(after=after, limits=limits)

    def killed(self, *, after: int = 0) -> None:
        """The same after a kill: what another process finds is the file as it is now, with its log."""
        folder = self.path.parent / f"{self.path.parent.name}-"
        shutil.copytree(self.path.parent, folder)
        self.engine.close()
        self.path = folder / self.path.name
        self.revive(after=after)

    def revive(self, *, after: int = 0, limits: Limits | None = None) -> None:
        self.ms = 7_000.0  # a monotonic clock begins anew
        self.wall_ms += after
        self._limits = limits or self._limits
        self.start()

    def sql(self, query: str, *values: Any) -> list[Any]:
        """Look into the file, whose engine must be closed."""
        with closing(sqlite3.connect(self.path)) as db, db:
            return db.execute(query, values).fetchall()

    def now(self) -> float:
        return self.ms

    def wall(self) -> int:
        return self.wall_ms

    def settle(self) -> None:
        """Let the engine do all it has to do."""
        if self._redis is not None:
            self._run(self._quiet())
            return
        while getattr(self.engine, "busy", False):
            self.posts.get(timeout=10)()

    async def _quiet(self) -> None:
        """Until nothing is owed, and the canary was heard: what was published before it was, too."""
        while self.engine.busy:
            await asyncio.sleep(0.001)
        self.engine.sing()
        while self.engine.busy:
            await asyncio.sleep(0.001)

    def ask(self, operation: Callable[..., None], *args: Any, **kwargs: Any) -> list[Any]:
        """Begin an operation; its answer will be in the list."""
        answers: list[Any] = []
        operation(*args, done=answers.append, **kwargs)
        return answers

    def _answer(self, operation: Callable[..., None], *args: Any, **kwargs: Any) -> Any:
        answers = self.ask(operation, *args, **kwargs)
        self.settle()
        assert len(answers) == 1
        return answers[0]

    def send(self, user: str, text: str, mid: str | None = None, room: str = "lobby") -> list[Any]:
        """As `publish`, without waiting."""
        return self.ask(self.engine.publish, room, self.member(user), text, mid)

    def member(self, user: str, connection: int = 1) -> Member:
        return Member(f"{user}-{connection}", f"guest:{user}", user.title())

    def enter(self, user: str, room: str = "lobby", connection: int = 1) -> Joined:
        if room not in self.ears:
            self.ears[room] = Ear()
            self.engine.subscribe(room, self.ears[room])
        joined = self._answer(self.engine.join, room, self.member(user, connection), None, 100)
        assert isinstance(joined, Joined)
        return joined

    def exit(
        self, user: str, room: str = "lobby", connection: int = 1, *, linger: bool = False, last: bool = False
    ) -> None:
        if last:
            self.engine.unsubscribe(room)
            del self.ears[room]
        self.engine.leave(room, self.member(user, connection), linger=linger)

    def tail(self, after: dict[str, Any] | None = None, history: int = 100, room: str = "lobby") -> Tail:
        joined = self._answer(self.engine.join, room, self.member("reader"), after, history)
        assert isinstance(joined, Joined)
        return joined.tail

    def publish(self, user: str, text: str, mid: str | None = None, room: str = "lobby") -> Any:
        return self._answer(self.engine.publish, room, self.member(user), text, mid)

    def fill(self, count: int) -> None:
        """Messages of many users, so that no quota is in the way."""
        for n in range(count):
            assert isinstance(self.publish(f"filler{n}", f"text {n}"), Stored)

    def page(self, **query: Any) -> Any:
        query = {"epoch": None, "before": None, "after": None, "limit": 50} | query
        return self._answer(self.engine.page, "lobby", **query)

    def present(self, limit: int = 500) -> Present:
        present = self._answer(self.engine.present, "lobby", limit)
        assert isinstance(present, Present)
        return present

    def new_guest(self) -> Guest:
        guest = self._answer(self.engine.new_guest)
        assert isinstance(guest, Guest)
        return guest

    def find_guest(self, token: str) -> Guest | None:
        guest = self._answer(self.engine.find_guest, token)
        assert guest is None or isinstance(guest, Guest)
        return guest

    def passes(self, ms: int) -> None:
        if self._redis is not None:
            self.settle()
            self._redis.set_clock(self.wall_ms + ms)
        self.ms += ms
        self.wall_ms += ms
        self.engine.sweep()
        self.settle()

    def heard(self, room: str = "lobby") -> list[Any]:
        self.settle()
        ear = self.ears[room]
        heard, ear.heard = ear.heard, []
        return heard


@pytest.fixture(scope="session")
def frozen_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RedisServer]]:
    """Gives a real redis-server whose clock stands still, one for all tests of a run that ask for it."""
    running: list[RedisServer] = []

    def give() -> RedisServer:
        if not running:
            try:
                server = RedisServer(tmp_path_factory.mktemp("redis"), frozen=True)
            except Missing as missing:
                _cannot(f"Debian package {missing} is not installed")
            server.set_clock(1_700_000_000_000)
            running.append(server.start())
        return running[0]

    yield give
    for server in running:
        server.stop()


def _cannot(reason: str) -> NoReturn:
    """The test cannot be run here; where everything has to be there that is a fault."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def make_bench(tmp_path: Path, frozen_redis: Callable[[], RedisServer]) -> Iterator[Callable[..., Bench]]:
    """Makes benches of a store, "memory", "sqlite" or "redis"; their engines end with the test."""
    made: list[Bench] = []

    def make(store: str = "sqlite", limits: Limits = DEFAULTS) -> Bench:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Bench(store, limits, folder, frozen_redis() if store == "redis" else None))
        return made[-1]

    yield make
    for bench in made:
        bench.close()
