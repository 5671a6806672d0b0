"""Judges of what a server tells of the past."""

from __future__ import annotations

from typing import Any

import pytest
from transcripts import Script

from roomproof_conformance.judges.replay import Claimed, Page, Replayed, Untold


def entry(seq: int, text: str, **fields: Any) -> dict[str, Any]:
    return {"room": "r", "epoch": "e", "seq": seq, "text": text, "from": "u", "ts": seq, **fields}


def joined(entries: list[dict[str, Any]], **fields: Any) -> tuple[Script, int]:
    script = Script()
    op = script.op(0.0, "a", "join", room="r")
    event = script.event(0.1, "a", "joined", room="r", epoch="e", entries=entries, **fields)
    script.reply(0.1, "a", op, event)
    return script, op


TWO = [entry(1, "one"), entry(2, "two")]


def test_a_number_is_claimed() -> None:
    assert Script().judged(Claimed("history.bound", 100)).outcome == "holds"
    assert Script().judged(Claimed("history.bound")).outcome == "broken"


def test_page_holds_exactly_the_known_messages() -> None:
    script, op = joined(TWO)
    assert script.judged(Page(op, ok=True, texts=["one", "two"])).outcome == "holds"
    script, op = joined([])
    assert script.judged(Page(op, ok=True)).outcome == "holds"


@pytest.mark.parametrize(
    ("entries", "seen"),
    [
        (TWO[:1], "1 message, 1"),
        (TWO[::-1], "the right ones in another order"),
        ([entry(1, "one"), entry(2, "too")], "number 2 is too and not two"),
        ([entry(2, "one"), entry(3, "two")], "2 messages, 2 … 3"),
        ([entry(1, "one"), entry(2, "two", epoch="f")], "message 2 has epoch f"),
        ([entry(1, "one"), entry(2, "two", room="s")], "message 2 has room s"),
    ],
)
def test_page_with_anything_else_is_broken(entries: list[dict[str, Any]], seen: str) -> None:
    script, op = joined(entries)
    finding = script.judged(Page(op, ok=True, texts=["one", "two"]))
    assert finding.outcome == "broken"
    assert seen in finding.seen


def test_page_may_leave_numbers_or_order_out() -> None:
    script, op = joined([entry(7, "two"), entry(9, "one")])
    assert script.judged(Page(op, texts=["two", "one"], numbered=False)).outcome == "holds"
    assert script.judged(Page(op, texts=["one", "two"], numbered=False)).outcome == "broken"
    assert script.judged(Page(op, texts=["one", "two"], numbered=False, ordered=False)).outcome == "holds"
    assert script.judged(Page(op, texts=["one", "two", "two"], numbered=False, ordered=False)).outcome == "broken"


def test_page_needs_the_answer_and_what_else_it_says() -> None:
    script, op = joined(TWO, head=2)
    assert script.judged(Page(op, {"head": 2}, texts=["one", "two"])).outcome == "holds"
    assert script.judged(Page(op, {"head": 3}, texts=["one", "two"])).outcome == "broken"
    unanswered = Script()
    op = unanswered.op(0.0, "a", "history", room="r")
    assert unanswered.judged(Page(op)).outcome == "broken"


def live_and_past(**past: Any) -> Script:
    script = Script()
    script.event(0.1, "a", "message", **entry(1, "one"))
    script.event(0.2, "b", "joined", room="r", epoch="e", entries=[entry(1, "one", **past)])
    return script


def test_replay_equals_the_live_delivery() -> None:
    assert live_and_past().judged(Replayed("r", ["one"])).outcome == "holds"
    assert live_and_past().judged(Replayed("r", ["one"], ["ts", "from", "seq"])).outcome == "holds"
    finding = live_and_past(ts=9).judged(Replayed("r", ["one"]))
    assert finding.outcome == "broken"
    assert "had ts 1 live, 9 as history" in finding.seen


def test_a_field_that_only_one_form_shows_counts_where_it_is_named() -> None:
    assert live_and_past(ts=None).judged(Replayed("r", ["one"])).outcome == "holds"
    assert live_and_past(ts=None).judged(Replayed("r", ["one"], ["ts"])).outcome == "broken"
    assert live_and_past(ts=9).judged(Replayed("r", ["one"], ["text"])).outcome == "holds"


def test_what_is_not_replayed_is_not_equal() -> None:
    finding = live_and_past().judged(Replayed("r", ["one", "two"]))
    assert finding.outcome == "broken"
    assert "not so two" in finding.seen


def test_a_single_past_message_is_a_replay() -> None:
    script = Script()
    script.event(0.1, "a", "message", **entry(1, "one"))
    script.event(0.2, "b", "history", **entry(1, "one"))
    assert script.judged(Replayed("r", ["one"])).outcome == "holds"


def fenced(tree: Any) -> Script:
    script = Script()
    script.event(0.1, "b", "unclassified", tree)
    script.event(0.2, "b", "message", {"text": "fence"}, text="fence")
    return script


FENCE = {"kind": "message", "text": "fence"}


def test_untold_in_any_form() -> None:
    assert fenced({"text": "other"}).judged(Untold("b", ["secret"], fence=FENCE)).outcome == "holds"
    assert fenced({"text": "secret-2"}).judged(Untold("b", ["secret"], fence=FENCE)).outcome == "holds"
    finding = fenced({"list": [{"deep": ["secret"]}]}).judged(Untold("b", ["secret"], fence=FENCE))
    assert finding.outcome == "broken"
    assert "secret came to b" in finding.seen


def test_untold_concerns_one_connection_or_all() -> None:
    script = fenced({"text": "secret"})
    assert script.judged(Untold("c", ["secret"])).outcome == "holds"
    assert script.judged(Untold(None, ["secret"])).outcome == "broken"


def test_untold_without_its_fence_is_unclear() -> None:
    assert fenced({}).judged(Untold("b", ["secret"], fence={"text": "other"})).outcome == "unclear"
