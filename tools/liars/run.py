"""Judge the kit by its liars and keep the figures: docs/results/liars.json, and the page that is made from it.

python -m tools.liars.run [--full all|none|1/5] [--jobs N]    # the long form: `make liars`
python -m tools.liars.run --ci [...]                          # the same, and nothing is kept: `make liars-ci`
python -m tools.liars.run --page [--check]                    # only the page; exit 1 when it is not current
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools import LIARS, RESULTS
from tools.support.results import made, write

INTRODUCTION = """\
# The kit judged by liars

Servers that are right but for exactly one thing. The kit must find each of them, for the stated requirement and for no
other. `make liars` does it; `roomproof selftest conformance/tests/liars` is the same without keeping the figures.
"""


def page(figures: Mapping[str, Any]) -> str:
    """The whole page."""
    table = figures["table"]
    full = sum(row["checks"] == "all" for row in table)
    parts = [
        INTRODUCTION,
        "| figure | reached | |",
        "|--|--|--|",
        *(f"| {bar['name']} | {bar['reached']} | {'holds' if bar['held'] else 'broken'} |" for bar in figures["bars"]),
        "",
        f"{figures['liars']} liars, {full} of them judged by all checks and the others by those of their group and the "
        f"watches, {figures['jobs']} side by side, in {figures['wall_seconds']:g} s.\n",
        "| liar | what it does wrong | requirement | caught | unrelated reds |",
        "|--|--|--|--|--|",
        *(_row(row) for row in table),
        "",
        f"Measured {figures['date'][:10]} at commit {str(figures['commit'])[:10]} on {figures['machine']}.",
    ]
    return "\n".join(parts) + "\n"


def _row(row: Mapping[str, Any]) -> str:
    caught = "yes" if row["for_the_reason"] else "for another reason" if row["caught"] else "**no**"
    unrelated = ", ".join(row["unrelated"]) or "none"
    return f"| `{row['name']}` | {row['how']} | {row['requirement']} ({row['level']}) | {caught} | {unrelated} |"


@contextmanager
def nursery(folder: Path) -> Generator[dict[str, str]]:
    """A nursery for the liars' servers (see its module); the environment in which they use it."""
    socket = folder / "nursery"
    command = [sys.executable, str(LIARS / "nursery.py"), str(socket)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # ends with its input
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the liars' nursery did not start")
        yield {**os.environ, "ROOMPROOF_NURSERY": str(socket)}


def main(arguments: Sequence[str]) -> int:
    """Run, keep, draw; the exit code of the selftest, or of the check of the page."""
    if arguments[:1] == ["--page"]:
        return made("liars", page, arguments[1:])
    keep = arguments[:1] != ["--ci"]
    with tempfile.TemporaryDirectory() as name, nursery(Path(name)) as environment:
        kept = Path(name) / "liars.json"
        program = Path(sys.executable).parent / "roomproof"
        command = [str(program), "selftest", str(LIARS), "--json", str(kept), *arguments[0 if keep else 1 :]]
        done = subprocess.run(command, env=environment, check=False)
        if keep and kept.exists():
            write(RESULTS / "liars.json", json.loads(kept.read_text()))
            made("liars", page, [])
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
