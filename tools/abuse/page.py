"""The figures of docs/results/abuse.json in the table of docs/operations.md.

python -m tools.abuse.page            # write them
python -m tools.abuse.page --check    # exit 1 when the page is not current
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from tools import RESULTS, ROOT
from tools.support.results import drawn

PAGE = ROOT / "docs" / "operations.md"
ROW = re.compile(r"^\| `(\w+)`: (.*?) \|.*$", re.MULTILINE)
MIB = 2**20


def with_figures(page: str, attacks: Mapping[str, Any]) -> str:
    """The page with every row of the table made from the figures. Raises KeyError for a row of no attack."""

    def row(match: re.Match[str]) -> str:
        name, what = match.groups()
        figures = attacks[name]
        others = figures["others"]
        memory = f"{figures['growth_bytes'] / MIB:.1f} | {figures['bound_bytes'] / MIB:.1f}"
        return f"| `{name}`: {what} | {memory} | {others['p50_ms']:g}, {others['p99_ms']:g} |"

    return ROW.sub(row, page)


def main(arguments: list[str]) -> int:
    figures = RESULTS / "abuse.json"
    text = with_figures(PAGE.read_text(encoding="utf-8"), json.loads(figures.read_text())["attacks"])
    return drawn(PAGE, text, figures.name, arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
