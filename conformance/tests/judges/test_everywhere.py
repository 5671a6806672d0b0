"""Judges that fit any transcript."""

from __future__ import annotations

from typing import Any

import pytest
from transcripts import Script

from roomproof_conformance.judges.everywhere import (
    Faultless,
    LeftIsLeft,
    ListedCloses,
    OwnMids,
    ReplaysEqual,
    ResetIsQuiet,
    Unnumbered,
    well_formed,
)


def native(script: Script, conn: str, message_type: str, **members: Any) -> int:
    return script.event(1.0, conn, "notice", tree={"type": message_type, **members})


@pytest.mark.parametrize(
    ("code", "reason", "outcome"),
    [
        (4401, "unauthenticated", "holds"),
        (4230, "too_many_connections; retry_after_ms=1500", "holds"),
        (1002, "bad frame", "holds"),
        (4401, "Go away", "broken"),
        (4401, "unauthenticated; retry_after_ms=soon", "broken"),
        (4999, "", "broken"),
        (1005, "", "broken"),
        (None, "", "broken"),
        (1011, "é" * 62, "broken"),
    ],
)
def test_closes_of_the_server(code: int | None, reason: str, outcome: str) -> None:
    script = Script()
    assert script.judged(ListedCloses()).outcome == "unclear"
    script.frame(1.0, "a", 8, code=code, reason=reason)
    assert script.judged(ListedCloses()).outcome == outcome


def test_closes_that_answer_ours_do_not_count() -> None:
    script = Script()
    script.frame(1.0, "a", 8, "sent", code=4999)
    script.add(1.0, "b", "sent", opcode=None)  # raw bytes have no opcode
    for conn in ("a", "b"):
        script.frame(1.1, conn, 8, code=4999, reason="")
    assert script.judged(ListedCloses()).outcome == "unclear"


def test_after_a_reset_nothing_comes_before_the_next_join() -> None:
    script = Script()
    native(script, "a", "message", room="r")
    assert script.judged(ResetIsQuiet()).outcome == "unclear"
    native(script, "a", "reset", room="r")
    native(script, "a", "presence_event", room="r")
    native(script, "a", "message", room="other")
    native(script, "b", "message", room="r")
    native(script, "a", "joined", room="r")
    native(script, "a", "message", room="r")
    assert script.judged(ResetIsQuiet()).outcome == "holds"
    native(script, "a", "reset", room="r")
    native(script, "a", "message", room="r")
    assert script.judged(ResetIsQuiet()).outcome == "broken"


def test_left_is_left() -> None:
    script = Script()
    native(script, "a", "joined", room="r")
    native(script, "a", "message", room="r")
    assert script.judged(LeftIsLeft()).outcome == "unclear"
    native(script, "a", "left", room="r")
    native(script, "a", "left", room="r")
    native(script, "a", "message", room="s")
    native(script, "b", "message", room="r")
    assert script.judged(LeftIsLeft()).outcome == "holds"
    native(script, "a", "joined", room="r")
    native(script, "a", "presence_event", room="r")
    assert script.judged(LeftIsLeft()).outcome == "holds"
    native(script, "a", "left", room="r")
    native(script, "a", "presence_event", room="r")
    assert "a left r and then got" in script.judged(LeftIsLeft()).seen


@pytest.mark.parametrize("live_first", [True, False])
def test_replays_equal_their_live_delivery(live_first: bool) -> None:
    def script(**changed: Any) -> Script:
        made = Script()
        one = {"room": "r", "epoch": "e", "seq": 1, "text": "x", "sender": "u", "ts": 5}
        entry = {"seq": 1, "text": "x", "from": "u", "ts": 5, **changed}
        if live_first:
            made.event(1.0, "a", "message", **one)
        made.event(1.1, "b", "joined", room="r", epoch="e", entries=[entry])
        if not live_first:
            made.event(1.2, "b", "message", **one)
        return made

    assert script().judged(ReplaysEqual()).outcome == "holds"
    finding = script(ts=6).judged(ReplaysEqual())
    assert "had ts 5 live, 6 replayed" in finding.seen
    assert script(seq=2).judged(ReplaysEqual()).outcome == "unclear"


def welcomed() -> Script:
    script = Script()
    for conn, user in (("a", "u"), ("b", "v")):
        native(script, conn, "welcome", user={"id": user})
    return script


def test_mids_go_to_their_sender_only() -> None:
    number = {"room": "r", "epoch": "e", "seq": 1}
    script = welcomed()
    native(script, "a", "sent", **number, mid="m")
    native(script, "b", "message", **number, **{"from": {"id": "u"}})
    assert script.judged(OwnMids()).outcome == "unclear"
    native(script, "a", "message", **number, mid="m", **{"from": {"id": "u"}})
    assert script.judged(OwnMids()).outcome == "holds"
    native(script, "b", "message", **number, mid="m", **{"from": {"id": "u"}})
    assert "the mid of another user's message" in script.judged(OwnMids()).seen


def test_own_messages_have_their_mid_and_replayed_ones_none() -> None:
    number = {"room": "r", "epoch": "e", "seq": 1}
    script = welcomed()
    native(script, "a", "message", **number, **{"from": {"id": "u"}})
    assert script.judged(OwnMids()).outcome == "unclear"
    native(script, "a", "sent", **number, mid="m")
    assert "without the mid" in script.judged(OwnMids()).seen
    script = welcomed()
    native(script, "b", "joined", room="r", messages=[{**number, "mid": "m"}])
    assert "a replayed message carries a mid" in script.judged(OwnMids()).seen


def test_presence_events_have_no_number() -> None:
    script = Script()
    assert script.judged(Unnumbered()).outcome == "unclear"
    native(script, "a", "presence_event", room="r")
    assert script.judged(Unnumbered()).outcome == "holds"
    native(script, "a", "presence_event", room="r", seq=1)
    assert script.judged(Unnumbered()).outcome == "broken"


def test_frames_are_as_they_must_be() -> None:
    script = Script()
    assert script.judged(Faultless()).outcome == "unclear"
    script.frame(1.0, "a", 1)
    script.add(1.0, "a", "fault", name="truncated-frame", detail="cut")
    assert script.judged(Faultless()).outcome == "holds"
    script.add(1.0, "a", "fault", name="masked-by-server", detail="mask key 00")
    assert script.judged(Faultless()).seen == "masked-by-server on a: mask key 00"


def test_messages_validate() -> None:
    script = Script()
    judge = well_formed("pong")
    native(script, "a", "tick", now="never")
    assert script.judged(judge()).outcome == "unclear"
    native(script, "a", "welcome", limits="none")
    native(script, "a", "pong", re="q", now=1)
    assert script.judged(judge()).outcome == "holds"
    native(script, "a", "pong", re="q", now="1")
    finding = script.judged(judge())
    assert finding.outcome == "broken"
    assert "/now" in finding.seen
