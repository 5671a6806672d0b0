"""Many servers, many times: interleaved, so that whatever else the machine does falls on all alike.

Within a round each server is measured once, in every second round the other way about. Of the samples the medians
count; ratios are medians of the ratios within one round.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.processes import Failed
from benchmarks.samples import Sample

Measure = Callable[[str], Sample]  # of the name of what is measured
Tell = Callable[[str], None]


def interleaved(names: Sequence[str], rounds: int, measure: Measure, tell: Tell) -> dict[str, list[Sample]]:
    """The samples of each name; one that fails is left out of its round, and told."""
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            try:
                sample = measure(name)
            except Failed as error:
                tell(f"  {name}: {error}")
                continue
            samples[name].append({"round": number, **sample})
            shown = ", ".join(f"{key} {sample[key]:.3g}" for key in ("cpu_us", "p50", "p99", "lost") if key in sample)
            tell(f"  round {number + 1}, {name}: {shown}")
    return samples


def summed_up(samples: Sequence[Sample]) -> Mapping[str, float]:
    """The median of each figure, and for ``cpu_us`` the half distance of the quartiles as ``spread``."""
    if not samples:
        return {}
    found = {key: statistics.median(sample[key] for sample in samples) for key in samples[0] if key != "round"}
    found["rounds"] = len(samples)
    for key in ("lost", "refused", "disorder", "closed"):
        if key in found:
            found[key] = sum(sample[key] for sample in samples)
    if "cpu_us" in found and len(samples) > 1:
        low, _, high = statistics.quantiles((sample["cpu_us"] for sample in samples), n=4)
        found["spread"] = (high - low) / 2
    return found


def ratio(samples: Sequence[Sample], to: Sequence[Sample], figure: str = "cpu_us") -> float | None:
    """The median over the rounds that both have of one's figure by the other's."""
    others = {sample["round"]: sample[figure] for sample in to}
    pairs = [sample[figure] / others[sample["round"]] for sample in samples if others.get(sample["round"])]
    return statistics.median(pairs) if pairs else None


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The k of y = c * x^k that fits best: the slope of least squares between the logarithms."""
    xs = [math.log(x) for x, _ in points]
    ys = [math.log(y) for _, y in points]
    return statistics.linear_regression(xs, ys).slope
