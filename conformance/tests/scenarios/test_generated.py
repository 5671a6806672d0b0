"""Generated frames on their way: which check judges which, what the answer may be, and what a connection may do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roomproof_conformance import checks, hooks
from roomproof_conformance.dialects import load
from roomproof_conformance.malformed import FAMILIES, Specimen, specimens
from roomproof_conformance.results import RunResult
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner
from roomproof_conformance.scenarios.generated import WORDS, check_of, handled
from roomproof_conformance.transcript import Transcript
from roomproof_conformance.verdicts import Verdict


@pytest.fixture(scope="module")
def walked() -> dict[str, Specimen]:
    return {s.id: s for s in specimens()}


def test_every_family_is_spoken_of() -> None:
    assert WORDS.keys() == FAMILIES.keys()


def test_every_frame_has_a_check_that_is_registered(walked: dict[str, Specimen]) -> None:
    known = {check.id: check for check in checks.all_checks()}
    for family in FAMILIES:
        for specimen in specimens((family,)):
            assert known[check_of(specimen, family)].needs == {"native"}


@pytest.mark.parametrize(
    ("identifier", "wanted"),
    [
        ("join.room:empty", {"close": None, "ends": "", "tolerated": 0}),
        ("hello.caps:integer", {"close": 4401, "ends": "", "tolerated": 0}),
        ("hello.caps:null", {"close": None, "ends": "any", "tolerated": 0}),  # its end is judged by CONN-13
        ("hello.caps:twice-last-good", {"close": None, "ends": "any", "tolerated": 1}),
        ("hello.auth.scheme:upper-case", {"close": None, "ends": "any", "tolerated": 0}),
        ("ping:oversize", {"close": 1009, "ends": "tcp", "tolerated": 0}),
        ("ping:bad-utf8", {"close": 1007, "ends": "any", "tolerated": 0}),
        ("history.limit:whole-float", {"close": None, "ends": "", "tolerated": 1}),
    ],
)
def test_what_the_answer_may_be(walked: dict[str, Specimen], identifier: str, wanted: dict[str, Any]) -> None:
    sent = Transcript().add(0.0, "a", "sent")
    judge = handled("a", sent, walked[identifier])
    assert {"close": judge.close, "ends": judge.ends, "tolerated": len(judge.tolerated)} == wanted
    assert judge.specimen == identifier


def test_the_quota_is_no_fault_of_a_valid_send(walked: dict[str, Specimen]) -> None:
    sent = Transcript().add(0.0, "a", "sent")
    codes = [p.get("code") for p in handled("a", sent, walked["send:minimal"]).allowed]
    assert codes == [None, "rate_limited"]
    assert len(handled("a", sent, walked["ping:minimal"]).allowed) == 1


@pytest.fixture(scope="module")
def result() -> RunResult:
    """Two families against the reference server, with limits of which a connection has little."""
    settings = {**SHORT_TIMERS, "errors": {"count": 12, "window_ms": 10000}}
    only = ("*.walk-numbers*", "*.walk-hello-types*")
    plan = Plan(load("native"), hooks=hooks.load("reference"), settings=settings, only=only)
    return asyncio.run(Runner(plan).run())


def test_the_reference_server_passes(result: RunResult) -> None:
    red = result.having(Verdict.FAIL, Verdict.WARN, Verdict.KIT_ERROR, Verdict.NOT_JUDGED)
    assert [(r.check, r.conclusion) for r in red] == []
    assert len(result.having(Verdict.PASS)) >= 10


def test_every_frame_of_a_family_was_judged_alone(result: RunResult, walked: dict[str, Specimen]) -> None:
    said = {
        record.data["params"]["specimen"]
        for transcript in result.transcripts.values()
        for record in transcript
        if record.kind == "statement" and record.data["judge"] == "handled"
    }
    wanted = {s.id for s in specimens(("numbers",))} | {s.id for s in specimens(("types",)) if s.first}
    assert wanted <= said
    assert {f"{i} repaired" for i in wanted if walked[i].negative and not walked[i].first} <= said


def test_no_connection_does_more_than_its_share(result: RunResult) -> None:
    for transcript in result.transcripts.values():
        errors: dict[str, int] = {}
        for record in transcript:
            if record.kind == "event" and record.data["kind"] == "error":
                errors[record.conn] = errors.get(record.conn, 0) + 1
        assert max(errors.values(), default=0) <= 12
