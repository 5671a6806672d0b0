"""Judges of what one client's bad frame does."""

from __future__ import annotations

from typing import Any

import pytest
from transcripts import Script

from roomproof_conformance.judges import Enters, Heard, Reacts, Recalls


def _spoilt(*, error: bool = False, accepted: bool = False, code: int | None = None, tcp: bool = False) -> Script:
    script = Script()
    sent = script.frame(0.0, "a", 1, "sent", text="not json")
    assert sent == 1
    if accepted:
        script.event(0.1, "b", "message", text="bad")
    if error:
        script.event(0.1, "a", "error", tree={"type": "error", "what": "not JSON"})
    if code is not None or tcp:
        script.end(0.2, "a", code=code, how="eof" if tcp else "close")
    script.mark(1.0)
    return script


@pytest.mark.parametrize(
    ("what", "allowed", "outcome"),
    [
        ({"error": True}, ["error"], "holds"),
        ({}, ["error"], "broken"),
        ({}, ["error", "ignore"], "holds"),
        ({"accepted": True}, ["ignore"], "broken"),
        ({"accepted": True}, ["accept"], "holds"),
        ({"error": True, "tcp": True}, ["error"], "broken"),
        ({"error": True, "code": 1007}, ["close"], "holds"),
        ({"code": 1000}, ["error"], "broken"),
        ({"code": 1009}, ["close 1009"], "holds"),
        ({"code": 1000}, ["close 1009"], "broken"),
        ({"tcp": True}, ["close"], "broken"),
        ({"tcp": True}, ["tcp-close"], "holds"),
        ({"error": True}, ["close 1009"], "broken"),
    ],
)
def test_reacts(what: dict[str, Any], allowed: list[str], outcome: str) -> None:
    assert _spoilt(**what).judged(Reacts("a", 1, allowed, text="bad")).outcome == outcome


def test_reacts_tolerates_and_tells() -> None:
    assert _spoilt(tcp=True).judged(Reacts("a", 1, ["close 1009"], ["tcp-close"])).outcome == "tolerated"
    seen = _spoilt(error=True, tcp=True).judged(Reacts("a", 1, ["error"])).seen
    assert "not JSON" in seen
    assert "without a Close frame" in seen
    assert "1000 says that all is well" in _spoilt(code=1000).judged(Reacts("a", 1, ["error"])).seen
    assert "gave b the frame's text" in _spoilt(accepted=True).judged(Reacts("a", 1, ["error"], text="bad")).seen


def test_an_end_by_the_kit_is_no_reaction() -> None:
    script = _spoilt(error=True)
    script.end(2.0, "a", code=1000, by="kit")
    assert script.judged(Reacts("a", 1, ["error"])).outcome == "holds"


def test_what_came_before_the_frame_is_no_reaction() -> None:
    script = Script()
    script.event(0.0, "a", "error", tree={})
    sent = script.frame(0.1, "a", 1, "sent", text="x")
    assert script.judged(Reacts("a", sent, ["error"])).outcome == "broken"


def test_heard() -> None:
    script = Script()
    op = script.send(0.0, "a", "t1")
    assert script.judged(Heard("a", op, "b")).outcome == "broken"
    assert "both connections are open" in script.judged(Heard("a", op, "b")).seen
    script.event(0.1, "b", "message", text="t1")
    script.end(1.0, "b", code=1000, by="kit")
    assert script.judged(Heard("a", op, "b")).outcome == "holds"


def test_nobody_is_heard_over_a_connection_that_ended() -> None:
    script = Script()
    script.end(0.0, "a", how="eof")
    op = script.send(0.1, "a", "t1")
    finding = script.judged(Heard("a", op, "b"))
    assert finding.outcome == "broken"
    assert "connection of a" in finding.seen
    assert script.judged(Heard("a", op, "b", unless_ended=True)).outcome == "holds"


def _enters(script: Script, conn: str, *, joins: bool) -> None:
    script.opened(0.0, conn)
    join = script.op(0.1, conn, "join", room="r")
    if joins:
        script.reply(0.2, conn, join, script.event(0.2, conn, "joined", room="r"))


def test_enters() -> None:
    script = Script()
    _enters(script, "c", joins=True)
    assert script.judged(Enters("c")).outcome == "holds"
    script.end(1.0, "c", code=1011)
    assert "thrown out" in script.judged(Enters("c")).seen
    assert "could not connect" in script.judged(Enters("d")).seen


@pytest.mark.parametrize(("elsewhere", "words"), [(True, "only this room"), (False, "whole server")])
def test_enters_tells_how_far_the_harm_goes(elsewhere: bool, words: str) -> None:
    script = Script()
    _enters(script, "c", joins=False)
    _enters(script, "d", joins=elsewhere)
    script.mark(5.0)
    finding = script.judged(Enters("c", "d"))
    assert finding.outcome == "broken"
    assert "no answer to join in 4.90 s" in finding.seen
    assert words in finding.seen


def test_enters_when_refused() -> None:
    script = Script()
    script.opened(0.0, "c", 503)
    assert "HTTP 503" in script.judged(Enters("c")).seen
    script.opened(0.0, "d")
    join = script.op(0.1, "d", "join", room="r")
    script.reply(0.2, "d", join, script.event(0.2, "d", "error"), ok=False)
    assert "join failed" in script.judged(Enters("d")).seen


def test_recalls() -> None:
    script = Script()
    script.event(0.0, "c", "history", entries=[{"text": "one"}, {"text": "between"}, {"text": "two"}])
    assert script.judged(Recalls("c", ["one", "two"])).outcome == "holds"
    assert script.judged(Recalls("c", ["two", "one"])).outcome == "broken"
    assert script.judged(Recalls("c", ["one", "gone"])).outcome == "broken"
    assert script.judged(Recalls("d", ["one"])).outcome == "broken"
