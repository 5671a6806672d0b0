"""docs/results/load.md from load.json: the tables of scenarios, liars and servers of other people.

python -m tools.load.page            # write it
python -m tools.load.page --check    # exit 1 when it is not current
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from roomproof_loadtest.report.markdown import cell, table
from roomproof_loadtest.report.words import ms
from tools.support.results import made

Figures = Mapping[str, Any]
HEAD = """# Load, judged

<!-- Generated from load.json by `python -m tools.load.page`; do not edit. -->

What `make load` found: every scenario of [the load test](../load.md) with the reference server, five servers that lie
where connections overlap, and two servers of other people."""


def page(figures: Figures) -> str:
    """The whole page."""
    lines = [HEAD, "", f"Machine: {figures['machine']}. Last written {figures['date'][:10]}.", ""]
    lines += ["## The reference server", "", *_scenarios(figures.get("scenarios", {}))]
    lines += ["", "## Five liars", "", *_liars(figures.get("liars", {}))]
    lines += ["", "## Two servers of other people", "", *_foreign(figures.get("foreign", {}))]
    return "\n".join(lines).rstrip() + "\n"


def _scenarios(pieces: Figures) -> list[str]:
    header = [
        "scenario", "users", "deliveries/s", "delivery p50, ms", "p99", "p99.9", "largest", "own lag p50, p99",
        "server", "violations",
    ]  # fmt: skip
    rows, said = [], []
    for name, piece in pieces.items():
        delivery, lag, server = piece["latency"].get("delivery", {}), piece["own_lag"], piece["server"]
        used = f"{server['cpu_mean']:g} %, {server['memory_most'] / 2**20:.0f} MiB" if server else ""
        rows.append(
            [
                name, f"{piece['users']:,}", f"{piece['throughput']['deliveries_per_s']:,}",
                *(ms(delivery.get(key)) for key in ("p50", "p99", "p99_9", "max")),
                f"{ms(lag.get('p50'))}, {ms(lag.get('p99'))}", used, _found(piece),
            ]
        )  # fmt: skip
        said += [f"- {name}: {line}." for line in piece["own_limit"]["says"]]
    seconds = sorted({f"{piece['seconds']:g}" for piece in pieces.values()})
    text = [
        f"Each for {', '.join(seconds)} s, on a machine that other work shared. Deliveries a second are the median of",
        "the busy seconds. Delivery runs from the stamp in the message to its reading in the generator, whose own lag",
        "stands beside it. Processor time is in per cent of a core, the mean.",
        "",
        *table(header, rows),
    ]
    if said:
        text += ["", "Where the generator's own lag is a tenth or more of a figure:", "", *said]
    return text


def _liars(pieces: Figures) -> list[str]:
    rows = []
    for name, piece in pieces.items():
        example = piece["violations"]["examples"].get(piece["must"], {})
        caught = "yes" if piece["violations"]["kinds"].get(piece["must"]) else "**no**"
        rows.append([name, piece["arguments"][3], caught, _found(piece), example.get("seen", "")])
    lines = ["30 users for 8 s against the reference with one rule replaced (`loadtest/tests/liars/serve.py`).", ""]
    made_rows = [f"| {a} | {b} | {c} | {d} | {cell(e)} |" for a, b, c, d, e in rows]
    head = ["liar", "scenario", "caught", "violations", "the first"]
    return [*lines, *table(head, []), *made_rows]


def _foreign(pieces: Figures) -> list[str]:
    lines: list[str] = []
    for name, piece in pieces.items():
        delivery = piece["latency"].get("delivery", {})
        scenario = piece["arguments"][piece["arguments"].index("--scenario") + 1]
        lines += [
            f"### {name}", "",
            f"{scenario}, {piece['users']} users, {piece['seconds']:g} s: "
            f"{piece['throughput']['deliveries_per_s']:,} deliveries a second, p50 {ms(delivery.get('p50'))} ms, "
            f"p99 {ms(delivery.get('p99'))} ms, largest {ms(delivery.get('max'))} ms. "
            f"Violations: {_found(piece)}.", "",
        ]  # fmt: skip
        examples = piece["violations"]["examples"].values()
        if examples:
            rows = [[e["kind"], f"{e['t']:.1f} s", e["expected"], e["seen"]] for e in examples]
            lines += [*table(["violation", "the first at", "expected", "seen"], rows), ""]
        if piece["notes"]:
            lines += [*(f"- {cell(note)}" for note in piece["notes"][:6]), ""]
    return lines


def _found(piece: Figures) -> str:
    kinds = piece["violations"]["kinds"]
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) or "0"


if __name__ == "__main__":
    raise SystemExit(made("load", page, sys.argv[1:]))
