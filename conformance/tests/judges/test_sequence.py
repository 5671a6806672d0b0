"""Judges of what comes first and what comes after what."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges import First, InTurn, JoinedFirst

WELCOME, ERROR = {"kind": "welcome"}, {"kind": "error"}


def test_first() -> None:
    script = Script()
    begin = script.mark(0.0)
    assert script.judged(First("a", WELCOME, begin)).outcome == "broken"
    script.event(0.1, "b", "error")
    script.event(0.1, "a", "heartbeat")
    script.event(0.2, "a", "welcome")
    script.event(0.3, "a", "error")
    assert script.judged(First("a", WELCOME, begin)).outcome == "broken"
    assert script.judged(First("a", WELCOME, begin, {"kind": {"not": "heartbeat"}})).outcome == "holds"
    assert script.judged(First("a", WELCOME, begin, ERROR)).outcome == "broken"


def test_first_tells_that_the_connection_ended() -> None:
    script = Script()
    script.end(1.0, "a", code=1011)
    assert "1011" in script.judged(First("a", WELCOME)).seen


def test_in_turn() -> None:
    script = Script()
    for kind in ("welcome", "message", "error"):
        script.event(0.1, "a", kind)
    assert script.judged(InTurn("a", [WELCOME, ERROR])).outcome == "holds"
    assert script.judged(InTurn("a", [ERROR, WELCOME])).outcome == "broken"
    assert script.judged(InTurn("a", [WELCOME, ERROR, ERROR])).outcome == "broken"
    assert script.judged(InTurn("a", [WELCOME, ERROR], of={"kind": {"exists": True}})).outcome == "broken"
    last = script.mark(0.2)
    script.event(0.3, "a", "error")
    assert "one more" in script.judged(InTurn("a", [WELCOME, ERROR])).seen
    assert script.judged(InTurn("a", [WELCOME, ERROR], until=last)).outcome == "holds"


def _joins(script: Script, early: bool) -> None:
    join = script.op(0.0, "a", "join", room="r")
    if early:
        script.event(0.1, "a", "message", room="r", text="t")
    script.reply(0.2, "a", join, script.event(0.2, "a", "joined", room="r"))
    script.event(0.3, "a", "message", room="r", text="u")


def test_joined_first() -> None:
    script = Script()
    assert script.judged(JoinedFirst()).outcome == "unclear"
    _joins(script, early=False)
    assert script.judged(JoinedFirst()).outcome == "holds"


def test_joined_first_sees_what_was_too_early() -> None:
    script = Script()
    _joins(script, early=True)
    assert script.judged(JoinedFirst()).outcome == "broken"
    again = Script()
    join = again.op(0.0, "a", "join", room="r")
    again.event(0.1, "a", "joined", room="r", sender="somebody")
    again.reply(0.2, "a", join, again.event(0.2, "a", "joined", room="r"))
    assert again.judged(JoinedFirst()).outcome == "broken"


def test_another_room_or_connection_may_be_first() -> None:
    script = Script()
    join = script.op(0.0, "a", "join", room="r")
    script.event(0.1, "a", "message", room="other", text="t")
    script.event(0.1, "b", "message", room="r", text="t")
    script.reply(0.2, "a", join, script.event(0.2, "a", "joined", room="r"))
    script.event(0.3, "a", "message", room="r", text="u")
    assert script.judged(JoinedFirst()).outcome == "holds"
