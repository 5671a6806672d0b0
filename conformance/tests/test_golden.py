"""Transcripts of the past are judged as they were: `golden/verdicts.json` says how, with every sentence.

A judge that speaks differently on purpose changes what stands there; see golden/README.md.
"""

from __future__ import annotations

import json
from pathlib import Path

from roomproof_conformance.offline import files
from roomproof_conformance.offline.rejudging import BROKEN, rejudge
from roomproof_conformance.verdicts import as_json

GOLDEN = Path(__file__).with_name("golden")


def test_every_golden_transcript_is_judged_as_before() -> None:
    expected = json.loads((GOLDEN / "verdicts.json").read_text())
    said = rejudge({path.name: files.load(path) for path in files.found([GOLDEN])})
    found = [
        {"check": one.check, "file": one.case, **as_json(one.conclusion)}
        for one in said
        if not one.watch or one.conclusion.verdict in BROKEN
    ]
    assert found == expected


def test_they_are_small_and_show_what_verdicts_there_are() -> None:
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) < 300_000
    verdicts = {row["verdict"] for row in json.loads((GOLDEN / "verdicts.json").read_text())}
    assert verdicts >= {"pass", "fail", "warn", "not-judged"}
