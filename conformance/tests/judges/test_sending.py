"""Judges of what becomes of a send."""

from __future__ import annotations

from typing import Any

import pytest
from transcripts import Script

from roomproof_conformance.judges.sending import Acknowledged, NoTrace, OneOfThem, RetryTells


def heard(script: Script, conn: str, seq: int, text: str, ts: int = 7) -> int:
    return script.event(0.2, conn, "message", room="r", epoch="e", seq=seq, ts=ts, text=text)


def answered(script: Script, op: int, conn: str = "a", **fields: Any) -> None:
    ack = script.event(0.2, conn, "ack", **{"room": "r", "epoch": "e", "ts": 7, "duplicate": False, **fields})
    script.reply(0.2, conn, op, ack)


def refused(script: Script, op: int, code: str, conn: str = "a") -> None:
    script.reply(0.2, conn, op, script.event(0.2, conn, "error", code=code), ok=False)


def test_sent_names_its_message() -> None:
    script = Script()
    op = script.send(0.1, "a", "one")
    heard(script, "b", 1, "one")
    answered(script, op, seq=1)
    assert script.judged(Acknowledged([op])).outcome == "holds"
    assert script.judged(Acknowledged()).outcome == "holds"


@pytest.mark.parametrize(
    ("fields", "seen"),
    [({"seq": 2}, "number 2, which never came"), ({"seq": 1, "ts": 8}, "time 8"), ({"seq": 3}, "which is three")],
)
def test_sent_names_another_message(fields: dict[str, Any], seen: str) -> None:
    script = Script()
    op = script.send(0.1, "a", "one")
    heard(script, "b", 1, "one")
    heard(script, "b", 3, "three")
    answered(script, op, **fields)
    finding = script.judged(Acknowledged([op]))
    assert finding.outcome == "broken"
    assert seen in finding.seen


def test_a_named_send_must_be_answered_by_sent() -> None:
    script = Script()
    op = script.send(0.1, "a", "one")
    assert script.judged(Acknowledged()).outcome == "unclear"
    assert script.judged(Acknowledged([op])).outcome == "broken"
    refused(script, op, "rate_limited")
    assert script.judged(Acknowledged([op])).outcome == "broken"


def test_what_is_refused_leaves_no_trace() -> None:
    script = Script()
    good, bad = script.send(0.1, "a", "good"), script.send(0.1, "a", "bad")
    answered(script, good, seq=1)
    refused(script, bad, "invalid_text")
    heard(script, "b", 1, "good")
    assert script.judged(NoTrace([good, bad])).outcome == "holds"
    assert script.judged(NoTrace([good, bad], least=2)).outcome == "broken"
    script.event(0.3, "b", "history", room="r", entries=[{"text": "bad"}])
    finding = script.judged(NoTrace([good, bad]))
    assert finding.outcome == "broken"
    assert "bad was refused (invalid_text) and came to b" in finding.seen


def test_a_refusal_with_unknown_outcome_may_leave_one() -> None:
    script = Script()
    ops = [script.send(0.1, "a", "lost"), script.send(0.1, "a", "bad")]
    refused(script, ops[0], "unavailable")
    refused(script, ops[1], "not_joined")
    heard(script, "b", 1, "lost")
    assert script.judged(NoTrace(ops)).outcome == "holds"


def raced(*answers: dict[str, Any]) -> tuple[Script, list[int]]:
    script = Script()
    ops = [script.send(0.1, "a", "one") for _ in answers]
    for op, fields in zip(ops, answers, strict=True):
        answered(script, op, **fields)
    return script, ops


def test_one_of_them_is_the_first() -> None:
    script, ops = raced({"seq": 1, "duplicate": True}, {"seq": 1}, {"seq": 1, "duplicate": True})
    assert script.judged(OneOfThem(ops)).outcome == "holds"


@pytest.mark.parametrize(
    ("answers", "seen"),
    [
        (({"seq": 1}, {"seq": 1}), "duplicate is false and false"),
        (({"seq": 1, "duplicate": True},) * 2, "duplicate is true and true"),
        (({"seq": 1}, {"seq": 2, "duplicate": True}), "seq differs: 1 and 2"),
        (({"seq": 1}, {"seq": 1, "ts": 9, "duplicate": True}), "ts differs: 7 and 9"),
    ],
)
def test_none_or_several_of_them(answers: tuple[dict[str, Any], ...], seen: str) -> None:
    script, ops = raced(*answers)
    finding = script.judged(OneOfThem(ops))
    assert (finding.outcome, finding.seen) == ("broken", seen)


def test_each_of_them_is_answered() -> None:
    script, ops = raced({"seq": 1})
    ops.append(script.send(0.3, "b", "one"))
    assert script.judged(OneOfThem(ops)).seen == "1 not answered"
    refused(script, ops[1], "mid_conflict", "b")
    assert "was refused" in script.judged(OneOfThem(ops)).seen


def retried(*, came_before: bool, duplicate: Any, seq: int = 1) -> tuple[Script, RetryTells]:
    script = Script()
    lost = script.send(0.1, "a", "one")
    if came_before:
        heard(script, "w", 1, "one")
    retry = script.send(0.2, "b", "one")
    if not came_before:
        heard(script, "w", 1, "one")
    answered(script, retry, "b", seq=seq, duplicate=duplicate)
    return script, RetryTells([lost, retry], conn="w")


def test_the_retry_tells_whether_it_was_stored() -> None:
    for came_before, duplicate in ((True, True), (False, True), (False, False)):
        script, judge = retried(came_before=came_before, duplicate=duplicate)
        assert script.judged(judge).outcome == "holds"


def test_the_retry_tells_wrongly() -> None:
    script, judge = retried(came_before=True, duplicate=False)
    assert "had come to w before the retry" in script.judged(judge).seen
    script, judge = retried(came_before=True, duplicate=True, seq=2)
    assert "names number 2, the message has 1" in script.judged(judge).seen
    script, judge = retried(came_before=False, duplicate=None)
    assert script.judged(judge).outcome == "broken"


def test_the_retry_is_stored_again_or_not_at_all() -> None:
    script, judge = retried(came_before=True, duplicate=False, seq=2)
    heard(script, "w", 2, "one")
    assert "came to w 2 times, under 2 numbers" in script.judged(judge).seen
    script = Script()
    ops = [script.send(0.1, "a", "one"), script.send(0.2, "b", "one")]
    assert script.judged(RetryTells(ops, conn="w")).seen == "the retry was not answered"
    answered(script, ops[1], "b", seq=1)
    assert "came to w 0 times" in script.judged(RetryTells(ops, conn="w")).seen


def test_nothing_that_a_server_sends_is_an_error_of_ours() -> None:
    for value in ([], {"a": 1}, None):
        script = Script()
        ops = [script.send(0.1, "a", "one"), script.send(0.2, "b", "one")]
        script.event(0.2, "w", "message", room=value, epoch=value, seq=value, text="one", ts=value)
        for op, conn in zip(ops, "ab", strict=True):
            answered(script, op, conn, room=value, epoch=value, seq=value, ts=value, duplicate=value)
        for judge in (OneOfThem(ops), RetryTells(ops, conn="w"), NoTrace(ops)):
            assert script.judged(judge).outcome == "broken"
        assert script.judged(Acknowledged(ops)).outcome in ("holds", "broken")
