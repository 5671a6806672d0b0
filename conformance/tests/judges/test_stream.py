"""Judges of a room's stream."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges import Contiguous, Order, SameView, Seam


def message(script: Script, t: float, conn: str, seq: int, text: str = "", *, epoch: str = "e", ts: int = 1) -> int:
    return script.event(t, conn, "message", room="r", seq=seq, epoch=epoch, text=text or f"m{seq}", ts=ts, sender="u")


def test_order() -> None:
    script = Script()
    for text in ("1", "2", "3"):
        script.event(0.1, "a", "message", room="r", text=text)
    assert script.judged(Order("a", "r", ["1", "2", "3"])).outcome == "holds"
    assert script.judged(Order("a", "r", ["1", "3", "2"])).outcome == "broken"
    assert script.judged(Order("a", "r", ["1", "2", "3", "4"])).outcome == "broken"
    script.event(0.2, "a", "message", room="r", text="3")
    assert script.judged(Order("a", "r", ["1", "2", "3"])).outcome == "broken"


def test_contiguous() -> None:
    script = Script()
    message(script, 0.1, "a", 1)
    assert script.judged(Contiguous("r")).outcome == "unclear"
    message(script, 0.2, "a", 2)
    assert script.judged(Contiguous("r")).outcome == "holds"
    message(script, 0.3, "a", 4)
    finding = script.judged(Contiguous("r"))
    assert finding.outcome == "broken"
    assert "leaves out 1" in finding.seen


def test_a_number_twice_is_no_progress() -> None:
    script = Script()
    for seq in (1, 2, 2):
        message(script, 0.1, "a", seq)
    assert "repeats" in script.judged(Contiguous()).seen


def test_a_new_join_or_epoch_begins_anew() -> None:
    script = Script()
    message(script, 0.1, "a", 1)
    script.event(0.2, "a", "joined", room="r")
    message(script, 0.3, "a", 7)
    message(script, 0.4, "a", 1, epoch="f")
    assert script.judged(Contiguous()).outcome == "holds"


def test_same_view() -> None:
    script = Script()
    for conn in ("a", "b"):
        for seq in (1, 2):
            message(script, 0.1, conn, seq)
    assert script.judged(SameView("r")).outcome == "holds"
    script.event(0.2, "c", "joined", room="r", epoch="e", entries=[{"seq": 1, "text": "m1", "from": "u", "ts": 9}])
    finding = script.judged(SameView("r"))
    assert finding.outcome == "broken"
    assert "ts" in finding.seen


def test_seam() -> None:
    def seam(past: list[str], live: list[str]) -> str:
        script = Script()
        script.event(0.1, "a", "joined", room="r", entries=[{"text": text} for text in past])
        for text in live:
            script.event(0.2, "a", "message", room="r", text=text)
        return script.judged(Seam("a", "r", ["1", "2", "3"])).outcome

    assert seam(["1", "2"], ["3"]) == "holds"
    assert seam(["1"], ["3"]) == "broken"
    assert seam(["1", "2"], ["2", "3"]) == "broken"
    assert seam(["1", "2", "3"], []) == "unclear"
