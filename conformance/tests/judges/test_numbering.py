"""Judges of numbers, times and order."""

from __future__ import annotations

from typing import Any

from transcripts import Script

from roomproof_conformance.judges.numbering import OneOrder, OneStream, SeamNumber, TimesRise


def message(script: Script, conn: str, seq: int, text: str = "", **fields: Any) -> int:
    known = {"room": "r", "epoch": "e", "seq": seq, "text": text or f"m{seq}", "ts": seq, "sender": "u"}
    return script.event(0.1, conn, "message", **{**known, **fields})


def replay(script: Script, conn: str, *messages: tuple[int, str], **fields: Any) -> int:
    entries = [{"room": "r", "epoch": "e", "seq": s, "text": t, "ts": s, "from": "u", **fields} for s, t in messages]
    return script.event(0.1, conn, "joined", room="r", epoch="e", seq=len(messages), entries=entries)


def test_the_seam_is_head_plus_one() -> None:
    script = Script()
    script.event(0.0, "a", "joined", room="r", epoch="e", seq=4)
    message(script, "a", 5)
    message(script, "a", 9)  # a hole later on is another judge's
    assert script.judged(SeamNumber()).outcome == "holds"
    assert script.judged(SeamNumber("r", "a")).outcome == "holds"
    assert script.judged(SeamNumber("r", "b")).outcome == "unclear"


def test_a_gap_an_overlap_or_another_epoch_at_the_seam() -> None:
    for seq, epoch in ((4, "e"), (6, "e"), (5, "f")):
        script = Script()
        script.event(0.0, "a", "joined", room="r", epoch="e", seq=4)
        message(script, "a", seq, epoch=epoch)
        finding = script.judged(SeamNumber())
        assert finding.outcome == "broken"
        assert "joined r at head 4" in finding.seen


def test_others_joins_and_ends_are_no_seams() -> None:
    script = Script()
    script.event(0.0, "a", "joined", room="r", epoch="e", seq=4)
    script.event(0.0, "a", "joined", room="r", sender="somebody", count=2)
    message(script, "a", 5)
    script.event(0.0, "a", "joined", room="r", epoch="e", seq=5)
    script.event(0.0, "a", "left", room="r")
    message(script, "a", 9)
    script.event(0.0, "a", "joined", room="r", epoch="e", seq=9)
    script.end(0.0, "a")
    message(script, "a", 20)
    assert script.judged(SeamNumber()).outcome == "holds"


def test_times_do_not_decrease() -> None:
    script = Script()
    for seq, ts in ((1, 5), (2, 5), (3, 8)):
        message(script, "a", seq, ts=ts)
    message(script, "b", 1, ts=1)
    message(script, "a", 1, ts=2, room="other")
    assert script.judged(TimesRise()).outcome == "holds"
    message(script, "a", 4, ts=7)
    finding = script.judged(TimesRise("r", "a"))
    assert finding.outcome == "broken"
    assert "1 ms back" in finding.seen


def test_times_that_are_no_numbers_prove_nothing() -> None:
    script = Script()
    for seq in (1, 2):
        message(script, "a", seq, ts=f"2026-0{seq}")
    assert script.judged(TimesRise()).outcome == "unclear"


def test_one_stream() -> None:
    script = Script()
    message(script, "a", 1)
    assert script.judged(OneStream()).outcome == "unclear"
    message(script, "b", 1)
    replay(script, "c", (1, "m1"))
    message(script, "b", 1, "other", room="s")
    message(script, "b", 1, "other", epoch="f")
    assert script.judged(OneStream()).outcome == "holds"
    replay(script, "d", (1, "changed"))
    finding = script.judged(OneStream())
    assert finding.outcome == "broken"
    assert "message 1 of r has text m1 in one place, changed in another" in finding.seen


def test_one_order() -> None:
    script = Script()
    for conn in "ab":
        for seq in (1, 2, 3):
            message(script, conn, seq)
    replay(script, "c", (1, "m1"), (2, "m2"))
    message(script, "c", 3)
    assert script.judged(OneOrder("r", ["a", "b", "c"], least=3)).outcome == "holds"
    assert script.judged(OneOrder("r", ["a", "c"], least=4)).outcome == "broken"


def test_another_order_or_sender() -> None:
    script = Script()
    message(script, "a", 1)
    message(script, "a", 2)
    message(script, "b", 2)
    message(script, "b", 1)
    finding = script.judged(OneOrder("r", ["a", "b"]))
    assert finding.outcome == "broken"
    assert "where a got m1, b got m2" in finding.seen
    message(script, "c", 1, sender="another")
    message(script, "c", 2)
    finding = script.judged(OneOrder("r", ["a", "c"]))
    assert "m1 has from u on a, another on c" in finding.seen
    assert script.judged(OneOrder("r", ["a", "c"], names=["ts"])).outcome == "holds"


def test_history_that_comes_newest_first() -> None:
    script = Script()
    message(script, "a", 1)
    message(script, "a", 2)
    replay(script, "b", (2, "m2"), (1, "m1"))
    assert script.judged(OneOrder("r", ["a", "b"])).outcome == "broken"
    assert script.judged(OneOrder("r", ["a", "b"], newest_first=True)).outcome == "holds"


def test_nothing_that_a_server_sends_is_an_error_of_ours() -> None:
    script = Script()
    script.event(0.0, "a", "joined", room=["r"], epoch={}, seq=4)
    for value in ([], {"a": 1}, None, True, "x"):
        message(script, "a", 1, room=value, epoch=value, text=value, ts=value)
        script.event(0.1, "b", "message", room=value, epoch=value, seq=value)
    for judge in (SeamNumber(), TimesRise(), OneStream(), OneOrder("r", ["a", "b"])):
        assert script.judged(judge).outcome != "holds"
