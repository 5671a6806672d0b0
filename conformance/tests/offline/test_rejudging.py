"""Verdicts from transcripts alone: the same as in the run, watches included."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from transcripts import Script

from roomproof_conformance import hooks, selftest
from roomproof_conformance.offline.files import again
from roomproof_conformance.offline.rejudging import BROKEN, broken, departures, rejudge, worst_exit
from roomproof_conformance.results import RunResult
from roomproof_conformance.verdicts import Reason, Verdict

HOOKS = hooks.load(Path(__file__).parent.parent / "liars" / "hooks.yaml")
LIARS = {
    "room-6-left-still-hear": ("ROOM-6.*", "ROOM-3.*"),
    "err-1-closes": ("ERR-1.*",),
    "msg-1-other-ts": ("MSG-1.*",),
}
"""Broken checks, broken watches, and what is not judged because another check was broken before."""


@pytest.fixture(scope="module", params=LIARS)
def result(request: pytest.FixtureRequest) -> RunResult:
    return asyncio.run(selftest.judge(request.param, HOOKS, LIARS[request.param], longest=3.0))


def test_a_run_says_the_same_from_its_transcripts(result: RunResult) -> None:
    assert result.having(*BROKEN)
    assert departures(result) == []


def test_a_folder_of_transcripts_is_judged_as_the_run_was(result: RunResult) -> None:
    said = {one.check: one for one in rejudge({name: again(t) for name, t in result.transcripts.items()})}
    for check in result.results:
        if check.case is not None:
            assert said[check.check].conclusion == check.conclusion
            assert said[check.check].case == check.case


def test_a_verdict_that_the_transcript_does_not_bear_out_is_found() -> None:
    result = asyncio.run(selftest.judge("room-6-left-still-hear", HOOKS, ("ROOM-6.*",), longest=3.0))
    red = result.having(Verdict.FAIL)[0]
    assert red.case is not None
    result.transcripts[red.case].records[:] = [
        r for r in result.transcripts[red.case].records if r.kind in ("case", "mark", "noise")
    ][:1]
    lines = departures(result, BROKEN)
    assert any(line.startswith(f"{red.check}: verdict is 'fail' in the run, ") for line in lines)


def test_a_check_that_does_not_apply_is_not_judged_from_its_transcript_either() -> None:
    script = Script()
    script.transcript.records.clear()
    script.add(0.0, "", "case", format=2, checks=["PRES-2.x"], capabilities=[], dialect="d", run="abcdef")
    script.opened(0.1, "a")
    script.add(0.2, "", "statement", check="PRES-2.x", role="must", judge="stays", params={"conn": "a"}, says="")
    said = rejudge({"one": script.transcript})
    assert said[0].conclusion.verdict is Verdict.NOT_APPLICABLE
    assert said[0].conclusion.reason is Reason.NOT_CLAIMED


def test_the_exit_code_is_that_of_a_run() -> None:
    script = Script()
    script.opened(0.1, "a")
    statement = {"check": "X-1.test", "role": "must", "judge": "stays", "params": {"conn": "a"}, "says": "a stays"}
    script.add(0.2, "", "statement", **statement)
    assert worst_exit(rejudge({"one": script.transcript})) == 0
    script.end(0.15, "a")
    assert worst_exit(rejudge({"one": script.transcript})) == 1
    assert list(broken(script.transcript)) == ["X-1.test"]


def test_a_judge_of_another_version_is_named_with_its_case() -> None:
    script = Script()
    script.add(0.2, "", "statement", check="X-1.test", role="must", judge="nobody", params={}, says="")
    with pytest.raises(ValueError, match=r"^one: statement with judge 'nobody'"):
        rejudge({"one": script.transcript})
