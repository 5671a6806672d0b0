"""docs/results/bench.md and its plots, from docs/results/bench.json.

python -m benchmarks.page            # write them
python -m benchmarks.page --check    # exit 1 when they are not current
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import plots
from benchmarks.goals import goals
from benchmarks.rounds import ratio, summed_up
from benchmarks.scenarios import FAN_OUT
from benchmarks.servers import SERVERS
from tools import RESULTS
from tools.support.results import drawn

Parts = Mapping[str, Any]

HEAD = """\
# Benchmarks: this server, its peers, and a floor in C

Generated from [bench.json](bench.json) by `make generate`; `make bench` measures anew, `make bench-quick` the first
table in under three minutes. How to read the figures, and where the time goes: [why it is fast](../why-fast.md).

| | |
|--|--|
| measured | {date}, on {machine} |
| with | {versions} |

The **floor** is a server in C (`loadtest/benchmarks/c/floor.c`) that does nothing but one `send()` per recipient: the
kernel's share, which nobody who writes to each client can avoid. The peers are minimal servers in
`loadtest/benchmarks/peers/`, each in the fastest form that its documentation has: they decode JSON and fan out, without
validation, history, limits or acknowledgements. **roomproof-server** is the whole server as users run it, only
`--store` changed. Every server gets the same offered load, and frames of the same size go out.

