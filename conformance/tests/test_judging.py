"""Verdicts from transcripts, offline."""

from __future__ import annotations

import subprocess
import sys

import pytest
from transcripts import Script

from roomproof_conformance.judges import Arrives, Stays
from roomproof_conformance.judges.base import Judge
from roomproof_conformance.judging import judge_case, judge_statements
from roomproof_conformance.verdicts import Conclusion, Reason, Verdict


def state(script: Script, judge: Judge, check: str = "X-1.a", role: str = "must") -> None:
    script.add(1.0, "", "statement", check=check, role=role, judge=judge.kind, params=judge.params(), says="so")


def test_a_statement_is_judged_over_what_came_later_too() -> None:
    script = Script()
    script.event(0.1, "a", "message", text="x")
    state(script, Arrives("a", {"text": "x"}))
    assert judge_statements(script.transcript)[0].finding.outcome == "holds"
    script.event(2.0, "a", "message", text="x")
    assert judge_statements(script.transcript)[0].finding.outcome == "broken"


def test_what_is_given_is_given_for_every_check_of_a_case() -> None:
    script = Script()
    state(script, Arrives("a", {"text": "x"}), "X-1.a", "given")
    script.opened(0.0, "b")
    state(script, Stays("b"), "X-2.b")
    found = judge_case(script.transcript, ["X-1.a", "X-2.b"], lambda _: "MUST")
    assert {c.verdict for c in found.values()} == {Verdict.NOT_JUDGED}


def test_a_check_that_the_scenario_did_not_come_to_is_not_judged() -> None:
    script = Script()
    state(script, Arrives("a", {"text": "x"}), "X-1.a")
    found = judge_case(script.transcript, ["X-1.a", "X-2.b"], lambda _: "MUST")
    assert found["X-1.a"].verdict is Verdict.FAIL
    assert found["X-2.b"].verdict is Verdict.NOT_JUDGED
    assert "X-1.a" in found["X-2.b"].explanation


def test_a_scenario_that_states_nothing_is_the_kits_fault() -> None:
    assert judge_case(Script().transcript, ["X-1.a"], lambda _: "MUST")["X-1.a"].verdict is Verdict.KIT_ERROR


def test_a_scenario_that_broke_off_is_judged_by_what_it_had_stated() -> None:
    script = Script()
    state(script, Arrives("a", {"text": "x"}), "X-1.a")
    why = "the scenario took longer than 60 s"
    script.add(2.0, "", "crash", verdict="kit-error", reason="crash", explanation=why)
    found = judge_case(script.transcript, ["X-1.a", "X-2.b"], lambda _: "MUST")
    assert found["X-1.a"].verdict is Verdict.FAIL
    assert found["X-2.b"] == Conclusion(Verdict.KIT_ERROR, Reason.CRASH, why)


def test_every_judge_is_known_without_the_scenarios() -> None:
    ask = (
        "import sys; from roomproof_conformance.judging import load_judges; load_judges(); "
        "from roomproof_conformance.judges import judge_named; print(judge_named('framed', dict(conn='a', texts=[]))); "
        "assert not [name for name in sys.modules if '.scenarios' in name]"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Framed(")


def test_a_statement_of_another_version_is_an_error_in_words() -> None:
    script = Script()
    script.add(1.0, "", "statement", check="X-1.a", role="must", judge="nobody", params={}, says="so")
    with pytest.raises(ValueError, match="cannot be judged by this version"):
        judge_statements(script.transcript)


def test_a_client_closed_for_the_kits_own_lag_proves_nothing() -> None:
    def found(noise: float) -> Verdict:
        script = Script()
        script.transcript.records.clear()
        script.add(0.0, "", "case", checks=["BEAT-5.a"], heartbeat={"timeout": 1.0, "code": 4001})
        script.add(0.1, "", "noise", seconds=noise)
        script.end(3.0, "a", code=4001)
        state(script, Arrives("a", {"text": "x"}), "BEAT-5.a")
        return judge_case(script.transcript, ["BEAT-5.a"], lambda _: "MUST")["BEAT-5.a"].verdict

    assert found(0.1) is Verdict.FAIL
    assert found(1.5) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("written", "verdict"), [(1.2, Verdict.INCONCLUSIVE), (0.7, Verdict.FAIL), (None, Verdict.FAIL)]
)
def test_a_hello_that_crossed_the_close_of_who_says_none_proves_nothing(
    written: float | None, verdict: Verdict
) -> None:
    script = Script()
    script.opened(0.1, "a")
    if written is not None:
        script.frame(written, "a", 1, "sent", text="{}")
    script.end(1.3, "a", code=4408)
    state(script, Stays("a"))
    assert judge_case(script.transcript, ["X-1.a"], lambda _: "MUST")["X-1.a"].verdict is verdict


def test_a_limit_per_address_that_was_announced_is_no_fault() -> None:
    def found(guarded: bool) -> Verdict:
        script = Script()
        script.transcript.records.clear()
        script.add(0.0, "", "case", checks=["X-1.a"], guarded=guarded)
        script.end(0.5, "a", code=4230)
        state(script, Arrives("a", {"text": "x"}))
        return judge_case(script.transcript, ["X-1.a"], lambda _: "MUST")["X-1.a"].verdict

    assert found(True) is Verdict.NOT_JUDGED
    assert found(False) is Verdict.FAIL
