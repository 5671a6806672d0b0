"""The command line: measures, prints a table, and keeps the samples in docs/results/bench.json.

python -m benchmarks.run                     # all parts, five rounds: an hour
python -m benchmarks.run --only a,c          # these parts; the others stay as they were measured before
python -m benchmarks.run --quick             # the four fan-outs and four servers, in under three minutes
python -m benchmarks.run --ci                # everything for a moment: only shows that it runs
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import samples, scenarios
from benchmarks.processes import Failed
from benchmarks.rounds import exponent, interleaved, ratio, summed_up
from benchmarks.samples import Sample
from benchmarks.servers import SERVERS, compiled, ready, versions
from tools.support import results

OURS = ("floor", "roomproof")
FASTEST = (*OURS, "picows", "broadcast")
OF_CI = (*OURS, "roomproof-sqlite", "broadcast")

# Growth: what is varied, and how large.
MEMBERS = (10, 30, 100, 300, 1000, 3000, 5000)
CONNECTIONS = (1000, 2000, 5000, 10_000)
ROOMS = (10, 100, 1000, 10_000, 50_000, 100_000)
HISTORY = (1, 3, 10, 30, 100)
SIZES = (20, 60, 200, 600, 2000, 4000)
DELIVERIES = 16_000  # a second, in rooms of every size


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Bench:
    """How thoroughly, and with whom."""

    def __init__(self, names: Sequence[str], rounds: int, seconds: float) -> None:
        self.names, self.rounds, self.seconds = names, rounds, seconds

    def among(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.names]

    def fan_out(self, scenario: str) -> dict[str, Any]:
        """One of (a), (b), (c), (h) for everybody."""
        names = [name for name in self.names if name != "roomproof-sqlite" or scenario == "c"]
        one = scenarios.FAN_OUT[scenario]
        return self._interleaved(names, lambda name: samples.fan_out(SERVERS[name], one, self.seconds))

    def idle(self) -> dict[str, Any]:
        """Memory, handshakes and heartbeats of many connections."""
        names = [name for name in self.names if name != "roomproof-sqlite"]
        rounds, seconds = max(1, self.rounds // 4), 20 if self.seconds >= 1 else 1
        count = scenarios.IDLE_CONNECTIONS if self.seconds >= 1 else 100
        return interleaved_as(names, rounds, lambda name: samples.idle(SERVERS[name], count, seconds))

    def ack(self) -> dict[str, Any]:
        """Acknowledgements from the disk."""
        return self._interleaved(
            self.among(["roomproof-sqlite"]),
            lambda name: samples.acknowledged(SERVERS[name], scenarios.SQLITE, self.seconds),
        )

    def slow(self) -> dict[str, Any]:
        """One member that does not read, and the others."""

        def measure(name: str) -> Sample:
            return samples.fan_out(SERVERS["roomproof"], scenarios.SLOW, self.seconds, deaf=int(name == "with"))

        return interleaved_as(["without", "with"], 2 * self.rounds - 1, measure)

    def storm(self) -> dict[str, Any]:
        """A thousand joins in two seconds."""
        return self._interleaved(
            self.among(["roomproof"]),
            lambda name: samples.storm(SERVERS[name], scenarios.STORM_JOINS, scenarios.STORM_S),
        )

    def members(self) -> dict[str, Any]:
        """One room that grows, as many deliveries a second in each."""

        def measure(count: int, name: str) -> Sample:
            rate = DELIVERIES / count
            rooms = math.ceil(rate / count / 4)  # small ones need company, or their members would have to hurry
            scenario = scenarios.Scenario("", "", rooms, count, rate)
            return samples.fan_out(SERVERS[name], scenario, max(self.seconds, 10 * count / DELIVERIES))

        return self._growth(MEMBERS, measure)

    def connections(self) -> dict[str, Any]:
        """Idle connections: heartbeats alone."""
        seconds = 20 if self.seconds >= 1 else 1
        return self._growth(CONNECTIONS, lambda count, name: samples.idle(SERVERS[name], count, seconds), ["roomproof"])

    def rooms(self) -> dict[str, Any]:
        """More and more rooms, as many messages a second over all."""
        return self._growth(ROOMS, lambda count, name: samples.many_rooms(SERVERS[name], count, self.seconds))

    def history(self) -> dict[str, Any]:
        """Joins with more and more history."""
        return self._growth(
            HISTORY, lambda count, name: samples.look_back(SERVERS[name], count, self.seconds), ["roomproof"]
        )

    def sizes(self) -> dict[str, Any]:
        """Longer and longer messages in (a)."""
        one = scenarios.FAN_OUT["a"]
        return self._growth(SIZES, lambda size, name: samples.fan_out(SERVERS[name], one, self.seconds, size=size))

    def _interleaved(self, names: Sequence[str], measure: Callable[[str], Sample]) -> dict[str, Any]:
        return interleaved_as(names, self.rounds, measure)

    def _growth(
        self, counts: Sequence[int], measure: Callable[[int, str], Sample], names: Sequence[str] = OURS
    ) -> dict[str, Any]:
        steps = counts if self.seconds >= 1 else counts[:2]
        found: dict[str, Any] = {name: {} for name in self.among(names)}
        for count in steps:
            tell(f" {count}")
            step = interleaved(list(found), max(1, self.rounds // 2), partial(measure, count), tell)
            for name, taken in step.items():
                found[name][str(count)] = taken
        return {"growth": found}


def interleaved_as(names: Sequence[str], rounds: int, measure: Callable[[str], Sample]) -> dict[str, Any]:
    return {"samples": interleaved(names, rounds, measure, tell)}


PARTS = ("a", "b", "c", "h", "idle", "ack", "slow", "storm", "members", "connections", "rooms", "history", "sizes")


def measured(bench: Bench, part: str) -> dict[str, Any]:
    """One part."""
    tell(f"{part}:")
    return bench.fan_out(part) if part in scenarios.FAN_OUT else getattr(bench, part)()


def table(parts: Mapping[str, Any]) -> str:
    """What was measured, for the terminal."""
    lines = []
    for part, found in parts.items():
        if "growth" in found:
            lines += [f"{part:12} {name}: {_growth_line(steps)}" for name, steps in found["growth"].items()]
            continue
        floor = found["samples"].get("floor", [])
        for name, taken in found["samples"].items():
            figures = {key: value for key, value in summed_up(taken).items() if key not in ("rounds", "deliveries")}
            times = ratio(taken, floor) if floor and taken and "cpu_us" in taken[0] else None
            shown = ", ".join(f"{key} {value:.3g}" for key, value in figures.items() if value or key == "lost")
            lines.append(f"{part:12} {name:18} {'' if times is None else f'{times:.2f} x floor, '}{shown}")
    return "\n".join(lines)


def _growth_line(steps: Mapping[str, Sequence[Sample]]) -> str:
    figure = "idle_share" if any("idle_share" in one for taken in steps.values() for one in taken) else "cpu_us"
    points = [(float(count), float(summed_up(taken)[figure])) for count, taken in steps.items() if taken]
    points = [(x, y) for x, y in points if y > 0]
    shown = ", ".join(f"{x:g}: {y:.3g}" for x, y in points)
    return f"{figure} {shown}" + (f"; exponent {exponent(points):.3f}" if len(points) > 1 else "")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas: %(default)s")
    parser.add_argument("--servers", default=",".join(SERVERS), help="with commas: %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement, warm-up not counted")
    parser.add_argument("--quick", action="store_true", help="the four fan-outs, four servers, three short rounds")
    parser.add_argument(
        "--ci", action="store_true", help="everything for a moment, with the peers that need no package more"
    )
    results.write_options(parser, "bench")
    options = parser.parse_args(arguments)
    parts, names = options.only.split(","), options.servers.split(",")
    for word, known in [(part, PARTS) for part in parts] + [(name, tuple(SERVERS)) for name in names]:
        if word not in known:
            parser.error(f"{word!r} is not one of {', '.join(known)}")
    rounds, seconds = options.rounds, options.seconds
    if options.quick:
        parts, names, rounds, seconds = list(scenarios.FAN_OUT), list(FASTEST), 3, 1.5
    if options.ci:
        names, rounds, seconds = [name for name in names if name in OF_CI], 1, 0.2
    ready()
    missing = {name: why for name in names if (why := SERVERS[name].missing)}
    for name, why in missing.items():
        tell(f"not measured: {name}: {why}")
    bench = Bench([name for name in names if name not in missing], rounds, seconds)
    found = {part: measured(bench, part) for part in parts}
    if options.ci:
        found["lean generator"] = {"samples": {"roomproof": [_lean()]}}
    print(table(found))
    if not (options.quick or options.ci or options.no_write):
        _keep(options.write, found, missing, options)
    return int(any(_empty(part) for part in found.values()))


def _lean() -> Sample:
    """The generator in Python, which is there for machines without a compiler."""
    one = scenarios.Scenario("", "", 2, 5, 20)
    return {"round": 0, **samples.fan_out(SERVERS["roomproof"], one, 0.5, lean=True)}


def _empty(found: Mapping[str, Any]) -> bool:
    """Whether somebody of a part could not be measured at all."""
    if "growth" in found:
        return not all(taken for steps in found["growth"].values() for taken in steps.values())
    return not all(found["samples"].values())


def _keep(path: Path, found: Mapping[str, Any], missing: Mapping[str, str], options: argparse.Namespace) -> None:
    """Write the parts measured now beside those that were measured before."""
    before = json.loads(path.read_text()) if path.exists() else {}
    parts = before.get("parts", {})
    stamp = {"commit": results.commit(), "rounds": options.rounds, "seconds": options.seconds}
    for part, figures in found.items():
        parts[part] = {**stamp, **figures}
    ordered = {part: parts[part] for part in PARTS if part in parts}
    results.write(path, {"versions": versions(), "missing": dict(missing), "compiler": compiled("load") is not None,
                         "parts": ordered})  # fmt: skip


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Failed as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        raise SystemExit(1) from None
