"""Judges of the closing handshake."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges.closing import (
    AnsweredWhileOpen,
    AnswersClose,
    EchoesCode,
    EndsSpread,
    EndsTcp,
    LetGo,
    SaysClose,
    ToldApart,
)


def closed(answer: float | None, over: float | None, *, code: int | None = 1000) -> tuple[Script, int]:
    """A client that closes at 1 s, answered and ended when said."""
    script = Script()
    script.opened(0.1, "a")
    sent = script.frame(1.0, "a", 8, "sent", code=1000)
    if answer is not None:
        script.frame(answer, "a", 8, code=code, reason="")
    if over is not None:
        script.end(over, "a", code=code, by="kit")
    script.mark(9.0)
    return script, sent


def test_a_close_is_answered_and_tcp_ended() -> None:
    script, sent = closed(1.1, 2.9)
    assert script.judged(AnswersClose("a", sent)).outcome == "holds"


def test_a_close_without_answer_or_end() -> None:
    script, sent = closed(None, None)
    assert "no Close frame in 8.00 s" in script.judged(AnswersClose("a", sent)).seen
    script, sent = closed(None, 1.5)
    finding = script.judged(AnswersClose("a", sent))
    assert finding.outcome == "broken"
    assert finding.seen.startswith("no Close frame; ")
    script, sent = closed(1.1, None)
    assert "TCP open after 8.00 s" in script.judged(AnswersClose("a", sent)).seen


def test_tcp_that_ends_late_is_unclear_within_the_noise() -> None:
    script, sent = closed(1.1, 3.2)
    assert script.judged(AnswersClose("a", sent)).outcome == "broken"
    script.add(9.1, "", "noise", seconds=0.5)
    assert script.judged(AnswersClose("a", sent)).outcome == "unclear"


def test_nothing_was_closed() -> None:
    script = Script()
    assert script.judged(AnswersClose("a", 7)).outcome == "unclear"
    assert script.judged(EchoesCode("a", 7)).outcome == "unclear"
    assert script.judged(EndsTcp("a")).outcome == "unclear"


def test_the_code_is_echoed() -> None:
    script, sent = closed(1.1, 1.2)
    assert script.judged(EchoesCode("a", sent)).outcome == "holds"
    for code in (1001, None):
        script, sent = closed(1.1, 1.2, code=code)
        assert script.judged(EchoesCode("a", sent)).outcome == "broken"
    script, sent = closed(None, 1.2)
    assert script.judged(EchoesCode("a", sent)).seen == "no Close frame"


def test_the_server_says_close() -> None:
    script, _ = closed(None, None)
    assert script.judged(SaysClose("a", 0)).outcome == "broken"
    script.frame(9.5, "a", 8, code=1002, reason="")
    assert script.judged(SaysClose("a", 0)).seen == "Close 1002"
    assert script.judged(SaysClose("b", 0)).outcome == "broken"


def test_tcp_ends_after_the_servers_close() -> None:
    script = Script()
    script.frame(1.0, "a", 8, code=4401, reason="")
    script.mark(12.0)
    assert "TCP open 11.00 s after Close 4401" in script.judged(EndsTcp("a")).seen
    script.end(12.5, "a", code=4401)
    assert script.judged(EndsTcp("a")).outcome == "broken"
    assert script.judged(EndsTcp("a", 11.5)).outcome == "holds"


def stalled() -> tuple[Script, int, int]:
    """A client that does not read from 1 s to 5 s."""
    script = Script()
    script.opened(0.1, "a")
    frozen = script.mark(1.0)
    script.send(2.0, "b", "while it does not read")
    return script, frozen, script.mark(5.0)


def test_who_does_not_read_is_let_go_by_a_close_or_by_the_end_of_tcp() -> None:
    script, frozen, back = stalled()
    script.frame(5.1, "a", 8, code=4002, reason="slow_consumer")
    assert script.judged(LetGo("a", frozen, back, 4002)).outcome == "holds"
    script, frozen, back = stalled()
    script.event(5.1, "a", "message", text="while it does not read")
    script.end(5.2, "a", how="reset")
    assert script.judged(LetGo("a", frozen, back, 4002)).outcome == "holds"


def test_a_close_with_another_code_is_not_for_that() -> None:
    script, frozen, back = stalled()
    script.frame(5.1, "a", 8, code=4001, reason="heartbeat_timeout")
    script.end(5.2, "a", code=4001)
    finding = script.judged(LetGo("a", frozen, back, 4002))
    assert (finding.outcome, finding.seen) == ("broken", "Close 4001")


def test_who_hears_what_is_said_afterwards_was_kept_whatever_came_then() -> None:
    script, frozen, back = stalled()
    assert script.judged(LetGo("a", frozen, back, 4002)).seen == "still open"
    script.send(5.1, "b", "and now")
    script.event(5.2, "a", "message", text="and now")
    script.end(5.3, "a", how="reset")
    assert script.judged(LetGo("a", frozen, back, 4002)).outcome == "broken"
    assert script.judged(LetGo("a", frozen, back, 4002, enough=False)).outcome == "unclear"


def test_ends_are_spread() -> None:
    script = Script()
    script.end(1.0, "a", code=1001)
    assert script.judged(EndsSpread(["a", "b"], 0.5)).outcome == "unclear"
    script.end(1.4, "b", code=1001)
    assert script.judged(EndsSpread(["a", "b"], 0.3)).outcome == "holds"
    assert script.judged(EndsSpread(["a", "b"], 0.5)).outcome == "broken"
    script.add(1.5, "", "noise", seconds=0.2)
    assert script.judged(EndsSpread(["a", "b"], 0.5)).outcome == "unclear"


def test_clients_are_not_all_told_to_come_back_at_one_time() -> None:
    script = Script()
    script.event(1.0, "a", "notice", {"type": "notice", "code": "draining", "reconnect_after_ms": 500})
    assert script.judged(ToldApart(["a", "b"])).outcome == "unclear"
    script.event(1.0, "b", "notice", {"type": "notice", "code": "draining", "reconnect_after_ms": 500})
    assert script.judged(ToldApart(["a", "b"])).outcome == "broken"
    script.event(1.0, "c", "notice", {"type": "notice", "code": "draining", "reconnect_after_ms": 501})
    assert script.judged(ToldApart(["a", "b", "c"])).outcome == "holds"


def test_who_is_open_is_answered() -> None:
    script = Script()
    one, two = script.op(1.0, "a", "ping"), script.op(1.0, "b", "ping")
    judge = AnsweredWhileOpen([one, two])
    script.end(1.3, "b", code=1001)
    script.end(1.4, "a", code=1001)
    assert script.judged(judge).outcome == "unclear"
    script = Script()
    script.end(0.9, "c", code=1001)
    one, two, late = (script.op(1.0, conn, "ping") for conn in "abc")
    judge = AnsweredWhileOpen([one, two, late])
    script.end(1.3, "b", code=1001)
    script.reply(1.5, "a", one, None)
    script.mark(9.0)
    assert script.judged(judge).outcome == "holds"


def test_who_is_open_for_long_without_an_answer_is_not_served() -> None:
    script = Script()
    op = script.op(1.0, "a", "ping")
    script.mark(2.5)
    assert script.judged(AnsweredWhileOpen([op])).outcome == "broken"
    script.end(2.6, "a", code=1001)
    finding = script.judged(AnsweredWhileOpen([op]))
    assert (finding.outcome, finding.seen) == ("broken", "a was open for 1.60 s without one")
    script.add(2.7, "", "noise", seconds=1.0)
    assert script.judged(AnsweredWhileOpen([op])).outcome == "unclear"
