"""The result of a run for programs: one JSON document, described by `report.schema.json`.

Members may be added within one `format`; none is taken away or changes its meaning.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO

from roomproof_conformance.results import RunResult

from .files import write


def dump(result: RunResult, file: TextIO) -> None:
    """Write the report to an open file; ASCII only, so that half a surrogate pair survives as an escape."""
    json.dump(result.as_json(), file, ensure_ascii=True, indent=2)
    file.write("\n")


def write_json(result: RunResult, path: str | Path) -> None:
    """Write the report to `path`; "-" is stdout. Raises ReportError."""
    if str(path) == "-":
        dump(result, sys.stdout)
    else:
        write(path, lambda file: dump(result, file))


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    text = files("roomproof_conformance.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
