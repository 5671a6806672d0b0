"""`roomproof selftest`: the kit judged by liars. Prints the table and says whether it finds what it should."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from roomproof_conformance.selftest import Liar, Row, TableError, as_json, bars, lines, read_table, selftest

EXIT_BROKEN, EXIT_USAGE = 1, 2


def execute(folder: str, patterns: tuple[str, ...], jobs: int, full: str, json_file: str | None) -> int:
    """Run the liars of a folder (`table/`, `hooks.yaml`); the exit code: 0 when every bar holds."""
    from roomproof_conformance.hooks import HookError

    try:
        liars = _chosen(read_table(Path(folder) / "table"), patterns)
        began = time.monotonic()
        rows = _run(liars, Path(folder) / "hooks.yaml", jobs, _share(full, liars))
    except (TableError, HookError, ValueError) as error:
        click.echo(f"roomproof selftest: {error}", err=True)
        return EXIT_USAGE
    print(*lines(rows), sep="\n")
    if json_file:
        figures = as_json(rows, wall=time.monotonic() - began, jobs=jobs)
        Path(json_file).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(bar.held for bar in bars(rows)) else EXIT_BROKEN


def _chosen(liars: list[Liar], patterns: tuple[str, ...]) -> list[Liar]:
    """The liars that a glob names, all without one. Raises ValueError for a glob that names none."""
    from fnmatch import fnmatchcase

    for pattern in patterns:
        if not any(fnmatchcase(liar.name, pattern) for liar in liars):
            raise ValueError(f"no liar is called {pattern!r}; their names stand in the folder's table/*.yaml")
    return [liar for liar in liars if not patterns or any(fnmatchcase(liar.name, p) for p in patterns)]


def _share(full: str, liars: list[Liar]) -> frozenset[str]:
    """The liars to be judged by all checks: `all`, `none`, or `1/5`, which is another fifth every day."""
    if full in ("all", "none"):
        return frozenset(liar.name for liar in liars if full == "all")
    one, slash, parts = full.partition("/")
    if one != "1" or not slash or not parts.isdecimal() or int(parts) == 0:
        raise ValueError(f"--full {full}: expected all, none or a share like 1/5")
    today = datetime.now(UTC).toordinal()
    return frozenset(liar.name for place, liar in enumerate(liars) if (place + today) % int(parts) == 0)


def _run(liars: list[Liar], hook_file: Path, jobs: int, full: frozenset[str]) -> list[Row]:
    """Judge them, a line on stderr as each is done."""
    rows = []
    for row in selftest(liars, hook_file, jobs=jobs, full=full):
        rows.append(row)
        state = "caught" if row.for_the_reason else "caught for another reason" if row.caught else "NOT CAUGHT"
        click.echo(f"{len(rows)}/{len(liars)} {row.liar.name}: {state} ({row.seconds:.0f} s)", err=True)
    return rows
