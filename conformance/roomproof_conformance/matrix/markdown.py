"""The matrix as Markdown, for a job's page or a comment: a table by requirement, and what became of each server.

All that others wrote stands in code spans. Its size is bounded: areas that do not fit are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from roomproof_conformance.report.files import write
from roomproof_conformance.report.ledger import duration
from roomproof_conformance.report.markdown import LARGEST, cell, code, prose

from .model import STATES, VERDICTS, Area, Column, Matrix, by_care
from .page import KEPT

MARKS = {
    "pass": "✅", "fail": "❌", "stale": "❌", "warn": "⚠️", "inconclusive": "❔", "kit-error": "💥", "tolerated": "☑️",
    "known-failing": "🔕", "known-flaky": "🔕", "not-judged": "○", "not-applicable": "", "info": "·",
}  # fmt: skip


def render(matrix: Matrix) -> str:
    """The document."""
    parts = [*_summary(matrix), *_columns(matrix)]
    room = LARGEST - sum(map(len, parts))
    areas = matrix.areas
    for place, area in enumerate(areas):
        table = _table(matrix, area)
        room -= len(table)
        if room < 0:
            parts.append(f"… and {len(areas) - place} more areas; the page and the JSON hold them all.")
            break
        parts += [f"## {prose(area.title)}", table]
    return "\n\n".join(parts) + "\n"


def write_markdown(matrix: Matrix, path: str | Path) -> None:
    """Write the document to `path`. Raises ReportError."""
    document = render(matrix)
    write(path, lambda file: file.write(document))


def _summary(matrix: Matrix) -> Iterator[str]:
    yield f"# {prose(matrix.title, 200)}"
    off = " **The run was broken off.**" if matrix.interrupted else ""
    judged = sum(column["state"] == "judged" for column in matrix.columns)
    yield f"{len(matrix.columns)} servers, {judged} judged, in {duration(matrix.wall)}.{off}"
    used = {c["state"] for area in matrix.areas for row in area.rows for c in row.cells.values()}
    if used:
        yield ", ".join(f"{mark} {state.replace('-', ' ')}" for state, mark in MARKS.items() if mark and state in used)


def _columns(matrix: Matrix) -> Iterator[str]:
    lines = ["| server | set | what became of it | kept of judged |", "| --- | --- | --- | ---: |"]
    for column in matrix.columns:
        lines.append(f"| {cell(column['title'], 80)} | {_set(column)} | {_became(column)} | {_kept(column)} |")
    yield "\n".join(lines)


def _set(column: Column) -> str:
    remark = f" ({cell(column['remark'], 300)})" if column["remark"] else ""
    return (cell(column["set"], 60) if column["set"] else "") + remark


def _became(column: Column) -> str:
    if column["state"] != "judged":
        why = column["exception"] or column["why"]
        return STATES[column["state"]] + (f": {cell(why, 300)}" if why else "")
    counts = ", ".join(f"{count} {state.replace('-', ' ')}" for state, count in by_care(column["counts"]))
    down = f"; brought down by {cell(', '.join(column['killers']), 200)}" if column["killers"] else ""
    return f"{column['headline']}: {counts}{down}"


def _kept(column: Column) -> str:
    if column["state"] != "judged":
        return ""
    kept, judged = (sum(column["counts"].get(state, 0) for state in states) for states in (KEPT, VERDICTS))
    return f"{kept} / {judged}"


def _table(matrix: Matrix, area: Area) -> str:
    lines = [f"| | {' | '.join(cell(column['title'], 40) for column in matrix.columns)} |"]
    lines.append(f"| --- |{' :---: |' * len(matrix.columns)}")
    for row in area.rows:
        marks = [MARKS[row.cells[c["name"]]["state"]] if c["name"] in row.cells else "" for c in matrix.columns]
        lines.append(f"| {code(row.id)} | {' | '.join(marks)} |")
    return "\n".join(lines)
