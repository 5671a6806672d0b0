"""Figures of a load: histograms that keep the worst, counters, and one sample a second. Knows no locust.

A histogram's buckets are 2 % wide; a percentile is the upper edge of its bucket, and never less than what it stands
for. The largest value is kept as it is. All of it survives JSON and can be added up over processes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_STEPS: Final = 50.0
"""Buckets for each factor of e: 2 % wide."""
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
_log = math.log


class Histogram:
    """Durations in milliseconds."""

    __slots__ = ("buckets", "count", "most", "total")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.most = 0.0

    def add(self, ms: float) -> None:
        ms = ms if ms > 1e-3 else 1e-3
        key = int(_log(ms * 1000.0) * _STEPS)
        buckets = self.buckets
        buckets[key] = buckets.get(key, 0) + 1
        self.count += 1
        self.total += ms
        if ms > self.most:
            self.most = ms

    def percentile(self, p: float) -> float | None:
        """The duration (ms) that `p` per cent did not exceed; None without any."""
        if not self.count:
            return None
        wanted = math.ceil(self.count * p / 100.0 - 1e-9)
        seen = 0
        for key in sorted(self.buckets):
            seen += self.buckets[key]
            if seen >= wanted:
                return min(self.most, math.exp((key + 1) / _STEPS) / 1000.0)
        return self.most

    def merge(self, other: Histogram) -> None:
        for key, count in other.buckets.items():
            self.buckets[key] = self.buckets.get(key, 0) + count
        self.count += other.count
        self.total += other.total
        self.most = max(self.most, other.most)

    def as_json(self) -> dict[str, Any]:
        """To be added up elsewhere."""
        buckets = {str(k): v for k, v in self.buckets.items()}
        return {"buckets": buckets, "count": self.count, "total": self.total, "most": self.most}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Histogram:
        made = cls()
        made.buckets = {int(k): v for k, v in data["buckets"].items()}
        made.count, made.total, made.most = data["count"], data["total"], data["most"]
        return made

    def summary(self) -> dict[str, Any]:
        """What a report says of it: count, mean, percentiles and the largest, in ms."""
        if not self.count:
            return {"count": 0}
        named = {f"p{p:g}".replace(".", "_"): _rounded(self.percentile(p)) for p in PERCENTILES}
        return {"count": self.count, "mean": _rounded(self.total / self.count), **named, "max": _rounded(self.most)}


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else float(f"{ms:.4g}")


@dataclass
class Sheet:
    """What one process counted in a second, or in all."""

    latency: dict[str, Histogram] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def took(self, what: str, ms: float) -> None:
        found = self.latency.get(what)
        if found is None:
            found = self.latency[what] = Histogram()
        found.add(ms)

    def merge(self, other: Sheet) -> None:
        for name, histogram in other.latency.items():
            self.latency.setdefault(name, Histogram()).merge(histogram)
        self.counts.update(other.counts)

    def as_json(self) -> dict[str, Any]:
        return {"latency": {n: h.as_json() for n, h in self.latency.items()}, "counts": dict(self.counts)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sheet:
        latency = {name: Histogram.from_json(found) for name, found in data["latency"].items()}
        return cls(latency, Counter(data["counts"]))
