"""Judges of generated frames."""

from __future__ import annotations

from typing import Any

import pytest
from transcripts import Script

from roomproof_conformance.judges.generated import Handled, OnlyAdmitted, Referenced

ERROR = {"type": "error", "re": "n1", "code": "invalid_room"}
PONG = {"type": "pong", "re": "n1"}


def _answered(*trees: dict[str, Any], code: int | None = None, tcp: bool = False, by: str = "server") -> Script:
    script = Script()
    assert script.frame(0.0, "a", 1, "sent", text="spoilt") == 1
    for tree in trees:
        script.event(0.1, "a", "error", tree=tree)
    if code is not None or tcp:
        script.end(0.2, "a", code=code, how="eof" if tcp else "close", by=by)
    script.mark(1.0)
    return script


def _handled(**options: Any) -> Handled:
    return Handled("a", 1, "join.room:empty", "invalid_room", **{"allowed": [ERROR], **options})


@pytest.mark.parametrize(
    ("what", "options", "outcome"),
    [
        (_answered(ERROR), {}, "holds"),
        (_answered(PONG), {}, "broken"),
        (_answered(PONG), {"tolerated": [PONG]}, "tolerated"),
        (_answered(), {}, "broken"),
        (_answered({"type": "tick"}), {}, "broken"),
        (_answered({"type": "tick"}, ERROR), {}, "holds"),
        (_answered(ERROR, code=4400), {}, "broken"),
        (_answered(ERROR, PONG, code=4400), {}, "holds"),  # the end belongs to the next frame
        (_answered(ERROR, code=1000, by="kit"), {}, "holds"),
        (_answered(ERROR, code=4401), {"close": 4401}, "holds"),
        (_answered(ERROR), {"close": 4401}, "broken"),
        (_answered(ERROR, code=4400), {"close": 4401}, "broken"),
        (_answered(code=4401), {"close": 4401}, "broken"),  # without the error
        (_answered(code=1009), {"allowed": [], "close": 1009}, "holds"),
        (_answered(ERROR, code=1009), {"allowed": [], "close": 1009}, "holds"),
        (_answered(tcp=True), {"allowed": [], "close": 1009}, "broken"),
        (_answered(tcp=True), {"allowed": [], "close": 1009, "ends": "tcp"}, "tolerated"),
        (_answered(code=1002), {"allowed": [], "close": 1009, "ends": "tcp"}, "broken"),
        (_answered(code=1002), {"allowed": [], "close": 1007, "ends": "any"}, "tolerated"),
        (_answered(), {"allowed": [], "close": 1007, "ends": "any"}, "broken"),
        (_answered(ERROR, code=4101), {"ends": "any"}, "holds"),
        (_answered(code=4408), {}, "unclear"),  # the time for a hello was over when the frame was written
        (_answered(code=4400), {"moot": True}, "holds"),
        (_answered(), {"moot": True}, "broken"),
    ],
)
def test_handled(what: Script, options: dict[str, Any], outcome: str) -> None:
    assert what.judged(_handled(**options)).outcome == outcome


def test_what_is_found_names_the_frame_what_was_sent_what_came_and_what_was_expected() -> None:
    finding = _answered(PONG).judged(_handled())
    assert finding.expected == "join.room:empty: invalid_room"
    assert "expected 'error', got 'pong'" in finding.seen
    assert finding.seen.endswith("sent spoilt")
    assert finding.evidence == (1, 2)


def test_answers_on_other_connections_and_before_the_frame_do_not_count() -> None:
    script = Script()
    script.event(0.0, "a", "error", tree=ERROR)
    sent = script.frame(0.1, "a", 1, "sent", text="spoilt")
    script.event(0.2, "b", "error", tree=ERROR)
    assert script.judged(Handled("a", sent, "x", "x", [ERROR])).outcome == "broken"


def test_a_hello_timeout_long_after_the_frame_is_no_excuse() -> None:
    script = Script()
    sent = script.frame(0.0, "a", 1, "sent", text="spoilt")
    script.end(1.2, "a", code=4408)
    assert script.judged(Handled("a", sent, "x", "x", [ERROR])).outcome == "broken"


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [(["n1", "n2"], "holds"), (["n1", None], "broken"), (["n2", "n1"], "broken"), ([], "unclear")],
)
def test_referenced(replies: list[str | None], outcome: str) -> None:
    script = Script()
    asked = []
    for number in (1, 2):
        sent = script.frame(0.1, "a", 1, "sent", text="spoilt")
        asked.append((sent, f"n{number}"))
        script.event(0.2, "b", "error", tree={"type": "error", "re": "other"})
        script.event(0.2, "a", "message", tree={"type": "message"})
        if len(replies) >= number:
            script.event(0.2, "a", "error", tree={"type": "error", "re": replies[number - 1]})
    assert script.judged(Referenced(asked)).outcome == outcome


def _room(*, acked: bool = True, delivered: bool = True, ended: bool = False) -> Script:
    script = Script()
    script.event(0.1, "b", "message", room="r", epoch="e", seq=1)
    mark = script.mark(0.2)
    assert mark == 2
    if delivered:
        script.event(0.3, "b", "message", room="r", epoch="e", seq=2)
    if acked:
        script.event(0.4, "a", "ack", room="r", epoch="e", seq=2)
    if ended:
        script.end(0.5, "a", code=1011)
    return script


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ({}, "holds"),
        ({"acked": False}, "broken"),
        ({"acked": False, "ended": True}, "unclear"),  # stored or not (MSG-14)
        ({"delivered": False}, "unclear"),
    ],
)
def test_only_admitted(how: dict[str, Any], outcome: str) -> None:
    assert _room(**how).judged(OnlyAdmitted("b", "r", 2)).outcome == outcome
