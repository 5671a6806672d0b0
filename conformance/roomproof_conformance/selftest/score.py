"""The score of a table of liars: figures, bars, and how both are shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .running import RED, Row

SHARE = 0.95
"""Of the SHOULD liars that must be caught, and of all that must be caught for the stated requirement."""
MOST_UNRELATED = 3
MEDIAN_UNRELATED = 1


@dataclass(frozen=True)
class Bar:
    """One thing that must hold of the whole table."""

    name: str
    reached: str
    held: bool


def bars(rows: Sequence[Row]) -> list[Bar]:
    """Whether the kit is as good as it says: one bar for each figure."""
    must = [row for row in rows if row.liar.level == "MUST"]
    should = [row for row in rows if row.liar.level != "MUST"]
    unrelated = [len(row.unrelated) for row in rows] or [0]
    reasons = sum(row.for_the_reason for row in rows)
    return [
        _share("liars of a MUST caught", sum(row.caught for row in must), len(must), 1.0),
        _share("liars of a SHOULD caught", sum(row.caught for row in should), len(should), SHARE),
        _share("for the stated requirement", reasons, len(rows), SHARE),
        Bar(
            f"unrelated reds at most {MOST_UNRELATED} each, median {MEDIAN_UNRELATED}",
            f"{sum(unrelated)} in all, at most {max(unrelated)}, median {median(unrelated):g}",
            max(unrelated) <= MOST_UNRELATED and median(unrelated) <= MEDIAN_UNRELATED,
        ),
    ]


def _share(name: str, reached: int, of: int, share: float) -> Bar:
    return Bar(name if share == 1.0 else f"{name}, at least {share:.0%}", f"{reached} of {of}", reached >= share * of)


def lines(rows: Sequence[Row]) -> list[str]:
    """The table for people: a line for each liar, one for the sum, one for each bar."""
    width = max((len(row.liar.name) for row in rows), default=4)
    out = [f"{'liar':{width}}  checks  caught  for the reason  unrelated reds"]
    for row in sorted(rows, key=lambda row: (row.liar.area, row.liar.name)):
        end = ", ".join(row.unrelated) or "none"
        if not row.for_the_reason or row.trouble:
            end += f"  ({row.trouble or row.stated})"
        caught, reason = ("yes" if yes else "NO" for yes in (row.caught, row.for_the_reason))
        out.append(f"{row.liar.name:{width}}  {'all' if row.full else 'group':6}  {caught:6}  {reason:14}  {end}")
    sums = sum(r.caught for r in rows), sum(r.for_the_reason for r in rows), sum(len(r.unrelated) for r in rows)
    score = f"{sums[0]} caught, {sums[1]} for the stated reason, {sums[2]} unrelated reds"
    out += [f"{'holds' if bar.held else 'BROKEN':6}  {bar.name}: {bar.reached}" for bar in bars(rows)]
    return [*out, f"{len(rows)} liars: {score}"]


def as_json(rows: Sequence[Row], *, wall: float, jobs: int) -> dict[str, Any]:
    """The table with its figures; `wall` in seconds."""
    return {
        "liars": len(rows),
        "caught": sum(row.caught for row in rows),
        "for_the_reason": sum(row.for_the_reason for row in rows),
        "unrelated_reds": sum(len(row.unrelated) for row in rows),
        "judged_by_all_checks": sum(row.full for row in rows),
        "wall_seconds": round(wall, 1),
        "jobs": jobs,
        "bars": [{"name": bar.name, "reached": bar.reached, "held": bar.held} for bar in bars(rows)],
        "table": [_row(row) for row in sorted(rows, key=lambda row: (row.liar.area, row.liar.name))],
    }


def _row(row: Row) -> dict[str, Any]:
    liar = row.liar
    red = row.result.having(*RED) if row.result else ()
    return {
        "name": liar.name,
        "requirement": liar.requirement,
        "level": liar.level,
        "area": liar.area,
        "how": liar.how,
        "checks": "all" if row.full else "group",
        "caught": row.caught,
        "for_the_reason": row.for_the_reason,
        "may_also": dict(liar.may_also),
        "unrelated": list(row.unrelated),
        "red_checks": [result.check for result in red],
        "seconds": round(row.seconds, 1),
        **({"trouble": row.trouble} if row.trouble else {}),
        **({} if row.for_the_reason else {"stated": row.stated}),
    }
