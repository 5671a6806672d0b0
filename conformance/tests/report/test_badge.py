from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roomproof_conformance.known import Entry, KnownChecks
from roomproof_conformance.report.badge import badge, write_badge
from roomproof_conformance.results import RunResult
from roomproof_conformance.verdicts import Conclusion, Reason, Verdict

# https://shields.io/badges/endpoint-badge
SHIELDS = {
    "type": "object",
    "required": ["schemaVersion", "label", "message"],
    "additionalProperties": False,
    "properties": {
        "schemaVersion": {"const": 1},
        "label": {"type": "string"},
        "message": {"type": "string", "minLength": 1},
        "color": {"enum": ["brightgreen", "green", "yellow", "red", "lightgrey"]},
        "isError": {"type": "boolean"},
    },
}


def test_it_is_what_shields_reads(result: RunResult, conformant: RunResult, known: RunResult, tmp_path: Path) -> None:
    for run in (result, conformant, known):
        write_badge(run, tmp_path / "badge.json")
        Draft202012Validator(SHIELDS).validate(json.loads((tmp_path / "badge.json").read_text()))


def test_red_and_green(result: RunResult, conformant: RunResult) -> None:
    assert badge(result)["message"] == "4 of 122 broken"
    assert badge(result)["color"] == "red"
    assert badge(conformant) == {
        "schemaVersion": 1,
        "label": "roomproof.v1",
        "message": "132 of 152",
        "color": "brightgreen",
    }


@pytest.mark.parametrize(
    ("conclusion", "message", "colour"),
    [
        (Conclusion(Verdict.INCONCLUSIVE, Reason.NOISE), "inconclusive", "yellow"),
        (Conclusion(Verdict.KIT_ERROR, Reason.CRASH), "kit error", "lightgrey"),
        (Conclusion(Verdict.NOT_JUDGED, Reason.BUDGET), "nothing judged", "lightgrey"),
    ],
)
def test_what_is_neither(book: Any, conclusion: Conclusion, message: str, colour: str) -> None:
    book.add("MSG-1.x", "t", conclusion)
    assert (badge(book.result)["message"], badge(book.result)["color"]) == (message, colour)


def test_known_failures_are_counted_apart(book: Any) -> None:
    book.add("MSG-1.x", "t", Conclusion(Verdict.FAIL))
    book.add("MSG-2.x", "t", Conclusion(Verdict.PASS))
    KnownChecks((Entry("failing", "MSG-1.x", "r", "k:1"),)).mark(book.result)
    assert (badge(book.result)["message"], badge(book.result)["color"]) == ("1 of 152, 1 known to fail", "green")
    KnownChecks((Entry("failing", "MSG-2.x", "r", "k:1"),)).mark(book.result)
    assert badge(book.result)["color"] == "red"
