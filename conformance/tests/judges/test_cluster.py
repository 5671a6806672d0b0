"""What is said of several nodes that are one service."""

from __future__ import annotations

import pytest
from transcripts import Script

from roomproof_conformance.judges.cluster import CountsAgree, Healed, NewEpoch, OneName, TurnsRed, WorksAgain


def acknowledged(script: Script, t: float, conn: str, text: str, seq: int, epoch: str = "e") -> None:
    op = script.send(t, conn, text)
    script.reply(t, conn, op, script.event(t, conn, "ack", room="r", epoch=epoch, seq=seq))


def heard(script: Script, t: float, conn: str, text: str, seq: int, epoch: str = "e") -> int:
    tree = {"type": "message", "room": "r", "epoch": epoch}
    return script.event(t, conn, "message", tree, room="r", epoch=epoch, seq=seq, text=text)


def reset(script: Script, t: float, conn: str, epoch: str) -> int:
    return script.event(t, conn, "notice", {"type": "reset", "room": "r", "epoch": epoch}, room="r", epoch=epoch)


@pytest.mark.parametrize(("epoch", "outcome"), [("e", "broken"), ("f", "holds")])
def test_a_number_names_one_text_within_its_epoch(epoch: str, outcome: str) -> None:
    script = Script()
    acknowledged(script, 0.1, "a", "one", 1)
    heard(script, 0.2, "b", "one", 1)
    acknowledged(script, 1.0, "b", "another", 1, epoch)
    assert script.judged(OneName()).outcome == outcome


def test_without_a_numbered_message_nothing_is_named() -> None:
    assert Script().judged(OneName()).outcome == "unclear"


def test_the_next_that_is_said_shows_the_new_epoch() -> None:
    for epoch, outcome in (("f", "holds"), ("e", "broken")):
        script = Script()
        lost = script.mark(1.0)
        assert script.judged(NewEpoch("r", "e", lost)).outcome == "broken"
        script.event(1.1, "a", "ack", {"type": "sent", "room": "r", "epoch": epoch})
        script.event(1.2, "a", "ack", {"type": "sent", "room": "r", "epoch": "f"})
        assert script.judged(NewEpoch("r", "e", lost)).outcome == outcome


def test_a_member_may_be_told_by_a_message() -> None:
    script = Script()
    lost = script.mark(1.0)
    heard(script, 1.1, "a", "one", 1, "f")
    assert script.judged(NewEpoch("r", "e", lost, "a")).outcome == "holds"
    assert script.judged(NewEpoch("r", "e", lost, "b")).outcome == "broken"


def test_a_gap_is_healed_in_order_or_by_reset_and_in_time() -> None:
    script = Script()
    begun = script.mark(1.0)
    judge = Healed("b", "r", ["one", "two"], begun, 10.0)
    heard(script, 2.0, "b", "one", 1)
    assert "two did not" in script.judged(judge).seen
    heard(script, 3.0, "b", "two", 2)
    assert script.judged(judge).outcome == "holds"
    script.add(4.0, "b", "end", how="close", code=1012, reason="", clean=True, by="server")
    assert script.judged(judge).outcome == "broken"


def test_a_gap_in_another_order_is_none_that_was_healed() -> None:
    script = Script()
    begun = script.mark(1.0)
    heard(script, 2.0, "b", "two", 2)
    heard(script, 3.0, "b", "one", 1)
    assert "another order" in script.judged(Healed("b", "r", ["one", "two"], begun, 10.0)).seen


@pytest.mark.parametrize(("when", "outcome"), [(5.0, "holds"), (12.0, "broken")])
def test_a_reset_heals_as_well(when: float, outcome: str) -> None:
    script = Script()
    begun = script.mark(1.0)
    reset(script, when, "b", "f")
    assert script.judged(Healed("b", "r", ["one"], begun, 10.0)).outcome == outcome


def test_sending_works_again() -> None:
    script = Script()
    acknowledged(script, 0.5, "a", "before", 1)
    back = script.mark(1.0)
    judge = WorksAgain("a", back, 10.0)
    script.reply(1.2, "a", script.send(1.1, "a", "no"), None, ok=False)
    assert script.judged(judge).outcome == "broken"
    acknowledged(script, 3.0, "a", "yes", 2)
    assert script.judged(judge).seen == "after 2.00 s, at attempt 2"


def asked(script: Script, t: float, conn: str, status: int, node: int) -> None:
    script.add(t, conn, "open", url="ws://x", get="/readyz", node=node)
    script.opened(t, conn, status)


def test_readiness_turns_red_on_the_node_that_is_meant() -> None:
    script = Script()
    away = script.mark(1.0)
    assert script.judged(TurnsRed("/readyz", 1, away, 15.0)).outcome == "unclear"
    asked(script, 2.0, "a", 200, 1)
    asked(script, 3.0, "b", 503, 2)
    assert script.judged(TurnsRed("/readyz", 1, away, 15.0)).outcome == "broken"
    assert script.judged(TurnsRed("/readyz", 2, away, 15.0)).outcome == "holds"
    asked(script, 17.0, "c", 503, 1)
    assert script.judged(TurnsRed("/readyz", 1, away, 15.0)).outcome == "broken"


def counted(script: Script, t: float, conn: str, count: int) -> int:
    return script.event(t, conn, "presence", {"type": "presence", "room": "r", "count": count}, room="r")


def test_counts_come_to_agree_and_stay_so() -> None:
    script = Script()
    came = script.mark(1.0)
    counted(script, 2.0, "a", 3)
    counted(script, 2.0, "b", 2)
    judge = CountsAgree("r", 3, ["a", "b"], came, 10.0)
    assert script.judged(judge).outcome == "broken"
    over = counted(script, 4.0, "b", 3)
    assert script.judged(judge).outcome == "holds"
    counted(script, 5.0, "a", 4)
    assert script.judged(judge).outcome == "broken"
    assert script.judged(CountsAgree("r", 3, ["a", "b"], came, 10.0, over)).outcome == "holds"
