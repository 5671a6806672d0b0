"""Judges of the closing handshake."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges.closing import AnswersClose, EchoesCode, EndsTcp, SaysClose


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
