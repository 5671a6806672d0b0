"""Put many messages through the durable engine and look at its file: does it stop growing, and how fast is it?

First the growth: messages with a ``mid`` over many rooms, each commit a batch, the clock going on with them, so
that the dedupe window is over for the oldest. Then the speed, for 1, 10 and 100 rooms: a window of messages in
flight for the throughput, one message at a time for the latency of a lone commit. No sockets.

    python -m tools.durability.store_growth                  # 1,000,000 messages; writes docs/results/store.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from roomproof_protocol import Limits
from roomproof_server.engine.base import Member, Stored
from roomproof_server.engine.sqlite import SqliteEngine
from tools.support.results import keep, write_options

TEXT = "Words of an ordinary message, about as long as people write them in a chat, on average. "
BATCH = 250  # messages in flight


class Driver:
    """An engine, a loop made by hand, and a clock of its own or the real one."""

    def __init__(self, path: Path, *, real_time: bool) -> None:
        self.posts: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.ms = 0.0
        now = (lambda: time.monotonic() * 1000) if real_time else (lambda: self.ms)
        limits = Limits.from_mapping({"messages": {"count": 10**6}})
        start = int(time.time() * 1000)
        self.engine = SqliteEngine(limits, path, now=now, wall=lambda: start + int(self.ms), post=self.posts.put)
        self.sent = 0
        self.stored = 0
        self.latencies: list[float] = []

    def publish(self, room: str, user: int) -> None:
        """Begin to send one message."""
        began = time.perf_counter()
        member = Member(f"c{user}", f"guest:{user:016x}", f"guest-{user}")

        def done(result: object) -> None:
            if not isinstance(result, Stored):
                raise SystemExit(f"the engine answered {result}")
            self.stored += 1
            self.latencies.append((time.perf_counter() - began) * 1000)

        self.sent += 1
        self.engine.publish(room, member, TEXT, f"mid-{self.sent:010}", done)

    def turn(self, most: int) -> None:
        """Let the loop turn until no more than so many are in flight."""
        while self.sent - self.stored > most:
            self.posts.get(timeout=60)()


def growth(path: Path, *, messages: int, rooms: int, rate: float) -> dict[str, Any]:
    """The size of file and log while and after so many messages went through."""
    driver = Driver(path, real_time=False)
    log = Path(f"{path}-wal")
    sizes: list[dict[str, int]] = []
    largest_log = 0
    began = time.perf_counter()
    for start in range(0, messages, BATCH):
        for number in range(start, min(start + BATCH, messages)):
            driver.publish(f"room{number % rooms}", number % 977)
        driver.turn(0)
        driver.ms += BATCH / rate * 1000
        driver.engine.sweep()
        largest_log = max(largest_log, log.stat().st_size)
        if (start + BATCH) % max(BATCH, messages // 10) < BATCH:
            sizes.append({"messages": start + BATCH, "file_bytes": path.stat().st_size})
    seconds = time.perf_counter() - began
    driver.engine.close()
    return {
        "messages": messages,
        "rooms": rooms,
        "messages_per_second_of_its_clock": rate,
        "seconds": round(seconds, 1),
        "messages_per_second": round(messages / seconds),
        "file_bytes": path.stat().st_size,
        "bytes_per_retained_message": round(path.stat().st_size / min(messages, rooms * 100)),
        "largest_log_bytes": largest_log,
        "sizes": sizes,
    }


def speed(path: Path, *, rooms: int, seconds: float) -> dict[str, Any]:
    """Throughput with many in flight, and the latency of a lone message."""
    driver = Driver(path, real_time=True)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for number in range(BATCH):
            driver.publish(f"room{number % rooms}", number)
            driver.turn(BATCH)
    driver.turn(0)
    loaded, driver.latencies = driver.latencies, []
    end = time.perf_counter() + seconds / 2
    while time.perf_counter() < end:
        driver.publish(f"room{driver.sent % rooms}", driver.sent % 977)
        driver.turn(0)
    driver.engine.close()
    return {
        "rooms": rooms,
        "messages_per_second": round(len(loaded) / seconds),
        "in_flight": BATCH,
        "loaded_ms": _percentiles(loaded),
        "lone_ms": _percentiles(driver.latencies),
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rooms", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second that its clock believes in")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement of speed; 0 leaves them out")
    write_options(parser, "store")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, Any] = {
            "growth": growth(
                Path(folder, "growth.db"), messages=options.messages, rooms=options.rooms, rate=options.rate
            ),
            "speed": [
                speed(Path(folder, f"speed{rooms}.db"), rooms=rooms, seconds=options.seconds)
                for rooms in (1, 10, 100)
                if options.seconds
            ],
        }
    keep(options, figures)
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
