"""Measure 1, 2 and 4 nodes on one Redis, and simulate more: ``python -m tools.scale.run [--seconds S]``.

Writes docs/results/scale.json. The same clients, rooms and rate each time: what differs is the number of processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.faults.clients import Client, Record
from tools.faults.service import Service
from tools.support.results import keep, write_options

NODES = (1, 2, 4)
CLIENTS, ROOMS, PAUSE_S = 80, 4, 0.5
ROOM_MEMBERS, SIMULATED = 50, (1, 2, 4, 8, 50, 500)


def cpu_s(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(nodes: int, seconds: float) -> dict[str, Any]:
    """The figures of that many processes."""
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    service = await Service(folder, nodes=nodes, query="check_ms=5000").start()
    record = Record()
    tasks: list[asyncio.Task[None]] = []
    try:
        urls = [node.url for node in service.nodes]
        clients = [
            Client(record, f"s{n}", f"room{n % ROOMS}", [urls[n // ROOMS % nodes]], PAUSE_S, 100)
            for n in range(CLIENTS)
        ]
        tasks = [asyncio.create_task(client.run()) for client in clients]
        await asyncio.sleep(4)
        pids = [node.process.pid for node in service.nodes if node.process is not None]
        assert service.redis.process is not None

        def look() -> tuple[int, int, int, float, float]:
            heard = sum(len(client.seen) for client in clients)
            said = service.redis.ask("info", "commandstats")
            found = re.search(r"cmdstat_spublish:calls=(\d+)", said)
            return len(record.acked), heard, int(found[1]) if found else 0, sum(map(cpu_s, pids)), cpu_s(redis)

        redis = service.redis.process.pid
        before = look()
        await asyncio.sleep(seconds)
        sent, heard, published, node_cpu, redis_cpu = (b - a for a, b in zip(before, look(), strict=True))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "nodes": nodes,
        "publishes_per_s": round(sent / seconds, 1),
        "deliveries_per_s": round(heard / seconds, 1),
        "published_per_message": round(published / sent, 3),
        "bus_messages_per_message": round(published / sent * min(nodes, CLIENTS // ROOMS), 2),
        "node_cpu_us_per_delivery": round(node_cpu / heard * 1e6, 1),
        "redis_cpu_us_per_message": round(redis_cpu / sent * 1e6, 1),
    }


def simulate(nodes: int, *, rooms: int = 400, seed: int = 1) -> float:
    """How many of the nodes have a member of a room, on average, when each member is on any of them."""
    dice = random.Random(seed)
    return sum(len({dice.randrange(nodes) for _ in range(ROOM_MEMBERS)}) for _ in range(rooms)) / rooms


def main(arguments: list[str]) -> int:
    """Measure, simulate, write; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.scale.run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    write_options(parser, "scale")
    options = parser.parse_args(arguments)
    measured = []
    for nodes in NODES:
        measured.append(asyncio.run(measure(nodes, options.seconds)))
        print(measured[-1], file=sys.stderr, flush=True)
    simulated = [
        {"nodes": n, "simulated": round(simulate(n), 2), "computed": round(n * (1 - (1 - 1 / n) ** ROOM_MEMBERS), 2)}
        for n in SIMULATED
    ]
    keep(options, {"measured": measured, "simulated": simulated})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
