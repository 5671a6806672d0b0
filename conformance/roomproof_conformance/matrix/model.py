"""The matrix: columns of servers laid over the requirement table. The one model that page, Markdown and JSON share.

A column is what `column` wrote, as JSON; nothing here knows how it came about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from roomproof_conformance.report.ledger import BY_CARE, TITLES
from roomproof_protocol import requirements

FORMAT = 1
"""Version of the JSON matrix."""

JUDGED = "judged"
STATES: Mapping[str, str] = {
    JUDGED: "judged",
    "lets-nobody-in": "lets nobody in",
    "not-started": "did not start",
    "not-reached": "could not be reached",
    "not-set-up": "could not be set up",
    "not-tried": "not tried",
    "kit-error": "the kit failed",
}
"""What can become of a server, and how people say it."""
VERDICTS = ("pass", "tolerated", "info", "warn", "fail", "stale", "known-failing", "known-flaky", "inconclusive")
"""States of a row that say something of the server."""

Column = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One requirement, with what each column says of it by the server's name; a column may say nothing."""

    id: str
    level: str
    text: str
    cells: Mapping[str, Mapping[str, Any]]

    @property
    def judged(self) -> bool:
        """Whether some server was judged by it."""
        return any(cell["state"] in VERDICTS for cell in self.cells.values())


@dataclass(frozen=True)
class Area:
    """One group of the requirement table."""

    name: str
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)


@dataclass
class Matrix:
    """What is known when the last server is done, or when somebody broke off."""

    title: str
    version: str
    began: datetime
    columns: list[Column] = field(default_factory=list)
    wall: float = 0.0
    interrupted: bool = False

    @property
    def sets(self) -> list[tuple[str, int]]:
        """The headings over the columns, each with how many neighbours it spans."""
        return [(name, len(list(group))) for name, group in groupby(self.columns, key=lambda column: column["set"])]

    @property
    def areas(self) -> list[Area]:
        """The areas in which some server was judged, in the order of the requirement table."""
        areas: dict[str, list[Row]] = {}
        for known in requirements():
            cells = {c["name"]: c["rows"][known.id] for c in self.columns if known.id in c["rows"]}
            row = Row(known.id, known.level, known.text, cells)
            if row.judged:
                areas.setdefault(known.group, []).append(row)
        return [Area(name, tuple(rows)) for name, rows in areas.items()]

    @property
    def unjudged(self) -> Sequence[str]:
        """Requirements by which no server was judged, though some run had checks for them."""
        seen = {row.id for area in self.areas for row in area.rows}
        wanted = {identifier for column in self.columns for identifier in column["rows"]}
        return [row.id for row in requirements() if row.id in wanted and row.id not in seen]

    @property
    def exit_code(self) -> int:
        """130 interrupted, else the gravest of the columns: 1 before 3 before 4 before 0."""
        if self.interrupted:
            return 130
        codes = {column["exit_code"] for column in self.columns}
        return next((code for code in (1, 3, 4) if code in codes), 0)

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "title": self.title,
            "version": self.version,
            "began": self.began.isoformat(timespec="seconds"),
            "wall_seconds": round(self.wall, 3),
            "interrupted": self.interrupted,
            "exit_code": self.exit_code,
            "areas": [
                {
                    "name": area.name,
                    "title": area.title,
                    "rows": [{"id": row.id, "level": row.level, "text": row.text} for row in area.rows],
                }
                for area in self.areas
            ],
            "unjudged": list(self.unjudged),
            "servers": self.columns,
        }


def by_care(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts by state, what a reader must care about most first."""
    return [(state, counts[state]) for state in BY_CARE if counts.get(state)]


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the matrix."""
    text = files("roomproof_conformance.matrix").joinpath("matrix.schema.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
