"""`roomproof list --malformed`: what is generated from the schemas, counted by family and operator, or all of it."""

from __future__ import annotations

import json
from collections import Counter
from fnmatch import fnmatchcase
from typing import Any

import click

from roomproof_conformance.frames import serialize
from roomproof_conformance.malformed import FAMILIES, OPERATORS, Specimen, specimens
from roomproof_conformance.malformed.raw import GROUPS, RawCase, too_long_by_length
from roomproof_protocol import DEFAULTS

from .main import EXIT_USAGE
from .run_command import fail

_VALID = b'{"type":"ping","id":"n1"}'
_MASK = b"\1\2\3\4"


def list_malformed(patterns: tuple[str, ...], as_json: bool) -> int:
    """Print how many frames each operator makes; with patterns the frames whose id matches, as JSON all of them.

    An id is a place of a schema and an operator: `join.room:empty`; of a raw frame its group and name.
    """

    def wanted(identifier: str) -> bool:
        return not patterns or any(fnmatchcase(identifier, glob.replace("[", "[[]")) for glob in patterns)

    by_family = {family: [s for s in specimens((family,)) if wanted(s.id)] for family in FAMILIES}
    raw = [c for group in GROUPS for c in group.cases] + list(too_long_by_length(DEFAULTS.frame_bytes))
    raw = [c for c in raw if wanted(c.id)]
    chosen = [s for found in by_family.values() for s in found]
    if not chosen and not raw:
        return fail(f"no generated frame is called {' or '.join(patterns)}; ids are like join.room:empty", EXIT_USAGE)
    if as_json:
        listed = [s.as_json() for s in chosen]
        whole = {"counts": _counts(chosen, raw), "frames": listed, "raw": [_raw_json(c) for c in raw]}
        click.echo(json.dumps(whole, indent=1, ensure_ascii=True))
        return 0
    if patterns:
        for s in chosen:
            click.echo(f"{s.id:<40} {s.requirement:<8} {s.expected}")
        for c in raw:
            click.echo(c.id)
    else:
        _print_operators(by_family)
    sums = _counts(chosen, raw)
    click.echo(
        "{negative} negative frames by {negative_operators} operators, {valid} valid ones at the bounds, "
        "{operators} operators in all; {raw} raw frames beside them".format(**sums)
    )
    return 0


def _print_operators(by_family: dict[str, list[Specimen]]) -> None:
    for family, found in by_family.items():
        negative, valid = (Counter(s.operator for s in found if s.negative is yes) for yes in (True, False))
        click.echo(f"{family}: {negative.total()} negative, {valid.total()} valid")
        for operator in dict.fromkeys(s.operator for s in found):
            click.echo(f"    {operator:<20} {negative[operator]:>4} {valid[operator]:>4}  {OPERATORS[operator]}")


def _counts(chosen: list[Specimen], raw: list[RawCase]) -> dict[str, int]:
    negative = {s.id: s.operator for s in chosen if s.negative}
    return {
        "negative": len(negative),
        "valid": len({s.id for s in chosen if not s.negative}),
        "negative_operators": len(set(negative.values())),
        "operators": len({s.operator for s in chosen}),
        "raw": len(raw),
    }


def _raw_json(case: RawCase) -> dict[str, Any]:
    """What is written instead of a ping, in hexadecimal; heads with 100 bytes of what follows."""
    wire = b"".join(p if isinstance(p, bytes) else serialize(p, _MASK) for p in case.make(_VALID))
    return {"id": case.id, "bytes": len(wire), "begins": wire[:100].hex()}
