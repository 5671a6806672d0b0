"""The service a fault is made in: a Redis, a proxy and a node for each of several, all on free ports in one folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tools.faults.proxy import Proxy
from tools.support.redis_server import FAKETIME, RedisServer, free_port

SHORT = "check_ms=1000&lease_ms=3000&reply_ms=1500&red_ms=3000&isolated_ms=60000&barrier_ms=3000"


class Node:
    """A server process; it keeps its port over restarts."""

    def __init__(self, folder: Path, store: str, *, clock: bool = False) -> None:
        self.folder, self.store, self.port, self.clock = folder, store, free_port(), folder / "clock"
        self.folder.mkdir(parents=True)
        self._fake = clock
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def step_clock(self, text: str) -> None:
        """Set the wall clock off by that much, such as +3600."""
        self.clock.write_text(text + "\n")

    async def start(self) -> None:
        environment = {**os.environ, "ROOMPROOF_STORE": self.store}
        if self._fake:
            self.step_clock("+0")
            environment |= {
                "LD_PRELOAD": str(FAKETIME[0]), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }  # fmt: skip
        command = [sys.executable, "-m", "roomproof_server.entry", "--port", str(self.port), "--drain", "1"]
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.to_thread(
                subprocess.Popen, command, stdout=log, stderr=log, env=environment, cwd=self.folder
            )
        for _ in range(200):
            await asyncio.sleep(0.05)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                continue
            writer.transport.abort()
            return
        raise RuntimeError((self.folder / "log").read_text()[-2000:])

    async def end(self, number: signal.Signals) -> None:
        """Send a signal that ends it, and wait."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            await asyncio.to_thread(self.process.wait)
            self.process = None

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)


class Service:
    """``nodes`` servers behind a proxy each. With ``sentinel`` a replica, and a Sentinel that promotes it."""

    def __init__(
        self, folder: Path, *, nodes: int = 2, query: str = SHORT, sentinel: bool = False, clock: bool = False,
        redis: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.folder, self._count, self._query, self._clock = folder, nodes, query, clock
        self.redis = RedisServer(folder / "redis", *redis)
        self.replica: RedisServer | None = None
        self.second: RedisServer | None = None  # a replica of the replica
        self.link: Proxy | None = None  # between master and replica
        self._sentinel_port = free_port() if sentinel else None
        self._sentinel: subprocess.Popen[bytes] | None = None
        self.nodes: list[Node] = []
        self.proxies: list[Proxy] = []

    async def start(self) -> Service:
        await asyncio.to_thread(self.redis.start)
        if self._sentinel_port is not None:
            await self._watch()
        for number in range(self._count):
            if self._sentinel_port is not None:
                store = f"redis+sentinel://127.0.0.1:{self._sentinel_port}/main?{self._query}"
            else:
                proxy = await Proxy(self.redis.port).start()
                self.proxies.append(proxy)
                store = f"redis://127.0.0.1:{proxy.port}?{self._query}"
            self.nodes.append(Node(self.folder / f"node{number}", store, clock=self._clock and number == 0))
        await asyncio.gather(*(node.start() for node in self.nodes))
        return self

    async def _watch(self) -> None:
        self.link = await Proxy(self.redis.port).start()
        options = ["--replicaof", f"127.0.0.1 {self.link.port}"]
        self.redis.ask("config", "set", "repl-diskless-sync-delay", "0")
        self.replica = RedisServer(self.folder / "replica", *options)
        await asyncio.to_thread(self.replica.start)
        conf = self.folder / "sentinel.conf"
        conf.write_text(
            f"port {self._sentinel_port}\nbind 127.0.0.1\ndir {self.folder}\nsentinel monitor main 127.0.0.1 "
            f"{self.redis.port} 1\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
        )
        with (self.folder / "sentinel.log").open("wb") as log:
            self._sentinel = await asyncio.to_thread(
                subprocess.Popen, ["redis-sentinel", str(conf)], stdout=log, stderr=log
            )
        for _ in range(100):
            await asyncio.sleep(0.1)
            if "master_link_status:up" in self.replica.ask("info", "replication"):
                break
        await asyncio.sleep(1.5)  # until the Sentinel has heard of the replica

    async def reinforce(self) -> None:
        """Give the replica, once it is the master, a replica of its own."""
        assert self.replica is not None
        for _ in range(200):
            if "role:master" in self.replica.ask("info", "replication"):
                break
            await asyncio.sleep(0.1)
        self.replica.ask("config", "set", "repl-diskless-sync-delay", "0")
        self.second = RedisServer(self.folder / "second", "--replicaof", f"127.0.0.1 {self.replica.port}")
        await asyncio.to_thread(self.second.start)

    async def stop(self) -> None:
        for node in self.nodes:
            await node.end(signal.SIGKILL)
        if self._sentinel is not None:
            self._sentinel.kill()
            self._sentinel.wait()
        for proxy in [*self.proxies, *([self.link] if self.link else [])]:
            await proxy.stop()
        for server in (self.redis, self.replica, self.second):
            if server is not None and server.process is not None:
                server.stop(signal.SIGCONT)
                server.stop()
