"""A graceful stop: everybody is told, goes in turn, comes back, and nothing acknowledged is lost (DISC-5, DISC-6)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from roomproof_protocol import DEFAULTS, Heartbeat
from roomproof_server.engine.stores import open_engine
from roomproof_server.settings import Settings
from roomproof_server.shell.server import Server, monotonic_ms, wall_ms

Start = Callable[..., Awaitable[Any]]


async def status(node: Any, path: str) -> int:
    reader, writer = await node.raw()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return int((await reader.readline()).split()[1])


async def test_served_until_the_close_and_nobody_new(node: Start) -> None:
    running = await node(settings={"drain_ms": 1500})
    clients = [await running.guest("lobby") for _ in range(4)]
    began = time.monotonic()
    drain = asyncio.create_task(running.server.drain())
    for client in clients:
        notice = await client.hear("notice")
        assert notice["code"] == "draining"
        assert 0 <= notice["reconnect_after_ms"] < 1500
    assert await status(running, "/readyz") == 503
    assert await status(running, "/healthz") == 200
    with pytest.raises(InvalidStatus) as refusal:
        await running.client()
    assert refusal.value.response.status_code == 503
    for client in clients:
        assert (await client.ask("ping"))["type"] == "pong"

    async def end(client: Any) -> tuple[int, float]:
        with suppress(ConnectionClosed):
            while True:
                await client.ws.recv()
        return client.ws.close_code, time.monotonic() - began

    ends = [await each for each in asyncio.as_completed([end(client) for client in clients])]
    assert {code for code, _ in ends} == {1001}
    times = [when for _, when in ends]
    assert all(later - earlier > 0.1 for earlier, later in pairwise(times)), times
    await drain
    assert times[-1] < 3


async def test_it_ends_with_the_last_client(node: Start) -> None:
    running = await node(settings={"drain_ms": 600_000})
    client = await running.guest()
    idle = await running.raw()  # says nothing, and is not waited for
    drain = asyncio.create_task(running.server.drain())
    await client.hear("notice")
    await client.ws.close()
    async with asyncio.timeout(5):
        await drain
    with suppress(ConnectionError):
        assert await idle[0].read() == b""


async def test_no_time_to_drain(node: Start) -> None:
    running = await node(settings={"drain_ms": 0})
    client = await running.guest()
    async with asyncio.timeout(5):
        await running.server.drain()
    assert (await client.hear("notice"))["code"] == "draining"
    with pytest.raises(ConnectionClosed, match="1001"):
        await client.ws.recv()


class Talker:
    """A client that sends and never stops coming back, as section 5 advises; remembers what was acknowledged."""

    def __init__(self, house: Rolling, n: int) -> None:
        self.house, self.n = house, n
        self.acknowledged: dict[int, str] = {}  # by seq
        self.heard: list[int] = []
        self.auth: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.retry: tuple[str, str] | None = None
        self.restarts: set[bool] = set()  # what `recovered` said

    async def live(self) -> None:
        while not self.house.over.is_set():
            pause = 0.05
            with suppress(ConnectionClosed, OSError, InvalidHandshake):
                pause = await self.once()
            await asyncio.sleep(min(pause, 0.3))

    async def once(self) -> float:
        """One connection; returns the seconds the server asked to wait."""
        pause = 0.05
        async with connect(self.house.url, ping_interval=None, close_timeout=1) as ws:

            async def say(**request: Any) -> None:
                await ws.send(json.dumps(request))

            await say(type="hello", id="hello", **self.auth)
            await say(type="join", id="join", room=f"room-{self.n % 10}", **self.after)
            async for data in ws:
                message = json.loads(data)
                match message["type"]:
                    case "welcome":
                        self.auth = {"auth": {"scheme": "resume_guest", "token": message["guest_token"]}}
                    case "joined":
                        if self.after:
                            self.restarts.add(message["recovered"])
                        for entry in message["messages"]:
                            self.note(entry)
                        self.after = self.after or {"after": {"epoch": message["epoch"], "seq": message["head"]}}
                        await self.send(say)
                    case "message":
                        self.note(message)
                    case "sent":
                        assert self.retry is not None
                        self.acknowledged[message["seq"]] = self.retry[1]
                        self.retry = None
                        await self.send(say)
                    case "notice":
                        pause = message["reconnect_after_ms"] / 1000
                    case "error":
                        assert message["code"] == "rate_limited", message
                        await asyncio.sleep(message["retry_after_ms"] / 1000)
                        await self.send(say)
        return pause

    async def send(self, say: Callable[..., Awaitable[None]]) -> None:
        """The message that is owed an answer, else the next one until the end."""
        if self.retry is None:
            if self.house.enough(self):
                return
            count = len(self.acknowledged)
            self.retry = f"{self.n:04}-{count:06}", f"{self.n} says {count}"
        mid, text = self.retry
        await say(type="send", id="s", room=f"room-{self.n % 10}", mid=mid, text=text)

    def note(self, entry: dict[str, Any]) -> None:
        self.heard.append(entry["seq"])
        self.after = {"after": {"epoch": entry["epoch"], "seq": entry["seq"]}}


class Rolling:
    """A server on a file and a port that it keeps through restarts."""

    def __init__(self, store: Path) -> None:
        beat = Heartbeat(20_000, 20_000)
        self.settings = Settings(limits=DEFAULTS, heartbeat=beat, store=store, drain_ms=600)
        self.over, self.port, self.second = asyncio.Event(), 0, False

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def enough(self, talker: Talker) -> bool:
        """Each says two things before the restart and two after it."""
        return len(talker.acknowledged) >= (4 if self.second else 2)

    async def start(self) -> None:
        post = asyncio.get_running_loop().call_soon_threadsafe
        engine = open_engine(self.settings.store, DEFAULTS, now=monotonic_ms, wall=wall_ms, post=post)
        self.server = Server(self.settings, engine)
        self.port = await self.server.start("127.0.0.1", self.port)

    async def end(self) -> None:
        await self.server.drain()
        self.server.engine.close()


async def test_a_rolling_restart_loses_nothing(tmp_path: Path) -> None:
    house = Rolling(tmp_path / "rooms.db")
    await house.start()
    talkers = [Talker(house, n) for n in range(200)]
    lives = [asyncio.create_task(talker.live()) for talker in talkers]

    async def until(condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.wait(lives, timeout=0.02, return_when=asyncio.FIRST_EXCEPTION)
            assert not any(life.done() for life in lives), [life.result() for life in lives if life.done()]

    async with asyncio.timeout(60):
        await until(lambda: sum(len(talker.acknowledged) for talker in talkers) >= 300)  # many are still speaking
        house.second = True
        await house.end()
        await house.start()
        await until(lambda: all(len(talker.acknowledged) >= 4 for talker in talkers))
        house.over.set()
        await house.end()
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)

    await house.start()
    async with connect(house.url, ping_interval=None) as ws:
        await ws.send('{"type":"hello","id":"h"}')
        kept: dict[int, dict[int, str]] = {}
        for n in range(10):
            await ws.send(json.dumps({"type": "join", "id": "j", "room": f"room-{n}"}))
        while len(kept) < 10:
            message = json.loads(await ws.recv())
            if message["type"] == "joined":
                kept[int(message["room"][5:])] = {entry["seq"]: entry["text"] for entry in message["messages"]}
    await house.end()

    for talker in talkers:
        room = kept[talker.n % 10]
        assert talker.acknowledged.items() <= room.items()
        assert talker.heard == sorted(set(talker.heard))
        assert talker.restarts <= {True}
    assert sum(map(len, kept.values())) == sum(len(talker.acknowledged) for talker in talkers) == 800
    assert any(talker.restarts for talker in talkers)
