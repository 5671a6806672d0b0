"""How soon messages arrive."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges.prompt import InTime, Prompt


def heard(delay: float) -> Script:
    script = Script()
    script.send(1.0, "b", "x")
    script.event(1.0 + delay, "a", "message", text="x", room="r")
    return script


def test_messages_come_soon() -> None:
    assert heard(0.9).judged(Prompt("a", ["r"])).outcome == "holds"
    assert heard(1.4).judged(Prompt("a", ["r"])).outcome == "broken"
    script = heard(1.4)
    script.add(3.0, "", "noise", seconds=0.5)
    assert script.judged(Prompt("a", ["r"])).outcome == "unclear"


def test_what_never_comes_is_lost_unless_it_was_refused_or_is_on_its_way() -> None:
    script = heard(0.1)
    lost = script.send(2.0, "b", "y")
    script.mark(2.5)
    assert script.judged(Prompt("a", ["r"])).outcome == "holds"
    script.mark(5.0)
    finding = script.judged(Prompt("a", ["r"]))
    assert finding.outcome == "broken"
    assert "1 did not come, first y" in finding.seen
    script.reply(5.0, "b", lost, None, ok=False)
    assert script.judged(Prompt("a", ["r"])).outcome == "holds"


def test_an_end_of_the_connection_is_told() -> None:
    script = heard(0.1)
    script.send(2.0, "b", "y")
    script.end(4.0, "a", code=4001)
    assert "the server closed the connection 4001" in script.judged(Prompt("a", ["r"])).seen


def test_other_rooms_and_earlier_messages_do_not_count() -> None:
    script = Script()
    script.send(0.5, "b", "x")
    begin = script.mark(1.0)
    script.send(1.0, "b", "y", room="elsewhere")
    script.mark(9.0)
    assert script.judged(Prompt("a", ["r"], after=begin)).outcome == "unclear"


def test_a_kit_that_was_late_itself_cannot_tell() -> None:
    script = Script()
    begin, end = script.mark(1.0), script.mark(2.5)
    assert script.judged(InTime(begin, end, 1.6)).outcome == "holds"
    assert script.judged(InTime(begin, end, 1.4)).outcome == "unclear"
    assert script.judged(InTime(begin, end + 1, 1.6)).outcome == "unclear"
