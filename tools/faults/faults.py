"""The faults: what is set up for each, what is done to it, and what it may cost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tools.faults.service import Service

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
Do = Callable[[Service, float], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """``hold`` seconds, and in the short form ``short``, the fault lasts; ``may_lose``: the engine itself loses."""

    name: str
    text: str
    do: Do
    hold: float = 5.0
    short: float = 2.0
    may_lose: bool = False
    clients: int = 8
    service: dict[str, Any] = field(default_factory=dict)
    size: int = 30
    query: str = ""


async def node_kill(service: Service, hold: float) -> None:
    await service.nodes[1].end(signal.SIGKILL)
    await asyncio.sleep(hold)
    await service.nodes[1].start()


async def node_stop(service: Service, hold: float) -> None:
    service.nodes[1].signal(signal.SIGSTOP)
    await asyncio.sleep(hold)
    service.nodes[1].signal(signal.SIGCONT)


async def redis_stop(service: Service, hold: float) -> None:
    service.redis.stop(signal.SIGSTOP)
    await asyncio.sleep(hold)
    service.redis.stop(signal.SIGCONT)


async def redis_restart(service: Service, hold: float) -> None:
    service.redis.stop()
    await asyncio.sleep(hold)
    await asyncio.to_thread(service.redis.start)


async def failover(service: Service, hold: float) -> None:
    """The link to the replica is cut, the master goes on for a while, then dies: what it said last is gone."""
    assert service.link is not None
    service.link.cut = True
    service.link.break_all()
    await asyncio.sleep(hold)
    service.redis.stop()
    await service.reinforce()


async def bus_drop(service: Service, hold: float) -> None:
    for proxy in service.proxies:
        proxy.swallow = 0.5
    await asyncio.sleep(hold)
    for proxy in service.proxies:
        proxy.swallow = 0.0


async def cut(service: Service, hold: float) -> None:
    service.proxies[1].cut = True
    service.proxies[1].break_all()
    await asyncio.sleep(hold)
    service.proxies[1].cut = False


async def silent_cut(service: Service, hold: float) -> None:
    """Connections stay and nothing comes through them, as behind a firewall that forgot them."""
    service.proxies[1].cut = True
    await asyncio.sleep(hold)
    service.proxies[1].cut = False
    service.proxies[1].break_all()


async def slow(service: Service, hold: float) -> None:
    for proxy in service.proxies:
        proxy.delay = 0.05
    await asyncio.sleep(hold)
    for proxy in service.proxies:
        proxy.delay = 0.0


async def overrun(service: Service, hold: float) -> None:
    """One node does not read its subscription until Redis gives it up for the size of its buffer."""
    redis = service.redis
    redis.ask("config", "set", "client-output-buffer-limit", "pubsub 65536 65536 1")
    service.proxies[1].stall = True
    channels = redis.ask("pubsub", "shardchannels", "*}:c:*").split()
    for _ in range(100):
        for channel in channels:
            await asyncio.to_thread(redis.ask, "spublish", channel, "?" + "x" * 100_000)
        if "omem" in (log := (redis.folder / "log").read_text()) or "overcoming of output buffer" in log:
            break
    await asyncio.sleep(hold)
    service.proxies[1].stall = False


async def clock_step(service: Service, hold: float) -> None:
    for step in ("+3600", "-3600", "+0"):
        service.nodes[0].step_clock(step)
        await asyncio.sleep(hold / 3)


async def rolling(service: Service, hold: float) -> None:
    for node in service.nodes:
        await node.end(signal.SIGTERM)
        await node.start()
        await asyncio.sleep(hold)


FAULTS: tuple[Fault, ...] = (
    Fault("node-kill", "SIGKILL of a node, which is started again", node_kill),
    Fault("node-stop", "SIGSTOP of a node", node_stop, hold=20, short=4),
    Fault("redis-stop", "SIGSTOP of Redis", redis_stop, hold=20, short=4),
    Fault("redis-restart", "SIGKILL of Redis, which comes back with its data", redis_restart,
          service={"redis": DURABLE}),
    Fault("redis-empty", "SIGKILL of Redis, which comes back empty", redis_restart, may_lose=True),
    Fault("failover-tail", "failover to a replica that lacks the last messages", failover, hold=1, short=1,
          may_lose=True, service={"sentinel": True}),
    Fault("failover-replicated", "the same with `durability=replicated`", failover, hold=1, short=1,
          service={"sentinel": True}, query="&durability=replicated"),
    Fault("bus-drop", "half of what is published does not arrive", bus_drop, hold=10, short=4),
    Fault("cut", "a node is cut off from Redis", cut, hold=10),
    Fault("silent-cut", "the same, but connections stay up", silent_cut, hold=10, short=4),
    Fault("slow", "Redis answers 100 ms later", slow, hold=10, short=3),
    Fault("overrun", "Redis ends a subscription whose buffer is full", overrun, size=2000),
    Fault("clock-step", "the clock of a node is set one hour on, then two back", clock_step, hold=9, short=3,
          service={"clock": True}),
    Fault("rolling-restart", "all nodes are restarted one after the other", rolling, hold=2, short=0.5, clients=500),
)  # fmt: skip
