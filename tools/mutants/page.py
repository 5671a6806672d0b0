"""The page of the mutants, docs/results/mutants.md, from docs/results/mutants.json.

python -m tools.mutants.page            # write it
python -m tools.mutants.page --check    # exit 1 when it is not current
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tools.support.results import made

INTRODUCTION = """\
# Mutants

The source of the server's rules and of the protocol package is changed in one small place, and the kit alone judges
the server that results, without any unit test. `make mutants` does it; which changes are made is drawn by seed, spread
over files and kinds of change. A change counts as caught when the same check is red twice, or when no two clients can
talk on the server at all.
"""


def page(figures: Mapping[str, Any]) -> str:
    """The whole page."""
    visible = figures["judged"] - figures["invisible"]
    counts = [
        f"- **{figures['judged']} mutants** judged of {figures['possible']} possible ones, seed {figures['seed']}",
        f"- **{figures['caught']} of {visible} visible ones caught: {figures['share_of_visible']:.1%}**",
        f"- {figures['caught_by_checks']} by checks; {figures['caught_does_not_start']} do not start or let nobody "
        f"talk, {figures['does_not_start_because_the_import_fails']} of them because the import fails",
        f"- {figures['survived']} survived, {figures['timeout']} took too long, {figures['kit_error']} ended in an "
        f"error of the kit; of all these, {figures['invisible']} cannot be seen by any client",
    ]
    seen = [row for row in figures["not_caught"] if row["invisible"] is None]
    hidden = [row for row in figures["not_caught"] if row["invisible"] is not None]
    parts = [
        INTRODUCTION,
        "\n".join(counts) + "\n",
        _table("file", figures["by_file"]),
        _table("operator", figures["by_operator"]),
        "## Not caught\n",
        "\n".join(_entry(row, row["outcome"]) for row in seen) or "None.",
        "\n## Seen by no client\n",
        "\n".join(_entry(row, row["invisible"]) for row in hidden) or "None.",
    ]
    return "\n".join(parts) + "\n"


def _table(name: str, parts: Mapping[str, Mapping[str, int]]) -> str:
    rows = [f"| `{key}` | {part['judged']} | {part['caught']} | {part['invisible']} |" for key, part in parts.items()]
    return "\n".join([f"| {name} | judged | caught | invisible |", "|--|--|--|--|", *rows, ""])


def _entry(row: Mapping[str, Any], end: str) -> str:
    change = f"  - `` {row['line']} ``\n  - `` {row['becomes']} ``"
    return f"- `{row['id']}` {row['file']}, `{row['function'] or 'module'}`, {row['operator']}: {end}\n{change}"


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    return made("mutants", page, arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
