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

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import Verdict

from .evidence import sent
from .files import write
from .secrets import conceal

PAYLOAD = 2000
"""Letters of a payload; its whole stands in the transcript."""


def dump(result: RunResult, file: TextIO) -> None:
    """Write the report to an open file; ASCII only, so that half a surrogate pair survives as an escape."""
    result = conceal(result)
    report = result.as_json()
    for check, entry in zip(result.results, report["checks"], strict=True):
        entry["sent"] = [] if check.verdict is Verdict.PASS else _sent(result, check)
        entry["transcript"] = str(result.files[check.case]) if check.case in result.files else None
    json.dump(report, file, ensure_ascii=True, indent=2)
    file.write("\n")


def _sent(result: RunResult, check: CheckResult) -> list[dict[str, Any]]:
    lines, _ = sent(result, check)
    return [
        {"conn": line.conn, "t": round(line.t, 6), "what": line.label, "payload": line.text(PAYLOAD)} for line in lines
    ]


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
