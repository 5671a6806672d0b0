"""One measurement of each kind: a fresh server, fresh clients, and a flat dict of figures. Times are milliseconds
unless the name says otherwise. It must not know of rounds or of other servers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from benchmarks import scenarios
from benchmarks.processes import Generator, Running
from benchmarks.scenarios import MORE, SIZE, Scenario
from benchmarks.servers import Server

Sample = dict[str, float]


def size_for(server: Server, size: int = SIZE) -> int:
    """The length of the texts that make frames of the same size on every server."""
    return size if server.dialect == "roomproof" else size + MORE


def fan_out(
    server: Server, scenario: Scenario, seconds: float, *, size: int = SIZE, deaf: int = 0, lean: bool = False
) -> Sample:
    """CPU per delivery and latency at a fixed rate."""
    with (
        Running(server) as running,
        Generator(
            running, groups=scenario.rooms, members=scenario.members, senders=scenario.senders, deaf=deaf,
            size=size_for(server, size), lean=lean,
        ) as clients,
    ):  # fmt: skip
        return _figures(clients.tell(f"run {scenario.rate} {seconds} {min(1.0, seconds / 2)}"))


def _figures(found: dict[str, Any]) -> Sample:
    latency, ack = found["latency"], found["ack"]
    return {
        "cpu_us": found["cpu_s"] / max(1, found["in_window"]) * 1e6,
        "cpu_share": found["cpu_s"] / found["seconds"],
        "p50": latency["p50"], "p99": latency["p99"], "p999": latency["p999"],
        "ack_p50": ack["p50"], "ack_p99": ack["p99"],
        "deliveries": found["delivered"], "lost": found["expected"] - found["delivered"],
        "refused": found["refused"], "disorder": found["disorder"], "closed": found["closed"],
    }  # fmt: skip


def idle(server: Server, connections: int, seconds: float) -> Sample:
    """What connections cost: to take in, in memory, and while nobody says anything (heartbeats every 20 s)."""
    with Running(server) as running:
        with Generator(running, groups=1, members=2):
            pass  # what is loaded or made once is not counted
        before = running.resident()
        members = scenarios.IDLE_ROOM
        with Generator(running, groups=connections // members, members=members) as clients:
            memory = running.resident() - before
            found = clients.tell(f"idle {seconds}")
            return {
                "handshake_us": clients.connect_us, "kib": memory / connections / 1024,
                "idle_share": found["cpu_s"] / found["seconds"], "closed": found["closed"],
            }  # fmt: skip


def acknowledged(server: Server, scenario: Scenario, seconds: float) -> Sample:
    """How long a sender waits for its message to be on the disk, and what the disk alone takes."""
    sample = fan_out(server, scenario, seconds)
    return {**sample, **bare_sync(Path(__file__).resolve().parent.parent.parent / ".work" / "bench")}


def bare_sync(folder: Path, count: int = 400) -> Sample:
    """The time of an appended page and its `fdatasync`, one after the other."""
    path, took = folder / f"sync-{os.getpid()}", []
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    path.unlink()
    took.sort()
    return {"sync_p50": took[count // 2], "sync_p99": took[count * 99 // 100]}


def storm(server: Server, joins: int, seconds: float) -> Sample:
    """A room that fills at once: what everybody's arrival costs in writes."""
    with Running(server) as running, Generator(running, groups=1, members=1, idle=joins) as clients:
        before = running.metrics()
        found = clients.tell(f"storm {seconds}")
        after = running.metrics()
        writes = "roomproof_socket_writes_total"
        return {
            "writes": after.get(writes, 0) - before.get(writes, 0), "cpu_s": found["cpu_s"], "closed": found["closed"],
        }  # fmt: skip


def look_back(server: Server, history: int, seconds: float, rate: float = 200) -> Sample:
    """What a join with so many messages of history costs."""
    with Running(server) as running, Generator(running, groups=10, members=10) as clients:
        clients.tell("run 400 3 0")  # which fills ten rooms with more than a hundred
        found = clients.tell(f"look {rate} {seconds} {history}")
        return {"cpu_us": found["cpu_s"] / max(1, found["in_window"]) * 1e6}


def many_rooms(server: Server, rooms: int, seconds: float, rate: float = 500) -> Sample:
    """Messages spread over so many rooms of two members; at most 50 rooms a connection."""
    each = min(50, max(1, rooms // 1000))
    with (
        Running(server) as running,
        Generator(running, groups=rooms // each, members=2, each=each, size=size_for(server)) as clients,
    ):
        return _figures(clients.tell(f"run {rate} {seconds} 1"))
