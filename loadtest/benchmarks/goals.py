"""The goals, and what was measured of each: met, or missed by how much."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import plots
from benchmarks.rounds import ratio, summed_up

Parts = Mapping[str, Any]
PEERS = ("aiohttp", "broadcast", "naive", "node-ws", "starlette", "tornado", "socketio")


@dataclass(frozen=True, slots=True)
class Goal:
    """``most`` and ``value`` in the same unit, or None where nothing was measured."""

    what: str
    most: float
    value: float
    show: Callable[[float], str]

    @property
    def asked(self) -> str:
        return f"≤ {self.show(self.most)}"

    @property
    def measured(self) -> str:
        return self.show(self.value)

    @property
    def verdict(self) -> str:
        # What is shown as equal is equal: the last digit of a measurement decides nothing.
        met = self.value <= self.most or self.show(self.value) == self.show(self.most)
        return "met" if met else f"missed by {100 * (self.value / self.most - 1):.0f} %"


def times(value: float) -> str:
    return f"{value:.2f} x"


def ms(value: float) -> str:
    return f"{value:.1f} ms"


def plain(value: float) -> str:
    return f"{value:,.0f}"


def goals(parts: Parts) -> Iterator[Goal]:
    """Those for which the figures are there."""

    def against(part: str, name: str, to: str = "floor", figure: str = "cpu_us") -> float | None:
        samples = parts.get(part, {"samples": {}})["samples"]
        return ratio(samples.get(name, []), samples.get(to, []), figure)

    def figure(part: str, name: str, key: str) -> float | None:
        return summed_up(parts.get(part, {"samples": {}})["samples"].get(name, [])).get(key)

    wanted: list[tuple[str, float, float | None, Callable[[float], str]]] = [
        ("(a) by the floor", 1.3, against("a", "roomproof"), times),
        ("(b) by the floor", 1.25, against("b", "roomproof"), times),
        ("(c) by the floor", 1.8, against("c", "roomproof"), times),
        ("(c) with SQLite, by the floor", 2.2, against("c", "roomproof-sqlite"), times),
        ("(h) by the floor", 0.35, against("h", "roomproof"), times),
        ("(h) by `broadcast()`", 0.15, against("h", "roomproof", "broadcast"), times),
        ("(h), p99 of delivery", 10, figure("h", "roomproof", "p99"), ms),
        *((f"({part}), p99 of delivery, or 3 x the floor's", max(most, 3 * (figure(part, "floor", "p99") or 0)),
           figure(part, "roomproof", "p99"), ms) for part, most in (("a", 2.0), ("b", 10.0), ("c", 2.0))),
        *((f"({part}) by the best of the other Python peers and Node", 1.0, _best(parts, part, against), times)
          for part in ("a", "b", "c", "h")),
        ("geometric mean of the four by picows", 1.0, _mean([against(part, "roomproof", "picows") for part in "abch"]),
         times),
        ("memory of an idle connection", 8, figure("idle", "roomproof", "kib"), lambda v: f"{v:.1f} KiB"),
        ("10,000 idle connections, of a core", 0.01, figure("idle", "roomproof", "idle_share"),
         lambda v: f"{100 * v:.2f} %"),
        ("handshake, hello and join", 200, figure("idle", "roomproof", "handshake_us"), lambda v: f"{v:.0f} us"),
        ("acknowledgement with SQLite, p99", 10, figure("ack", "roomproof-sqlite", "ack_p99"), ms),
        ("p99 with a member that does not read, by without", 1.2, against("slow", "with", "without", "p99"), times),
        ("writes for a thousand joins", 50_000, figure("storm", "roomproof", "writes"), plain),
        ("deliveries lost in all scenarios", 0, _lost(parts), plain),
        *((f"exponent over {line.title}", max(1.05, line.exponents.get("floor", 0) + 0.03), line.exponents["roomproof"],
           lambda v: f"{v:.3f}") for line in plots.lines(parts) if "roomproof" in line.exponents),
    ]  # fmt: skip
    for what, most, value, show in wanted:
        if value is not None:
            yield Goal(what, most, value, show)


def _best(parts: Parts, part: str, against: Callable[..., float | None]) -> float | None:
    """Our cost by that of the cheapest peer: the largest of the ratios."""
    found = [value for peer in PEERS if (value := against(part, "roomproof", peer)) is not None]
    return max(found, default=None)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.exp(sum(map(math.log, known)) / len(known)) if len(known) == len(values) else None


def _lost(parts: Parts) -> float | None:
    found = [
        sample["lost"]
        for part in parts.values()
        for name, samples in part.get("samples", {}).items()
        for sample in samples
        if name.startswith("roomproof") and "lost" in sample
    ]
    return sum(found) if found else None
