"""What a node has done, as plain integers: counting costs an addition, everything else happens on a scrape.

It must not know how figures are shown, nor of sockets or clocks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BYTES = (0.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 2097152.0, 4194304.0)


class Histogram:
    """Observations in buckets; each bound is the most that its bucket takes."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...], values: Iterable[float] = ()) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        for value in values:
            self.observe(value)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """(upper bound, values up to it) of each bucket, ``+Inf`` last, as OpenMetrics has them."""
        buckets, count = [], 0
        for bound, here in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            count += here
            buckets.append((bound, float(count)))
        return buckets


class Counters:
    """The figures of one node since its start; see docs/operations.md for what each says."""

    __slots__ = (
        "bytes_in", "bytes_out", "closes", "commit", "connections", "deliveries", "http", "joins", "lag",
        "messages", "refused", "refused_last", "room_bytes", "write", "writes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.connections = 0  # WebSocket handshakes completed
        self.http: Counter[int] = Counter()  # by status
        self.joins: Counter[str] = Counter()  # by outcome
        self.messages: Counter[str] = Counter()  # stored, duplicate
        self.refused: Counter[str] = Counter()  # by error code
        self.refused_last: dict[str, str] = {}  # the connection that met a code last
        self.closes: Counter[tuple[str, str]] = Counter()  # by code and who began
        self.deliveries = 0  # messages times the members they went to
        self.writes = 0  # calls that handed something to a client's socket
        self.room_bytes = 0  # written for rooms, past the connections' own queues
        self.bytes_in = self.bytes_out = 0  # of connections that are over
        self.commit = Histogram(SECONDS)  # from number to visible
        self.write = Histogram(SECONDS)  # from queued to handed to the kernel
        self.lag = Histogram(SECONDS)  # of the loop's timer

    def refuse(self, code: str, connection: str) -> None:
        """A request was answered with an ``error``."""
        self.refused[code] += 1
        self.refused_last[code] = connection
