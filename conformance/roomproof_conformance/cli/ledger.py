"""The commands that run nothing: `list`, `explain`, `dialect check`, `hooks check`."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import click

from roomproof_conformance import across, quick
from roomproof_conformance.checks import Check, all_checks, load
from roomproof_protocol import Requirement, requirements

from .main import EXIT_USAGE
from .run_command import fail, known_checks


def _by_row() -> dict[str, list[Check]]:
    by_row: dict[str, list[Check]] = {row.id: [] for row in requirements()}
    for check in all_checks(variants=True):
        by_row[check.requirement].append(check)
    return by_row


def _state(row: Requirement, checks: list[Check]) -> str:
    if row.reserved:
        return "reserved"
    if not row.observable:
        return "not observable"
    own = _own(checks)
    state = f"{own} check{'s' if own != 1 else ''}" if checks else "no check yet"
    if variants := len(checks) - own:
        state += f", {variants} variant{'s' if variants != 1 else ''} across nodes"
    return state


def _own(checks: list[Check]) -> int:
    """How many of them are checks, and not variants of some."""
    return sum(not check.variant for check in checks)


def list_rows(patterns: tuple[str, ...], as_json: bool) -> int:
    """Print the ledger: every requirement that matches, with its checks, and the counts."""
    try:
        known_checks(patterns)
    except ValueError as error:
        return fail(str(error), EXIT_USAGE)
    by_row = _by_row()

    def wanted(row: Requirement) -> bool:
        names = [row.id, *(check.id for check in by_row[row.id])]
        return not patterns or any(fnmatchcase(name, glob) for glob in patterns for name in names)

    rows = [row for row in requirements() if wanted(row)]
    observable = [row for row in rows if row.observable and not row.reserved]
    counts = {
        "requirements": len(rows),
        "reserved": sum(row.reserved for row in rows),
        "observable": len(observable),
        "checked": sum(bool(by_row[row.id]) for row in observable),
        "checks": sum(_own(by_row[row.id]) for row in rows),
        "variants": sum(len(by_row[row.id]) - _own(by_row[row.id]) for row in rows),
    }
    if as_json:
        ledger: list[dict[str, Any]] = [
            {
                "id": row.id,
                "level": row.level,
                "text": row.text,
                "tags": sorted(row.tags),
                "needs": list(row.needs),
                "state": _state(row, by_row[row.id]),
                "why_not": row.why_not,
                "checks": [{"id": check.id, "title": check.title} for check in by_row[row.id]],
            }
            for row in rows
        ]
        click.echo(json.dumps({"counts": counts, "requirements": ledger}, indent=1, ensure_ascii=False))
        return 0
    for row in rows:
        tags = "".join(f" [{tag}]" for tag in sorted(row.tags))
        click.echo(f"{row.id:<9} {row.level:<6} {_state(row, by_row[row.id])}{tags}")
        for check in by_row[row.id]:
            click.echo(f"    {check.id}: {check.title}")
    click.echo(
        "{requirements} requirements, {reserved} of them reserved; {observable} observable, "
        "{checked} of these checked by {checks} checks, {variants} variants across nodes".format(**counts)
    )
    return 0


def explain(identifier: str) -> int:
    """Print one requirement, why it can or cannot be seen, and its checks."""
    try:
        known_checks((identifier,))
    except ValueError as error:
        return fail(str(error), EXIT_USAGE)
    by_row = _by_row()
    row = next(row for row in requirements() if row.id == identifier.partition(".")[0])
    scenarios = [*load()[0], *across.variants(load()[0])]
    scenario_of = {check.id: scenario for scenario in scenarios for check in scenario.checks}
    click.echo(f"{row.id} ({row.level}) {row.text}")
    if row.tags:
        click.echo("Needs: " + ", ".join(_TAGS[tag] for tag in sorted(row.tags)))
    if row.needs:
        click.echo("Applies to targets that offer: " + ", ".join(row.needs))
    if row.reserved:
        click.echo("Reserved for a later version of the protocol.")
    elif not row.observable:
        click.echo(f"Not observable: {row.why_not}")
    for check in by_row[row.id]:
        if identifier in (row.id, check.id):
            click.echo(f"\n{check.id}\n    {check.title}")
            scenario = scenario_of.get(check.id)
            if scenario is None:  # a watch
                continue
            if scenario.nodes > 1:
                click.echo("    needs two nodes: two addresses, or a hook file with `node`")
            if hooks := sorted(scenario.hooks - {"start"}):
                click.echo(f"    needs a hook file with {' and '.join(f'`{name}`' for name in hooks)}")
            if why := quick.declared(scenario):
                click.echo(f"    left out by --quick: {why}")
    if not by_row[row.id] and row.observable and not row.reserved:
        click.echo("\nNo check of this version judges it.")
    return 0


_TAGS = {
    "cfg": "a setting of the server [cfg]",
    "hook": "the hooks start and stop [hook]",
    "2n": "two nodes [2n]",
    "auth": "a source of tokens [auth]",
}


def check_dialect(file: str, plugins: tuple[str, ...] = ()) -> int:
    """Say whether a dialect file is right, and what it claims."""
    from roomproof_conformance.dialects import DialectError, load

    try:
        dialect = load(file, plugins)
    except DialectError as error:
        for problem in error.problems:
            fail(problem, EXIT_USAGE)
        return EXIT_USAGE
    click.echo(f"{dialect.name}: right")
    click.echo(f"actions: {', '.join(sorted(dialect.actions))}")
    click.echo(f"capabilities: {', '.join(sorted(dialect.capabilities(dialect.claims_for({}))))}")
    return 0


def check_hooks(file: str) -> int:
    """Say whether a hook file is right."""
    from roomproof_conformance.hooks import HookError, load

    try:
        hooks = load(file)
    except HookError as error:
        return fail(str(error), EXIT_USAGE)
    start = " ".join(hooks.start) or "none: it is for servers that are running already"
    click.echo(f"{hooks.path}: right; start: {start}; faults: {', '.join(sorted(hooks.faults)) or 'none'}")
    return 0
