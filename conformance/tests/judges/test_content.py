"""Judges of what was said."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges import Absent, Arrives, History, Replied, Shows


def test_arrives_once() -> None:
    script = Script()
    script.event(0.1, "b", "message", text="hi", room="r")
    assert script.judged(Arrives("b", {"kind": "message", "text": "hi"})).outcome == "holds"


def test_arrives_twice_is_not_once() -> None:
    script = Script()
    for t in (0.1, 0.2):
        script.event(t, "b", "message", text="hi", room="r")
    assert script.judged(Arrives("b", {"text": "hi"})).outcome == "broken"


def test_what_came_to_another_connection_did_not_arrive() -> None:
    script = Script()
    script.event(0.1, "c", "message", text="hi", room="r")
    script.end(0.2, "b", code=1011)
    finding = script.judged(Arrives("b", {"text": "hi"}))
    assert finding.outcome == "broken"
    assert "1011" in finding.seen


def test_late_is_broken_and_late_by_noise_is_unclear() -> None:
    script = Script()
    after = script.mark(0.0)
    script.event(1.3, "b", "message", text="hi")
    judge = Arrives("b", {"text": "hi"}, after=after, within=1.0)
    assert script.judged(judge).outcome == "broken"
    script.add(1.4, "", "noise", seconds=0.5)
    assert script.judged(judge).outcome == "unclear"


def test_absence_needs_a_fence() -> None:
    script = Script()
    judge = Absent("b", {"text": "secret"}, fence={"text": "fence"})
    assert script.judged(judge).outcome == "unclear"
    script.event(0.1, "b", "message", text="fence")
    assert script.judged(judge).outcome == "holds"
    script.event(0.2, "b", "message", text="secret")
    assert script.judged(judge).outcome == "broken"


def test_a_quiet_absence_must_have_been_listened_to() -> None:
    script = Script()
    after = script.mark(0.0)
    script.mark(0.2)
    assert script.judged(Absent("b", {"text": "x"}, after=after, quiet=1.0)).outcome == "unclear"
    script.mark(1.0)
    assert script.judged(Absent("b", {"text": "x"}, after=after, quiet=1.0)).outcome == "holds"


def test_replied() -> None:
    script = Script()
    op = script.op(0.0, "a", "join", room="r")
    judge = Replied(op, {"code": "invalid_room"}, ok=False)
    assert script.judged(judge).outcome == "broken"
    event = script.event(0.1, "a", "error", code="forbidden", ref="q")
    script.reply(0.1, "a", op, event, ok=False)
    finding = script.judged(judge)
    assert finding.outcome == "broken"
    assert "forbidden" in finding.seen
    assert script.judged(Replied(op, {"code": "forbidden"}, ok=False)).outcome == "holds"
    assert script.judged(Replied(op, ok=True)).outcome == "broken"


def test_an_operation_without_promised_answer_has_succeeded() -> None:
    script = Script()
    op = script.op(0.0, "a", "identify")
    script.reply(0.0, "a", op, None)
    assert script.judged(Replied(op, ok=True)).outcome == "holds"
    assert script.judged(Replied(op, {"code": "x"}, ok=False)).outcome == "broken"


def test_shows() -> None:
    script = Script()
    index = script.event(0.0, "a", "ack", tree={"type": "sent", "seq": 3}, seq=3)
    assert script.judged(Shows(index, {"tree": {"seq": 3}})).outcome == "holds"
    assert script.judged(Shows(index, {"tree": {"seq": 4}})).outcome == "broken"


def history(*texts: str) -> Script:
    script = Script()
    script.event(0.1, "a", "joined", room="r", entries=[{"text": text} for text in texts])
    return script


def test_history_exactly() -> None:
    judge = History("a", "r", ["1", "2", "3"])
    assert history("1", "2", "3").judged(judge).outcome == "holds"
    for wrong, word in (
        (("1", "2"), "missing"),
        (("3", "2", "1"), "newest first"),
        (("2", "1", "3"), "another order"),
        (("1", "2", "3", "3"), "repeated"),
        (("0", "1", "2", "3"), "unexpected"),
    ):
        finding = history(*wrong).judged(judge)
        assert finding.outcome == "broken"
        assert word in finding.seen


def test_history_in_single_events_is_gathered() -> None:
    script = Script()
    for text in ("1", "2"):
        script.event(0.1, "a", "history", room="r", text=text)
    assert script.judged(History("a", "r", ["1", "2"])).outcome == "holds"


def test_history_loosely_bounded() -> None:
    judge = History("a", "r", ["1", "2", "3", "4"], newest_of=True, bound=3)
    assert history("3", "4").judged(judge).outcome == "holds"
    assert history("1", "2", "3", "4").judged(judge).outcome == "broken"
    assert history("2", "4").judged(judge).outcome == "broken"
    assert history().judged(judge).outcome == "broken"


def test_an_answer_may_come_before_the_request() -> None:
    script = Script()
    script.event(0.0, "b", "history")
    pushed = script.event(0.1, "a", "history", room="r")
    join = script.op(0.2, "a", "join", room="r")
    script.reply(0.2, "a", join, pushed)
    assert script.judged(Replied(join, {"kind": "history"}, ok=True)).outcome == "holds"
