"""The matrix as one HTML file that needs nothing else: no script, no image, no font from elsewhere.

Every cell is a link: to the evidence on this page, or to the row in the server's own report. Knows no server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roomproof_conformance.report.escaping import file_name, visible
from roomproof_conformance.report.files import write
from roomproof_conformance.report.html import SYMBOLS
from roomproof_conformance.report.ledger import BY_CARE, STATES, duration
from roomproof_protocol import requirements

from .model import STATES as WHAT_BECAME
from .model import VERDICTS, Column, Matrix, by_care

if TYPE_CHECKING:
    from jinja2 import Template

SHOWN = ("fail", "stale", "warn", "kit-error", "inconclusive", "known-failing", "known-flaky", "tolerated")
"""States whose evidence stands on the page; a row that was not judged after all stands there when it has some."""
KEPT = ("pass", "tolerated", "info")
MOST = 150
"""Findings of one server that are shown; its own report holds all."""


def render(matrix: Matrix) -> str:
    """The page."""
    areas = matrix.areas
    cells = [cell for area in areas for row in area.rows for cell in row.cells.values()]
    states = {cell["state"] for cell in cells}
    return _template().render(
        matrix=matrix,
        areas=areas,
        rows=sum(len(area.rows) for area in areas),
        tried=sum(column["state"] == "judged" for column in matrix.columns),
        has_sets=any(column["set"] for column in matrix.columns),
        used=[state for state in BY_CARE if state in states],
        texts={row.id: (row.level, row.text) for row in requirements()},
        states=WHAT_BECAME,
        symbols=SYMBOLS,
        care=by_care,
        link=link,
        findings=lambda column: list(findings(column))[:MOST],
        kept=lambda column: sum(column["counts"].get(state, 0) for state in KEPT),
        judged=lambda column: sum(column["counts"].get(state, 0) for state in VERDICTS),
    )


def write_page(matrix: Matrix, path: str | Path) -> None:
    """Write the page to `path`. Raises ReportError."""
    page = render(matrix)
    write(path, lambda file: file.write(page))


def findings(column: Column) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the page shows in full of a server, the gravest first."""
    shown = [(identifier, cell) for identifier, cell in column["rows"].items() if _has_evidence(cell)]
    yield from sorted(shown, key=lambda entry: -STATES[entry[1]["state"]])


def link(column: Column, row: str, cell: dict[str, Any]) -> str:
    """Where a cell leads: its finding here, or its row in the server's own report, or nowhere."""
    if _has_evidence(cell) and row in dict(list(findings(column))[:MOST]):
        return f"#{column['name']}--{row}"
    report = column["files"].get("report")
    return f"{report}#r-{file_name(row)}" if report and cell["state"] != "not-applicable" else ""


def _has_evidence(cell: dict[str, Any]) -> bool:
    return cell["state"] in SHOWN or (cell["state"] == "not-judged" and cell["seen"] is not None)


@cache
def _template() -> Template:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    def prose(text: str) -> Markup:
        """A requirement's sentence: its `code` and its KEYWORDS set apart, everything else escaped."""
        safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(visible(text, 2000))))
        return Markup(re.sub(r"\b((?:MUST|SHOULD)(?: NOT)?|MAY)\b", r"<b>\1</b>", safe))

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("roomproof_conformance", folder) for folder in ("matrix", "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def spoken(text: str) -> str:
        return text.replace("-", " ")

    environment.filters.update(prose=prose, visible=visible, slug=file_name, duration=duration, spoken=spoken)
    return environment.get_template("matrix.html.jinja")
