"""From a matrix of the answers to the figures of docs/results/multivac.json: pure, but for the transcripts it reads.

Knows the evaluation's example (examples/multivac) and nothing of how its answers are run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from roomproof_conformance.judging import judge_case
from roomproof_conformance.offline.files import load
from roomproof_conformance.report.story import Gap as Gap
from roomproof_conformance.report.story import Line, cut, story
from tools import ROOT

EXAMPLE = ROOT / "examples" / "multivac"
KEPT = ("pass", "tolerated")
JUDGED = (*KEPT, "fail", "warn", "inconclusive")
GIVEN, REPAIRED = "as given", "repaired"
LINES = 14
"""Lines of a transcript that are shown."""
LETTERS = 110
"""Letters of a frame."""


@dataclass(frozen=True)
class Known:
    """One thing known of an answer by hand: the verdict that a check must give, and why in words."""

    check: str
    verdict: str
    says: str
    telling: bool = False  # shown on the page
    late: bool = False  # shows only after waits that a short run leaves out


def known_findings(path: Path = EXAMPLE / "findings.yaml") -> dict[str, list[Known]]:
    """What was found by hand of each answer. Raises ValueError when the file does not hold it."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return {name: [Known(**entry) for entry in entries] for name, entries in data.items()}
    except (AttributeError, TypeError) as fault:
        raise ValueError(f"{path}: expected lists of check, verdict, says, telling ({fault})") from None


def disagreements(
    reports: Mapping[str, Mapping[str, Any]], known: Mapping[str, Sequence[Known]], *, partly: bool = False
) -> list[str]:
    """Where the kit says other than what was found by hand; what was left out on purpose is no disagreement.

    `partly`: not all checks were run.
    """
    wrong = []
    for name, report in reports.items():
        found = {check["check"]: check for check in report["checks"]}
        for entry in known.get(name, ()):
            check = found.get(entry.check)
            if partly and (check is None or entry.late):
                continue
            if check is None:
                wrong.append(f"{name}: {entry.check}: no such check (expected {entry.verdict}: {entry.says})")
            elif check["verdict"] != entry.verdict and check["reason"] != "too-long":
                wrong.append(f"{name}: {entry.check}: {check['verdict']}, expected {entry.verdict}: {entry.says}")
    return wrong


def mission(matrix: Mapping[str, Any], path: Path = EXAMPLE / "mission.yaml") -> list[dict[str, Any]]:
    """Each phrase of the question with its rows: the MUSTs of its areas by which some answer was judged."""
    rows = {area["name"]: [row for row in area["rows"] if row["level"] == "MUST"] for area in matrix["areas"]}
    phrases: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        {"asks": phrase["asks"], "rows": [row["id"] for area in phrase["areas"] for row in rows.get(area, ())]}
        for phrase in phrases
    ]


def counts(column: Mapping[str, Any], rows: Sequence[str]) -> dict[str, int]:
    """How many of the rows an answer keeps, breaks, and leaves without a judgement."""
    states = [column["rows"].get(row, {"state": "not-judged"})["state"] for row in rows]
    kept, broken = (sum(state in among for state in states) for among in (KEPT, ("fail", "warn")))
    return {"kept": kept, "broken": broken, "unjudged": len(states) - kept - broken}


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, the largest first; ties share the average of their places."""
    ordered = sorted(values, reverse=True)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rho with averaged ties: the correlation of the ranks; None where one of them does not vary."""
    first, second = ranks(one), ranks(other)
    middle = (len(first) + 1) / 2
    both = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spread = (sum((a - middle) ** 2 for a in first) * sum((b - middle) ** 2 for b in second)) ** 0.5
    return both / spread if spread else None


def figures(
    matrix: Mapping[str, Any],
    facts: Sequence[Mapping[str, Any]],
    reports: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, Sequence[Known]],
    folder: Path,
) -> dict[str, Any]:
    """All that the page shows. `facts` are those of unpacking, `reports` the kit's own of each judged answer."""
    phrases = mission(matrix)
    rows = [row for phrase in phrases for row in phrase["rows"]]
    columns = {column["name"]: column for column in matrix["servers"]}
    given = [_answer(fact, columns[fact["model_key"]], rows) for fact in facts]
    repaired = [
        _answer(next(f for f in facts if name.startswith(f["model_key"])), column, rows)
        for name, column in columns.items()
        if column["set"] == REPAIRED
    ]
    mended = {answer["key"]: answer for answer in repaired}
    scores = [answer["score"] for answer in given]
    texts = {row["id"]: row["text"] for area in matrix["areas"] for row in area["rows"]}
    return {
        "kit": matrix["version"],
        "wall_seconds": matrix["wall_seconds"],
        "mission": [
            {
                **phrase,
                "kept": {a["name"]: counts(columns[a["name"]], phrase["rows"])["kept"] for a in given + repaired},
            }
            for phrase in phrases
        ],
        "rows": {
            row: {
                "text": texts[row],
                "states": {n: c["rows"][row]["state"] for n, c in columns.items() if row in c["rows"]},
            }
            for row in rows
        },
        "answers": given,
        "repaired": repaired,
        "correlation": {
            "n": len(given),
            "given": _rounded(rank_correlation(scores, [a["kept"] for a in given])),
            "repaired": _rounded(rank_correlation(scores, [mended.get(a["key"], a)["kept"] for a in given])),
            "running": sum(answer["state"] == "judged" for answer in given),
        },
        "findings": {
            name: [_finding(report, entry, folder / name) for entry in known[name] if entry.telling]
            for name, report in reports.items()
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _answer(fact: Mapping[str, Any], column: Mapping[str, Any], rows: Sequence[str]) -> dict[str, Any]:
    kept = ("state", "why", "exception", "python", "packages", "starts", "killers", "wall_seconds", "remark")
    return {
        "key": fact["model_key"],
        "name": column["name"],
        "title": column["title"],
        "rank": fact["rank"],
        "score": fact["score"],
        "lines": fact["last_line"] - fact["first_line"] + 1,
        "cut_off": fact["cut_off"],
        "fence_closed": fact["fence_closed"],
        "entry_point": fact["entry_point"],
        **{name: column[name] for name in kept},
        **counts(column, rows),
    }


def _finding(report: Mapping[str, Any], entry: Known, folder: Path) -> dict[str, Any]:
    """One telling thing, with the lines of its transcript around the evidence."""
    check = next(check for check in report["checks"] if check["check"] == entry.check)
    transcript = load(folder / "transcripts" / f"{check['case']}.jsonl")
    judged = judge_case(transcript, [entry.check], lambda _: check["level"])[entry.check].judged
    lines = cut(story(transcript, judged), LINES)
    return {
        "check": entry.check,
        "verdict": check["verdict"],
        "says": entry.says,
        "title": check["title"],
        "requirement": check["requirement"],
        "sentence": check["sentence"],
        "seen": check["seen"],
        "expected": check["expected"],
        "transcript": [_line(line) for line in lines],
    }


def _line(line: Line | Gap) -> str:
    if not isinstance(line, Line):
        return f"            … {line.count} lines left out"
    mark = {"out": "→", "in": "←", "end": "✕", "fault": "!", "open": "⇢", "refused": "⇢"}.get(line.role, "·")
    words = f"{line.label} {line.text(LETTERS)}".strip()
    return f"{line.t:9.3f} s {line.conn:2} {mark} {words}{'   ◄' if line.evidence else ''}"


def read(path: Path) -> dict[str, Any]:
    """A JSON file that is an object."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
