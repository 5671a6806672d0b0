"""The figures of docs/results/abuse.json in the table of docs/operations.md.

python tools/abuse_page.py            # write them
python tools/abuse_page.py --check    # exit 1 when the page is not current
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "operations.md"
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
    attacks = json.loads((DOCS / "results" / "abuse.json").read_text())["attacks"]
    page = PAGE.read_text(encoding="utf-8")
    made = with_figures(page, attacks)
    if arguments == ["--check"]:
        if made != page:
            print(
                f"{PAGE.name}: the table of attacks is not that of abuse.json; run tools/abuse_page.py", file=sys.stderr
            )
        return int(made != page)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
