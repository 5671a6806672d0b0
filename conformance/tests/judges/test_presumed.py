"""What every conversation presumes, as judged by a watch of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from transcripts import Script

from roomproof_conformance.judges.presumed import AnsweredIsAlive, QuotaIsGranted
from roomproof_conformance.judging import judge_case
from roomproof_conformance.verdicts import Reason, Verdict

FACTS: dict[str, Any] = {"heartbeat": {"timeout": 1.0, "code": 4001}, "quota": {"allow": 2, "per": 1.0}}


def begun() -> Script:
    script = Script()
    script.transcript.records[0].data.update(FACTS)
    return script


def asked_and_closed(script: Script, code: int = 4001) -> Script:
    script.frame(1.0, "a", 9)
    script.end(2.0, "a", code=code)
    return script


def test_who_answers_pings_is_not_silent() -> None:
    assert begun().judged(AnsweredIsAlive()).outcome == "unclear"
    assert asked_and_closed(begun()).judged(AnsweredIsAlive()).outcome == "broken"
    assert asked_and_closed(begun(), code=4229).judged(AnsweredIsAlive()).outcome == "holds"


@pytest.mark.parametrize(
    "odd",
    [
        lambda script: script.add(0.5, "a", "local", action="mute", what=["pongs"]),
        lambda script: script.frame(0.5, "a", 10, "sent"),
        lambda script: script.add(0.5, "a", "sent", opcode=None),
        lambda script: script.add(0.5, "", "noise", seconds=0.4),
    ],
    ids=["told to be silent", "a Pong of its own", "raw bytes", "the kit was late"],
)
def test_what_else_may_be_the_reason(odd: Callable[[Script], int]) -> None:
    script = begun()
    odd(script)
    assert asked_and_closed(script).judged(AnsweredIsAlive()).outcome == "holds"


def test_who_was_never_asked_cannot_have_been_silent() -> None:
    script = begun()
    script.end(2.0, "a", code=4001)
    assert "never sent a Ping" in script.judged(AnsweredIsAlive()).seen


def refused(script: Script, t: float, text: str, scope: str = "user") -> None:
    op = script.send(t, "a", text)
    event = script.event(t + 0.01, "a", "rate_limited", ref="q", scope=scope)
    script.reply(t + 0.01, "a", op, event, ok=False)


def admitted(script: Script, t: float, text: str) -> None:
    op = script.send(t, "a", text)
    script.reply(t + 0.01, "a", op, script.event(t + 0.01, "a", "ack", ref="q"))


def test_the_quota_of_a_user_is_granted() -> None:
    script = begun()
    admitted(script, 0.0, "one")
    assert script.judged(QuotaIsGranted()).outcome == "unclear"
    admitted(script, 0.1, "two")
    refused(script, 0.2, "three")
    refused(script, 1.03, "by then the first may still count")
    assert script.judged(QuotaIsGranted()).outcome == "holds"
    refused(script, 1.2, "for its address", scope="address")
    assert script.judged(QuotaIsGranted()).outcome == "holds"
    refused(script, 1.3, "with nothing left in its window")
    assert script.judged(QuotaIsGranted()).outcome == "broken"


def test_what_broke_because_of_it_is_no_finding_of_its_own() -> None:
    """The row that judges the presumption is red, and another one is not judged."""
    script = asked_and_closed(begun())
    for check in ("DISC-8.x", "BEAT-5.x"):
        script.add(2.1, "", "statement", check=check, role="must", judge="stays", params={"conn": "a"}, says="stays")
    found = judge_case(script.transcript, ["DISC-8.x", "BEAT-5.x"], lambda _: "MUST")
    assert found["BEAT-5.x"].verdict is Verdict.FAIL
    assert found["DISC-8.x"].verdict is Verdict.NOT_JUDGED
    assert found["DISC-8.x"].reason is Reason.SETUP_FAILED
    assert "which BEAT-5 judges" in found["DISC-8.x"].explanation
