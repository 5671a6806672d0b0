"""The result of a run as the JSON that shields.io and its like draw a badge from (its "endpoint" schema, version 1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from roomproof_conformance.results import RunResult

from .files import write
from .ledger import ledger

COLOURS = {0: "brightgreen", 1: "red", 3: "lightgrey", 4: "yellow", 130: "lightgrey"}
"""By exit code."""


def badge(result: RunResult) -> dict[str, Any]:
    """The document. It holds no text of the target."""
    book = ledger(result)
    known = sum(count for state, count in book.counts.items() if state.startswith("known-"))
    broken = book.counts.get("fail", 0)
    match result.exit_code:
        case 0:
            message = f"{book.judged - known} of {book.observable}"
            message += f", {known} known to fail" if known else ""
        case 1 if broken:
            message = f"{broken} of {book.judged} broken"
        case _:
            message = book.headline.lower()
    colour = "green" if known and result.exit_code == 0 else COLOURS[result.exit_code]
    said = {"schemaVersion": 1, "label": "roomproof.v1", "message": message, "color": colour}
    return said if result.exit_code in (0, 4) else {**said, "isError": True}


def write_badge(result: RunResult, path: str | Path) -> None:
    """Write the document to `path`. Raises ReportError."""
    document = json.dumps(badge(result), indent=1) + "\n"
    write(path, lambda file: file.write(document))
