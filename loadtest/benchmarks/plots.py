"""The plots of the page as SVG, the same bytes for the same figures; and the lines of growth that they draw."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.rounds import exponent, ratio, summed_up
from benchmarks.scenarios import FAN_OUT
from benchmarks.servers import SERVERS

Parts = Mapping[str, Any]
COLOURS = {"floor": "#777777", "roomproof": "#0b6e4f"}
OTHER = "#9db4c0"

# Part, title, figure of the samples, unit of the work, and whether the figure is of one of the things counted: then
# the work of all grows by one exponent more.
AXES = (
    ("members", "members of a room", "cpu_us", "CPU per message", 1),
    ("connections", "idle connections: CPU", "idle_share", "CPU of heartbeats", 0),
    ("connections", "idle connections: memory", "kib", "resident memory", 1),
    ("rooms", "rooms", "cpu_us", "CPU for one message in each", 1),
    ("history", "history in a join", "cpu_us", "CPU per join", 0),
    ("sizes", "bytes of a text", "cpu_us", "CPU per delivery", 0),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One axis of growth: the work at each size, by server, and the fitted exponents."""

    title: str
    unit: str
    points: dict[str, list[tuple[float, float]]]

    @property
    def exponents(self) -> dict[str, float]:
        return {name: exponent(points) for name, points in self.points.items() if len(points) > 1}

    @property
    def span(self) -> str:
        sizes = sorted({x for points in self.points.values() for x, _ in points})
        return f"{sizes[0]:,.0f}…{sizes[-1]:,.0f}"


def lines(parts: Parts) -> list[Line]:
    """Every axis that was measured."""
    found = []
    for part, title, figure, unit, more in AXES:
        points = {}
        for name, steps in parts.get(part, {"growth": {}})["growth"].items():
            of = [(float(count), summed_up(samples)) for count, samples in steps.items() if samples]
            points[name] = [(x, one[figure] * x**more) for x, one in of if one.get(figure, 0) > 0]
        if any(points.values()):
            found.append(Line(title, unit, points))
    return found


def pictures(parts: Parts) -> dict[str, str]:
    """SVG by file name, without the ending."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "roomproof", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
                         "axes.spines.right": False})  # fmt: skip
    found = {}
    names = [name for name in FAN_OUT if name in parts]
    if names:
        found["fan-out"] = _fan_out(parts, names)
    if growth := lines(parts):
        found["growth"] = _growth(growth)
    return found


def _fan_out(parts: Parts, names: Sequence[str]) -> str:
    from matplotlib.figure import Figure

    picture = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, name in zip(picture.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        samples = parts[name]["samples"]
        times = {server: value for server in SERVERS
                 if (value := ratio(samples.get(server, []), samples.get("floor", []))) is not None}  # fmt: skip
        order = [server for server in reversed(SERVERS) if server in times]
        labels = [SERVERS[server].title.replace("*", "").replace("`", "") for server in order]
        colours = [COLOURS.get(server.removesuffix("-sqlite"), OTHER) for server in order]
        bars = axes.barh(labels, [times[server] for server in order], color=colours)
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
        axes.axvline(1, color=COLOURS["floor"], linewidth=0.8)
        axes.margins(x=0.2)
        axes.set_title(f"({name}) {FAN_OUT[name].title.rpartition(',')[0]}", fontsize=9)
    picture.supxlabel("CPU per delivery, times the floor (less is better)", fontsize=9)
    return _svg(picture)


def _growth(growth: Sequence[Line]) -> str:
    from matplotlib.figure import Figure

    picture = Figure(figsize=(11, 6), layout="constrained")
    panels = picture.subplots(2, 3).flat
    for axes, line in zip(panels, growth, strict=False):
        for name, points in line.points.items():
            if points:
                slope = f", {line.exponents[name]:.2f}" if name in line.exponents else ""
                axes.loglog(
                    *zip(*points, strict=True), marker="o", markersize=3, color=COLOURS[name], label=name + slope
                )
        axes.set_title(line.title, fontsize=9)
        axes.set_ylabel(line.unit, fontsize=8)
        axes.legend(frameon=False, fontsize=8)
    for axes in list(picture.axes)[len(growth) :]:
        axes.remove()
    return _svg(picture)


def _svg(picture: Any) -> str:
    out = io.StringIO()
    picture.savefig(out, format="svg", metadata={"Date": None})
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())
