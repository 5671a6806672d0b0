"""Judges of who is said to come and go."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges.presence import ComesAt, Framed

GONE = {"kind": "left", "from": "u"}
CAME = {"kind": "joined", "from": "u"}


def test_an_event_comes_in_its_time() -> None:
    script = Script()
    lost = script.mark(1.0)
    judge = ComesAt("a", GONE, lost, 2.0, 4.0)
    script.mark(6.0)
    assert "nothing of the kind in 5.00 s" in script.judged(judge).seen
    script.event(3.5, "a", "left", sender="v")
    script.event(3.5, "b", "left", sender="u")
    assert script.judged(judge).outcome == "broken"
    script.event(3.5, "a", "left", sender="u")
    assert script.judged(judge).outcome == "holds"
    script.event(3.6, "a", "left", sender="u")
    assert script.judged(judge).seen == "2 times"


def test_too_early_or_too_late_is_unclear_within_the_noise() -> None:
    for t in (2.0, 5.5):
        script = Script()
        lost = script.mark(1.0)
        script.event(t, "a", "left", sender="u")
        judge = ComesAt("a", GONE, lost, 2.0, 4.0)
        assert script.judged(judge).outcome == "broken"
        script.add(6.0, "", "noise", seconds=1.1)
        assert script.judged(judge).outcome == "unclear"


def visit(*kinds: str) -> Script:
    """Events of user u on a; `m1`, `m2` are messages."""
    script = Script()
    for kind in kinds:
        if kind.startswith("m"):
            script.event(1.0, "a", "message", text=kind, sender="u")
        else:
            script.event(1.0, "a", kind, sender="u")
    return script


def test_messages_between_join_and_leave() -> None:
    judge = Framed("a", ["m1", "m2"], CAME, GONE)
    assert visit("joined", "m1", "m2", "left").judged(judge).outcome == "holds"
    assert "the first message came before" in visit("m1", "joined", "m2", "left").judged(judge).seen
    assert "a message came after" in visit("joined", "m1", "left", "m2").judged(judge).seen
    assert visit("joined", "m1", "left").judged(judge).seen == "1 of 2 messages came"
    assert visit("m1", "m2", "left").judged(judge).seen == "no join event"
    assert visit("joined", "m1", "m2").judged(judge).seen == "no leave event"


def test_what_is_not_announced_is_not_judged() -> None:
    assert visit("m1", "m2", "left").judged(Framed("a", ["m1", "m2"], None, GONE)).outcome == "holds"
    assert visit("joined", "m1", "m2").judged(Framed("a", ["m1", "m2"], CAME, None)).outcome == "holds"
    assert visit("m1", "joined").judged(Framed("a", ["m1"], CAME, None)).outcome == "broken"
