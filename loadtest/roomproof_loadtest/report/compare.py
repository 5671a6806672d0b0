"""Two results side by side: the same plots with both lines, the same table with both figures and their ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import words
from .html import render
from .markdown import table
from .plots import Line, plot

Result = Mapping[str, Any]
NOISE = 0.1
"""Ratios nearer to 1 than this are called the same."""


def rows(a: Result, b: Result) -> list[tuple[str, str, str, str, str]]:
    """Name, both figures, the ratio, and better, worse or nothing."""
    found = [_row("deliveries per second", *(r["throughput"]["deliveries_per_s"] for r in (a, b)), more_is_better=True)]
    for name in sorted(set(a["latency"]) | set(b["latency"]), key=lambda n: (not n.startswith("delivery"), n)):
        for key, label in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"), ("max", "max")):
            left, right = (r["latency"].get(name, {}).get(key) for r in (a, b))
            if left is not None or right is not None:
                found.append(_row(f"{name} {label}, ms", left, right))
    found.append(_row("own lag p99, ms", *(r["own_lag"].get("p99") for r in (a, b))))
    for name, key, scale in (("server: % of a core", "cpu_mean", 1.0), ("server: MiB", "memory_most", 2.0**20)):
        values = [(r["server"] or {}).get(key) for r in (a, b)]
        if any(v is not None for v in values):
            found.append(_row(name, *(None if v is None else v / scale for v in values)))
    found.append(_row("violations", *(r["violations"]["total"] for r in (a, b))))
    return found


def _row(name: str, a: Any, b: Any, *, more_is_better: bool = False) -> tuple[str, str, str, str, str]:
    ratio, word = "", ""
    if a and b is not None:
        found = b / a
        ratio = f"{found:.2f}"
        if abs(found - 1) > NOISE:
            word = "better" if (found > 1) == more_is_better else "worse"
    elif a == 0 and b:
        word = "better" if more_is_better else "worse"
    return name, words.ms(a), words.ms(b), ratio, word


def html_page(a: Result, b: Result) -> str:
    """One page with both."""
    from markupsafe import Markup

    def both(key: str, title: str, unit: str, scale: float = 1.0, *, log: bool = False) -> str:
        lines = [
            Line(label, colour, [(p["t"], None if p[key] is None else p[key] * scale) for p in r["series"]], dashed)
            for label, colour, r, dashed in (("A", "blue", a, False), ("B", "orange", b, True))
        ]
        return plot(lines, unit=unit, title=title, log=log)

    plots = [
        both("deliveries", "Deliveries", "per second"), both("p50", "Delivery latency, p50", "ms", log=True),
        both("p99", "Delivery latency, p99", "ms", log=True), both("errors", "Errors", "per second"),
        both("cpu", "Server: processor", "per cent of a core"), both("memory", "Server: memory", "MiB", 1 / 2**20),
        both("own_lag", "Own lag of the generator, p99", "ms", log=True),
    ]  # fmt: skip
    shown = [Markup(svg) for svg in plots if svg]  # escaped where it is made
    return render("compare.html.jinja", a=a, b=b, rows=rows(a, b), plots=shown, differ=differing(a, b))


def markdown_page(a: Result, b: Result) -> str:
    """The table of both, and what they differ in."""
    lines = [f"# A: {_title(a)}, B: {_title(b)}", ""]
    lines += table(["", "A", "B", "B / A", ""], rows(a, b))
    lines += ["", *(f"- {line}" for line in differing(a, b))]
    return "\n".join(lines).rstrip() + "\n"


def _title(result: Result) -> str:
    return f"{result['scenario']} of {result['date']}, {result['users']} users"


def differing(a: Result, b: Result) -> list[str]:
    """Parameters and circumstances that are not the same: what a difference may come from."""
    left = {**a["machine"], **a["parameters"], **{k: a[k] for k in ("scenario", "users", "seconds", "target")}}
    right = {**b["machine"], **b["parameters"], **{k: b[k] for k in ("scenario", "users", "seconds", "target")}}
    names = sorted(set(left) | set(right))
    return [
        f"{name.replace('_', ' ')}: {left.get(name)} in A, {right.get(name)} in B"
        for name in names
        if left.get(name) != right.get(name)
    ]
