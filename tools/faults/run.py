"""Make each fault in a running service and judge what every client saw: ``python -m tools.faults.run [options]``.

Exit codes: 0 nothing was lost unsaid, said twice, named twice or out of order; 1 something was; 2 a mistake in the
options, or a Debian package is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tools import RESULTS
from tools.faults.clients import Client, Record, verdict
from tools.faults.faults import FAULTS, Fault
from tools.faults.service import SHORT, Service
from tools.support.redis_server import FAKETIME
from tools.support.results import write

PATH = RESULTS / "faults.json"
ROOMS = 2
SENDERS = 8
PAUSE_S = 0.4
HEAL_S = 40.0  # after which a service counts as not healed
AT_MOST_CLIENTS = 60  # in the short form


async def once(fault: Fault, *, short: bool, seed: int) -> dict[str, Any]:
    """One run of one fault at a random moment; the figures."""
    random.seed(seed)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    service = Service(folder, query=SHORT + fault.query, **fault.service)
    record = Record()
    count = min(fault.clients, AT_MOST_CLIENTS) if short else fault.clients
    tasks: list[asyncio.Task[None]] = []
    try:
        await service.start()
        urls = [node.url for node in service.nodes]
        clients = [
            Client(
                record, f"c{seed}.{number}", f"room{number % ROOMS}",
                urls[number // ROOMS % len(urls):] + urls[: number // ROOMS % len(urls)],
                PAUSE_S if number < SENDERS else None, fault.size,
            )
            for number in range(count)
        ]  # fmt: skip
        for client in clients:
            tasks.append(asyncio.create_task(client.run()))
            await asyncio.sleep(0.005)
        await _until(lambda: all(client.position is not None for client in clients), 30)
        await asyncio.sleep(random.uniform(1, 2))
        begun = time.monotonic()
        await fault.do(service, fault.short if short else fault.hold)
        lifted = time.monotonic()
        healed = await _healed(record, clients, lifted)
        for client in clients:
            client.stop()
        # What was under way arrives, and the last of a quiet room is found by the head check.
        await _until(lambda: _all_seen(record, clients), 10)
        await asyncio.sleep(0.5)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    figures = verdict(record, clients) | {
        "healed_s": None if healed is None else round(healed, 2),
        "fault_s": round(lifted - begun, 1),
        "clients": count,
    }
    if service.proxies:
        figures["swallowed"] = sum(proxy.swallowed for proxy in service.proxies)
    figures["fine"] = is_fine(fault, figures)
    return figures


def is_fine(fault: Fault, figures: dict[str, Any]) -> bool:
    """Whether it cost no more than it may."""
    zero = ["lost_unsaid", "named_twice", "out_of_order"]
    if not fault.may_lose:
        zero += ["lost", "duplicated"]
    return figures["healed_s"] is not None and not any(figures[name] for name in zero)


async def _until(true: Any, seconds: float) -> bool:
    for _ in range(int(seconds / 0.1)):
        if true():
            return True
        await asyncio.sleep(0.1)
    return bool(true())


def _all_seen(record: Record, clients: list[Client]) -> bool:
    return all(
        text in client.seen or client.told
        for text, (room, _, _, _) in list(record.acked.items())
        for client in clients
        if client.room == room
    )


async def _healed(record: Record, clients: list[Client], since: float) -> float | None:
    """Seconds until in each room a message that was acknowledged after ``since`` had reached every client."""
    times: dict[str, float] = {}

    def look() -> bool:
        for text, (room, _, _, when) in list(record.acked.items()):
            heard = [client.seen.get(text) for client in clients if client.room == room]
            if when >= since and room not in times and None not in heard:
                times[room] = max(moment for moment in heard if moment is not None) - since
        return len(times) == ROOMS

    return max(times.values()) if await _until(look, HEAL_S) else None


async def ci(faults: list[Fault], seed: int, jobs: int) -> dict[str, dict[str, Any]]:
    """All of them once, some at a time."""
    slots = asyncio.Semaphore(jobs)
    found: dict[str, dict[str, Any]] = {}

    async def one(fault: Fault) -> None:
        async with slots:
            # A process of its own: clients of one fault must not be late because of another's.
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tools.faults.run", "--one", fault.name, "--short", "--seed", str(seed),
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await child.communicate()
            found[fault.name] = json.loads(out or b'{"fine": false}')
            _say(fault, found[fault.name])

    await asyncio.gather(*(one(fault) for fault in faults))
    return found


def _say(fault: Fault, figures: dict[str, Any]) -> None:
    words = ", ".join(f"{name} {figures[name]}" for name in figures if name not in ("fine", "examples"))
    print(f"{'ok ' if figures['fine'] else 'RED'} {fault.name}: {words}", file=sys.stderr, flush=True)
    for example in figures.get("examples", ()):
        print(f"    {example}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Run what was asked for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.faults.run", description=__doc__)
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", help=f"some of {', '.join(names)}, with commas")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each fault that there should be")
    parser.add_argument("--ci", action="store_true", help="each once in its short form, side by side, nothing written")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--one", choices=names, help=argparse.SUPPRESS)
    parser.add_argument("--short", action="store_true", help="shorter faults")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=36_000, help="begin no run after so long")
    parser.add_argument("--write", type=Path, default=PATH, help="where the figures are, and go")
    options = parser.parse_args(arguments)
    lacking = [name for name in ("redis-server", "redis-sentinel") if shutil.which(name) is None]
    if lacking or not FAKETIME:
        print(
            f"Debian packages are missing: {', '.join([*lacking, *([] if FAKETIME else ['faketime'])])}",
            file=sys.stderr,
        )
        return 2
    if options.only and (unknown := set(options.only.split(",")) - set(names)):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    chosen = [fault for fault in FAULTS if not options.only or fault.name in options.only.split(",")]
    if options.one:
        fault = next(fault for fault in FAULTS if fault.name == options.one)
        figures = asyncio.run(once(fault, short=options.short, seed=options.seed))
        print(json.dumps(figures))
        return not figures["fine"]
    if options.ci:
        return not all(figures["fine"] for figures in asyncio.run(ci(chosen, options.seed, options.jobs)).values())
    return _series(chosen, options)


def _series(chosen: list[Fault], options: argparse.Namespace) -> int:
    """Add runs until there are enough of each; what is there already counts."""
    runs: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        runs = json.loads(options.write.read_text())["runs"]
    red, began = 0, time.monotonic()
    for _ in range(options.repeats):
        for fault in chosen:
            if sum(run["fault"] == fault.name for run in runs) >= options.repeats:
                continue
            if time.monotonic() - began > options.seconds:
                return bool(red)
            seed = random.randrange(10**6)
            figures = asyncio.run(once(fault, short=options.short, seed=seed))
            when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            runs.append({"fault": fault.name, "at": when, "seed": seed, "short": options.short} | figures)
            red += not figures["fine"]
            _say(fault, figures)
            write(options.write, {"runs": runs})
    return bool(red)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
