"""Line plots over time as SVG that a page holds itself: no script, no library, colours from the page's own.

matplotlib draws the same with fifty times the bytes and one colour scheme. Knows nothing of loads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 24
MOST_POINTS = 400
"""Points of one line; longer runs are thinned out, each point the largest of those it stands for."""

Point = tuple[float, float | None]


@dataclass(frozen=True)
class Line:
    """One line: `colour` is the name of a colour of the page (a CSS variable without the dashes)."""

    label: str
    colour: str
    points: Sequence[Point]
    dashed: bool = False


def plot(
    lines: Sequence[Line], *, unit: str, title: str, log: bool = False, marks: Sequence[tuple[float, str]] = ()
) -> str:
    """The SVG; empty when there is nothing to draw. `marks` are moments, each with a word."""
    lines = [line for line in lines if any(value is not None for _, value in line.points)]
    if not lines:
        return ""
    times = [t for line in lines for t, _ in line.points]
    values = [v for line in lines for _, v in line.points if v is not None]
    first, last = min(times), max(max(times), min(times) + 1)
    log = log and min(values) > 0
    low, high = _range(values, log=log)

    def x(t: float) -> float:
        return LEFT + (t - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(v: float) -> float:
        if log:
            part = (math.log10(max(v, low)) - math.log10(low)) / (math.log10(high) - math.log10(low))
        else:
            part = (v - low) / (high - low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
    ]
    for value in _ticks(low, high, log=log):
        at = y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    for t in _ticks(first, last, log=False):
        parts.append(f'<text x="{x(t):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{_short(t)} s</text>')
    for t, word in marks:
        if first <= t <= last:
            parts.append(f'<path class="mark" d="M{x(t):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text x="{x(t) + 4:.1f}" y="{TOP + 10}" class="bad">{escape(word)}</text>')
    for line in lines:
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        style = f'style="stroke:var(--{line.colour})"'
        parts.append(f'<path class="line" {style}{dash} d="{_path(_thin(line.points), x, y)}"/>')
    parts.append("</svg>")
    legend = "".join(
        f'<span><i style="background:var(--{line.colour})"></i>{escape(line.label)}</span>' for line in lines
    )
    heading = f"{escape(title)}<small>{escape(unit)}{', logarithmic' if log else ''}</small>"
    return f"<figure><figcaption>{heading}</figcaption>{''.join(parts)}<p>{legend}</p></figure>"


def _path(points: Sequence[Point], x: object, y: object) -> str:
    assert callable(x)
    assert callable(y)
    drawn, pen = [], "M"
    for t, value in points:
        if value is None:
            pen = "M"
            continue
        drawn.append(f"{pen}{x(t):.1f} {y(value):.1f}")
        pen = "L"
    if len(drawn) == 1:
        drawn.append("h1")
    return "".join(drawn)


def _thin(points: Sequence[Point]) -> Sequence[Point]:
    if len(points) <= MOST_POINTS:
        return points
    step = math.ceil(len(points) / MOST_POINTS)
    thinned: list[Point] = []
    for at in range(0, len(points), step):
        some = points[at : at + step]
        there = [value for _, value in some if value is not None]
        thinned.append((some[0][0], max(there) if there else None))
    return thinned


def _range(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    if log:
        low = 10 ** math.floor(math.log10(min(values)))
        return low, max(10 ** math.ceil(math.log10(max(values))), low * 10)
    return 0.0, _nice(max(values) * 1.05) or 1.0


def _nice(value: float) -> float:
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= value)


def _ticks(low: float, high: float, *, log: bool) -> list[float]:
    if log:
        return [10.0**e for e in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    step = _nice((high - low) / 5)
    first = math.ceil(low / step - 1e-9)
    return [step * i for i in range(first, int(high / step + 1e-9) + 1)]


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:.3g}"
