"""Bounds that the user sets on a run: `--max p99_delivery=200ms`, `--max lost=0`, `--min deliveries_per_s=1000`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roomproof_conformance.judges.live import KINDS

from .parameters import seconds

_LATENCY = re.compile(r"(p50|p90|p99|p99_9|max|mean)_([a-z]+)")
PLAIN = ("violations", "errors", "refused", "deliveries_per_s", "sent_per_s", "own_lag", "server_cpu", "server_memory")


@dataclass(frozen=True)
class Threshold:
    """A bound on one figure, above (`most`) or below."""

    name: str
    bound: float
    most: bool

    def judge(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """What the figure is and whether it holds; one that was not measured does not hold."""
        value = figure(result, self.name)
        held = value is not None and (value <= self.bound if self.most else value >= self.bound)
        own = result["own_limit"]["shares"].get(self.name.removesuffix("_delivery"), 0.0)
        unclear = not held and value is not None and self.name.endswith("_delivery") and own >= 0.5
        return {
            "name": self.name, "bound": self.bound, "is": "at most" if self.most else "at least", "value": value,
            "held": held, "unclear": unclear,
        }  # fmt: skip


def parse(text: str, *, most: bool) -> Threshold:
    """`NAME=VALUE`. Raises ValueError that says what there is."""
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_").replace("p99.9", "p99_9")
    known = name in PLAIN or name.replace("_", "-") in KINDS or name == "died" or _LATENCY.fullmatch(name)
    if not equals or not known:
        raise ValueError(
            f"{text!r} is no threshold; expected NAME=VALUE with a name like p99_delivery, max_join, lost, violations, "
            f"{', '.join(PLAIN[1:])}"
        )
    try:
        bound = seconds(value) * 1000 if re.search("[smh]$", value.strip()) else float(value)
    except ValueError:
        raise ValueError(f"{text!r}: {value!r} is no number and no duration") from None
    return Threshold(name, bound, most)


def figure(result: Mapping[str, Any], name: str) -> float | None:
    """A figure of a result by its name; milliseconds for latencies, MiB for memory."""
    kinds = result["violations"]["kinds"]
    counts = result["counts"]
    if name == "violations":
        return float(result["violations"]["total"])
    if name.replace("_", "-") in KINDS or name == "died":
        return float(kinds.get(name.replace("_", "-"), 0))
    if name == "errors":
        return float(sum(n for what, n in counts.items() if what.startswith("error:")))
    if name == "refused":
        return float(counts.get("refused:rate", 0))
    if name in ("deliveries_per_s", "sent_per_s"):
        return float(result["throughput"][name])
    if name == "own_lag":
        return _number(result["own_lag"].get("p99"))
    if name in ("server_cpu", "server_memory"):
        server = result["server"]
        if server is None:
            return None
        return _number(server["cpu_mean"]) if name == "server_cpu" else server["memory_most"] / 2**20
    found = _LATENCY.fullmatch(name)
    return None if found is None else _number(result["latency"].get(found[2], {}).get(found[1]))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
