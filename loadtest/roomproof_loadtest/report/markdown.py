"""The result as Markdown, for a job summary or a comment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roomproof_conformance.report.escaping import visible

from . import words

SHOWN = 10


def page(result: Mapping[str, Any]) -> str:
    """The whole text."""
    _, sentence = words.verdict(result)
    lines = [
        f"# {result['scenario']}: {result['users']} users, {result['seconds']:g} s", "",
        f"**{cell(sentence)}**", "", f"It stands for {result['stands_for']}.", "",
        *table(["", ""], words.facts(result)), "",
        *table(["latency, ms", "count", *(label for _, label in words.COLUMNS)], words.latencies(result)), "",
        *(f"{line}." if not line.endswith(".") else line for line in words.own(result)),
    ]  # fmt: skip
    if result.get("thresholds"):
        lines += ["", *(f"- {words.threshold(t)}" for t in result["thresholds"])]
    shown = result["violations"]["shown"][:SHOWN]
    if shown:
        rows = [[v["kind"], f"{v['t']:.2f} s", v["conn"], v["expected"], v["seen"]] for v in shown]
        lines += ["", *table(["violation", "at", "on", "expected", "seen"], rows)]
    return "\n".join(lines) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of Markdown; what cells hold is made harmless."""
    lines = [header, ["---"] * len(header), *([cell(text) for text in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def cell(text: str) -> str:
    """Foreign text as one cell."""
    shown = visible(str(text), 300)
    for mark in "\\`*_|<>[]#":
        shown = shown.replace(mark, "\\" + mark)
    return shown
