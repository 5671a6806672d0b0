"""An open socket must mean membership."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges.membership import Hears, KeptWhileSending, SpreadPings, TicksWhenIdle


def test_a_member_that_hears_nothing_on_an_open_socket_is_found() -> None:
    script = Script()
    after = script.mark(0.0)
    script.send(10.0, "a", "first")
    script.event(10.0, "c", "message", room="r", text="first")
    script.send(90.0, "a", "second")
    finding = script.judged(Hears("c", "r", ["first", "second"], after, may_end=True))
    assert finding.outcome == "broken"
    assert "last heard 10.0 s" in finding.seen
    assert "still open" in finding.seen


def test_being_closed_is_allowed_where_it_is_promised() -> None:
    script = Script()
    after = script.mark(0.0)
    script.send(10.0, "a", "first")
    script.event(10.0, "c", "message", room="r", text="first")
    script.end(60.0, "c", code=4001)
    script.send(90.0, "a", "second")
    assert script.judged(Hears("c", "r", ["first", "second"], after, may_end=True)).outcome == "holds"
    assert script.judged(Hears("c", "r", ["first", "second"], after)).outcome == "broken"


def test_spread() -> None:
    def spread(delays: list[float]) -> str:
        script = Script()
        for n in range(len(delays)):
            script.event(0.0, f"c{n}", "welcome")
        for n, delay in enumerate(delays):
            script.frame(delay, f"c{n}", 9)
        return script.judged(SpreadPings([f"c{n}" for n in range(len(delays))], 1.0)).outcome

    assert spread([0.5, 0.6, 0.8, 0.95]) == "holds"
    assert spread([1.0, 1.0, 1.01, 1.02]) == "broken"
    assert spread([0.3, 0.6, 0.8, 0.95]) == "broken"  # BEAT-9: not before half the interval


def test_ticks_when_idle() -> None:
    def ticks(messages: list[float], ticks: list[float], noise: float = 0.0) -> str:
        script = Script()
        script.add(0.0, "", "noise", seconds=noise)
        for t, kind in sorted([(t, "message") for t in messages] + [(t, "heartbeat") for t in ticks]):
            script.event(t, "a", kind)
        return script.judged(TicksWhenIdle("a", 1.0)).outcome

    assert ticks([0.1, 0.4, 0.7], []) == "holds"
    assert ticks([0.1, 0.4, 0.7], [1.7]) == "holds"
    assert ticks([0.1, 0.4, 0.7], [0.9]) == "broken"
    assert ticks([0.1, 0.4, 0.7], [0.9], noise=0.4) == "unclear"
    assert ticks([0.1], []) == "unclear"


def test_kept_while_sending() -> None:
    def kept(sent: list[float], end: float | None = None, until: float = 4.0) -> str:
        script = Script()
        after = script.mark(0.0)
        for t in sent:
            script.frame(t, "a", 1, "sent")
        if end is not None:
            script.end(end, "a", code=4001)
        return script.judged(KeptWhileSending("a", 1.0, after, script.mark(until))).outcome

    assert kept([0.5, 1.0, 1.5, 2.0]) == "holds"
    assert kept([0.5, 1.0, 1.5, 2.0], 2.3) == "broken"
    assert kept([0.5, 2.0], 1.9) == "unclear"
