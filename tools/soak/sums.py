"""The figures of the kit under load: from the records of its runs to sums, and to what is missed of the bars.

Pure: it must not know how a run is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

UNSETTLED = 0.01
"""The largest share of all verdicts that may be inconclusive, or not judged for want of a set-up that worked."""
NOT_ASKED = ("needs-hook", "needs-nodes", "needs-setting", "not-claimed", "nothing-seen", "too-long")
"""Reasons for not judging that are the same on a quiet machine."""
FOR_THE_REASON = 0.95
"""The least share of the liars that must be caught for the stated requirement."""
NAMED = 30
"""So many reds and inconclusive checks are named."""

Record = Mapping[str, Any]


def figures(records: Iterable[Record], source: str | None) -> dict[str, Any]:
    """The sum of the records of one state of the sources, None for all; the last record of a run counts."""
    records = list(records)
    last = {(r["load"], r["target"], r["number"]): r for r in records if source in (None, r["source"])}
    honest = [record for record in last.values() if "caught" not in record]
    liars = [record for record in last.values() if "caught" in record]
    return {
        "source": source,
        "commits": sorted({str(record["commit"]) for record in last.values()}),
        "runs_of_other_sources": sum(source not in (None, record["source"]) for record in records),
        "honest": {load: _honest([r for r in honest if r["load"] == load]) for load in ("busy", "quarter")},
        "liars": _liars(liars),
    }


def _honest(records: Sequence[Record]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for record in records:
        counts.update(record["counts"])
    total = sum(counts.values())
    failed = sum(found["reason"] not in NOT_ASKED for record in records for found in record["not_judged"])
    times = [record["seconds"] for record in records] or [0.0]
    return {
        "runs": len(records),
        "without_result": sum(not record["counts"] for record in records),
        "last_words": sorted({record["words"] for record in records if not record["counts"]}),
        "verdicts": total,
        "fail": counts["fail"],
        "warn": counts["warn"],
        "kit_error": counts["kit-error"],
        "not_judged": counts["not-judged"],
        "set_up_failed": failed,
        "inconclusive": counts["inconclusive"],
        "inconclusive_share": round(counts["inconclusive"] / max(1, total), 5),
        "unsettled_share": round((counts["inconclusive"] + failed) / max(1, total), 5),
        "seconds": {"median": round(median(times), 1), "most": max(times)},
        "worst_lag": max((record["worst_lag"] or 0.0 for record in records), default=0.0),
        "reds": [red for record in records for red in record["reds"]][:NAMED],
        "reds_by_check": _by_check(records, "reds"),
        "inconclusive_by_check": _by_check(records, "inconclusive"),
        "kit_errors_by_check": _by_check(records, "kit_errors"),
        "not_judged_by_check": _by_check(records, "not_judged"),
    }


def _by_check(records: Sequence[Record], kind: str) -> dict[str, int]:
    return dict(Counter(found["check"] for record in records for found in record[kind]).most_common(NAMED))


def _liars(records: Sequence[Record]) -> dict[str, Any]:
    reason = sum(record["for_the_reason"] for record in records)
    return {
        "runs": len(records),
        "caught": sum(record["caught"] for record in records),
        "for_the_reason": reason,
        "for_the_reason_share": round(reason / max(1, len(records)), 4),
        "unrelated": sum(len(record["unrelated"]) for record in records),
        "most_unrelated": max((len(record["unrelated"]) for record in records), default=0),
        "missed": [
            {key: record[key] for key in ("target", "requirement", "stated", "words")}
            for record in records
            if not record["for_the_reason"]
        ],
        "rows": [
            {key: record[key] for key in ("target", "caught", "for_the_reason", "unrelated", "seconds", "worst_lag")}
            for record in records
        ],
    }


def bars_missed(found: Mapping[str, Any]) -> list[str]:
    """A line for each bar that is missed."""
    lines = []
    for load, sums in found["honest"].items():
        for what in ("fail", "warn", "kit_error", "without_result"):
            if sums[what]:
                lines.append(f"{load}: {sums[what]} {what.replace('_', ' ')}, expected none")
        if sums["unsettled_share"] > UNSETTLED:
            share = f"{sums['unsettled_share']:.2%} inconclusive or without a set-up"
            lines.append(f"{load}: {share}, expected {UNSETTLED:.0%} at most")
    liars = found["liars"]
    if liars["runs"] and liars["for_the_reason_share"] < FOR_THE_REASON:
        share = f"{liars['for_the_reason']} of {liars['runs']} liars"
        lines.append(f"{share} caught for their reason, expected {FOR_THE_REASON:.0%} at least")
    return lines


def lines(found: Mapping[str, Any]) -> list[str]:
    """The sum for people."""
    out = []
    for load, sums in found["honest"].items():
        out.append(
            f"{load}: {sums['runs']} runs, {sums['verdicts']} verdicts: {sums['fail']} fail, {sums['warn']} warn, "
            f"{sums['inconclusive']} inconclusive ({sums['inconclusive_share']:.2%}), {sums['kit_error']} kit-error, "
            f"{sums['not_judged']} not judged ({sums['set_up_failed']} of them for load), "
            f"{sums['without_result']} runs without result; "
            f"{sums['seconds']['median']:.0f} s each (median), worst lag {sums['worst_lag']:.2f} s"
        )
        for kind in ("reds", "inconclusive", "kit_errors", "not_judged"):
            named = ", ".join(f"{check} {count}" for check, count in sums[f"{kind}_by_check"].items())
            out += [f"    {kind}: {named}"] if named else []
    liars = found["liars"]
    out.append(
        f"liars: {liars['runs']} runs: {liars['caught']} caught, {liars['for_the_reason']} for the stated reason, "
        f"{liars['unrelated']} unrelated reds (at most {liars['most_unrelated']} each)"
    )
    out += [f"    missed: {missed['target']}: {missed['stated'] or missed['words']}" for missed in liars["missed"]]
    return [*out, f"runs of other sources, not counted: {found['runs_of_other_sources']}"]
