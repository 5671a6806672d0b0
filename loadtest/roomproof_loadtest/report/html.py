"""The result as one HTML file that needs nothing else: plots over time, violations with their transcripts, parameters.

What a server sent is hostile text: escaped by the template, hidden characters made visible. Knows no judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roomproof_conformance.report.escaping import visible

from . import words
from .plots import Line, plot

HERE = Path(__file__).parent
LETTERS = 240
"""Characters of a frame in a transcript."""


def page(result: Mapping[str, Any]) -> str:
    """The whole page."""
    return render(
        "load.html.jinja",
        result=result,
        verdict=words.verdict(result),
        plots=plots(result),
        facts=words.facts(result),
        latencies=words.latencies(result),
        own=words.own(result),
        thresholds=[words.threshold(t) for t in result.get("thresholds", ())],
        kinds=[(kind, count, words.kind_means(kind)) for kind, count in result["violations"]["kinds"].items()],
        violations=[told(v) for v in result["violations"]["shown"]],
        title=f"{result['scenario']}, {result['users']} users",
    )


def render(template: str, **values: Any) -> str:
    """A template of this folder, with the style of all pages."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = Markup((HERE / "load.css").read_text("utf-8"))  # our own file
    return environment.get_template(template).render(style=style, columns=words.COLUMNS, **values)


def told(violation: Mapping[str, Any]) -> dict[str, Any]:
    """A violation as the page shows it."""
    lines = violation["transcript"]
    zero = lines[-1]["t"] if lines else 0.0
    shown = [
        {
            "when": f"{(line['t'] - zero) * 1000:+.1f} ms",
            "conn": visible(line["conn"], 40),
            "way": {">": "sent", "<": "received"}.get(line["way"], "noted"),
            "text": visible(line["text"], LETTERS),
        }
        for line in lines
    ]
    plain = {name: visible(str(violation[name] or ""), 400) for name in ("kind", "conn", "room", "expected", "seen")}
    return {**plain, "t": f"{violation['t']:.2f}", "lines": shown}


def plots(result: Mapping[str, Any]) -> list[Any]:
    """All plots of one run."""
    from markupsafe import Markup

    marks = marks_of(result)

    def line(label: str, colour: str, key: str, scale: float = 1.0, *, dashed: bool = False) -> Line:
        points = [(p["t"], None if p[key] is None else p[key] * scale) for p in result["series"]]
        return Line(label, colour, points, dashed)

    made = [
        plot([line("users", "ink", "users"), line("connections", "blue", "connections", dashed=True)],
             unit="at once", title="Users", marks=marks),
        plot([line("deliveries", "blue", "deliveries"), line("sent", "green", "sent")],
             unit="per second", title="Messages", marks=marks),
        plot([line("p50", "green", "p50"), line("p99", "orange", "p99"), line("largest", "red", "max"),
              line("own lag of the generator, p99", "ink", "own_lag", dashed=True)],
             unit="ms", title="Delivery latency", log=True, marks=marks),
        plot([line("errors", "red", "errors"), line("refused for their rate", "orange", "refused"),
              line("ended by the server", "blue", "closed"), line("violations", "ink", "violations", dashed=True)],
             unit="per second", title="Errors", marks=marks),
        plot([line("processor", "blue", "cpu")], unit="per cent of a core", title="Server: processor", marks=marks),
        plot([line("memory", "green", "memory", 1 / 2**20)], unit="MiB", title="Server: memory", marks=marks),
    ]  # fmt: skip
    return [Markup(svg) for svg in made if svg]  # escaped where it is made


def marks_of(result: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Moments that explain a plot."""
    if result["died"] is not None:
        return [(result["died"]["t"], "the server died")]
    return [(down[0], "restart") for down in result.get("outages", ()) if down[0] is not None]