CPU per delivery is what the kernel has on the account of all the server's threads and children in the measured time,
divided by the messages that reached a client. Each figure is the median of the rounds, in which all servers take
turns; ratios are medians of the ratios within one round. Absolute figures depend on the machine and the hour: compare
ratios.
"""


def page(found: Mapping[str, Any]) -> str:
    """The whole page."""
    parts: Parts = found["parts"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    text = [HEAD.format(date=found["date"], machine=found["machine"], versions=versions)]
    if found["missing"]:
        text.append("Not measured: " + "; ".join(f"{name} ({why})" for name, why in found["missing"].items()) + ".\n")
    how = "; ".join(f"{name}: {part['rounds']} rounds of {part['seconds']:g} s, {part['commit'][:9]}"
                    for name, part in parts.items())  # fmt: skip
    text.append(f"Rounds, seconds of each measurement, and commit, part by part: {how}.\n")
    text += [_goals(parts), _ratios(parts), _latencies(parts), _connections(parts), _other(parts), _growth(parts)]
    return "\n".join(one for one in text if one)


def _goals(parts: Parts) -> str:
    rows = [f"| {goal.what} | {goal.asked} | {goal.measured} | {goal.verdict} |" for goal in goals(parts)]
    return _section("Goals", "", "| | goal | measured | |", rows)


def _ratios(parts: Parts) -> str:
    """CPU per delivery: us, spread and ratio for everybody."""
    names = [name for name in FAN_OUT if name in parts]
    rows = []
    for server in SERVERS.values():
        cells, ratios = [], []
        for name in names:
            samples = parts[name]["samples"].get(server.name, [])
            times = ratio(samples, parts[name]["samples"].get("floor", []))
            figures = summed_up(samples)
            if times is None:
                cells.append("")
                continue
            ratios.append(times)
            cells.append(f"**{times:.2f}** ({figures['cpu_us']:.1f} ± {figures.get('spread', 0):.1f})")
        if any(cells):
            mean = f"{math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}" if len(ratios) == len(names) else ""
            rows.append(f"| {server.title} | {' | '.join(cells)} | {mean} |")
    titles = "\n".join(f"- ({name}) {FAN_OUT[name].title}" for name in names)
    note = f"Times the floor; in brackets us of CPU per delivery, ± half the distance of the quartiles.\n\n{titles}\n"
    picture = "\n![CPU per delivery as a ratio to the floor](bench/fan-out.svg)\n" if names else ""
    return _section("One message to many", note, f"| | {' | '.join(names)} | geometric mean |", rows) + picture


def _latencies(parts: Parts) -> str:
    names = [name for name in FAN_OUT if name in parts]
    rows = []
    for server in SERVERS.values():
        cells = []
        for name in names:
            figures = summed_up(parts[name]["samples"].get(server.name, []))
            lost = f", **{figures['lost']:.0f} lost**" if figures.get("lost") else ""
            cells.append("{p50:.2f} / {p99:.2f} / {p999:.2f}".format(**figures) + lost if figures else "")
        if any(cells):
            rows.append(f"| {server.title} | {' | '.join(cells)} |")
    note = "Milliseconds from the time a message was due to be sent to its being read: p50 / p99 / p99.9.\n"
    return _section("Latency", note, f"| | {' | '.join(names)} |", rows)


def _connections(parts: Parts) -> str:
    rows = []
    for name, samples in parts.get("idle", {"samples": {}})["samples"].items():
        if figures := summed_up(samples):
            rows.append(
                f"| {SERVERS[name].title} | {figures['kib']:.1f} | {figures['handshake_us']:.0f} "
                f"| {100 * figures['idle_share']:.2f} % |"
            )
    note = (
        "10,000 connections in rooms of ten: resident memory for each, CPU to take one in (handshake to join), and\n"
        "what they cost while nobody says anything, with a heartbeat every 20 s where the server has one.\n"
    )
    return _section("Connections", note, "| | KiB each | us to take in | idle, of a core |", rows)


def _other(parts: Parts) -> str:
    rows = []
    if "ack" in parts:
        one = summed_up(parts["ack"]["samples"]["roomproof-sqlite"])
        rows.append(
            f"| acknowledgement from SQLite, synced, at 1,000 messages/s | p50 {one['ack_p50']:.2f} ms, "
            f"p99 {one['ack_p99']:.2f} ms; a bare `fdatasync` p50 {one['sync_p50']:.2f}, p99 {one['sync_p99']:.2f} ms |"
        )
    if "slow" in parts:
        both = {name: summed_up(samples) for name, samples in parts["slow"]["samples"].items()}
        times = ratio(parts["slow"]["samples"]["with"], parts["slow"]["samples"]["without"], "p99")
        rows.append(
            f"| p99 in (a) without and with a member that does not read | {both['without']['p99']:.2f} and "
            f"{both['with']['p99']:.2f} ms; median of the pairs' ratios {times:.2f} |"
        )
    if "storm" in parts:
        one = summed_up(parts["storm"]["samples"]["roomproof"])
        rows.append(f"| writes for a thousand joins into one room within two seconds | {one['writes']:,.0f} |")
    return _section("Acknowledgements, slow members, storms", "", "| | |", rows)


def _growth(parts: Parts) -> str:
    rows = [
        f"| {line.title} | {line.unit} | "
        + "; ".join(f"{name} **{value:.3f}**" for name, value in line.exponents.items())
        + f" | {line.span} |"
        for line in plots.lines(parts)
    ]
    note = (
        "How the work grows with what is varied: the exponent k of work = c · n^k that fits best (1 is linear). The\n"
        "floor, where it can do the same, shows what the machine itself adds: caches, mostly.\n"
    )
    picture = "\n![Growth](bench/growth.svg)\n" if rows else ""
    return _section("Growth", note, "| over | work | exponent | measured |", rows) + picture


def _section(title: str, note: str, head: str, rows: Sequence[str]) -> str:
    if not rows:
        return ""
    return (
        "\n".join([f"## {title}\n", *([note] if note else []), head, "|--" * (head.count("|") - 1) + "|", *rows]) + "\n"
    )


def main(arguments: Sequence[str]) -> int:
    figures = RESULTS / "bench.json"
    if not figures.exists():
        return 0
    found = json.loads(figures.read_text())
    (RESULTS / "bench").mkdir(exist_ok=True)
    status = drawn(RESULTS / "bench.md", page(found), figures.name, arguments)
    for name, picture in plots.pictures(found["parts"]).items():
        status |= drawn(RESULTS / "bench" / f"{name}.svg", picture, figures.name, arguments)
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
