"""The interval oracle says only what follows from the times, and misses nothing that does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from transcripts import Script

from roomproof_conformance.judges import AtMost, BurstRefused, MustAdmit, Paced


def attempt(script: Script, s: float, r: float, outcome: str, conn: str = "a", user: str | None = None) -> int:
    op = script.send(s, conn, f"t{len(script.transcript)}", user=user)
    kind = {"admitted": "ack", "refused": "rate_limited", "other": "error"}[outcome]
    event = script.event(r, conn, kind, ref="q")
    script.reply(r, conn, op, event, ok=outcome == "admitted")
    return op


def test_six_admissions_surely_inside_one_second_are_too_many() -> None:
    script = Script()
    for n in range(6):
        attempt(script, n * 0.01, n * 0.01 + 0.005, "admitted")
    finding = script.judged(AtMost(5, 1.0))
    assert finding.outcome == "broken"
    assert "6 admitted within 0.055 s" in finding.seen


def test_six_admissions_that_may_lie_further_apart_prove_nothing() -> None:
    script = Script()
    for n in range(6):
        attempt(script, n * 0.01, 0.99 if n == 5 else n * 0.01 + 0.005, "admitted")
    assert script.judged(AtMost(5, 1.0)).outcome == "unclear"


def test_five_and_a_refusal_hold() -> None:
    script = Script()
    for n in range(6):
        attempt(script, n * 0.01, n * 0.01 + 0.005, "refused" if n == 5 else "admitted")
    assert script.judged(AtMost(5, 1.0)).outcome == "holds"
    assert script.judged(BurstRefused(5, 1.0)).outcome == "holds"


def test_a_burst_that_took_too_long_is_unclear() -> None:
    script = Script()
    for n in range(6):
        attempt(script, n * 0.01, 1.5, "admitted")
    assert script.judged(BurstRefused(5, 1.0)).outcome == "unclear"


def test_a_burst_of_which_all_pass_is_broken() -> None:
    script = Script()
    for n in range(6):
        attempt(script, n * 0.01, 0.1, "admitted")
    assert script.judged(BurstRefused(5, 1.0)).outcome == "broken"


def test_a_burst_of_which_too_few_pass_is_broken() -> None:
    script = Script()
    for n in range(6):
        attempt(script, n * 0.01, 0.1, "refused" if n > 2 else "admitted")
    finding = script.judged(BurstRefused(5, 1.0))
    assert finding.outcome == "broken"
    assert "fewer were admitted than allowed" in finding.seen


def test_a_refusal_with_room_in_every_possible_window_is_broken() -> None:
    script = Script()
    for n in range(4):
        attempt(script, n * 0.01, n * 0.01 + 0.005, "admitted")
    attempt(script, 0.5, 0.51, "refused")
    finding = script.judged(MustAdmit(5, 1.0))
    assert finding.outcome == "broken"
    assert "with 4 admissions" in finding.seen


def test_a_refusal_that_five_admissions_may_explain_holds() -> None:
    script = Script()
    for n in range(5):
        attempt(script, n * 0.01, n * 0.01 + 0.005, "admitted")
    attempt(script, 1.02, 1.021, "refused")  # within the grain of clocks
    assert script.judged(MustAdmit(5, 1.0)).outcome == "holds"


def test_an_attempt_without_outcome_is_no_admission() -> None:
    script = Script()
    attempt(script, 0.0, 0.01, "admitted")
    script.send(0.1, "a", "lost")
    script.mark(5.0)
    assert script.judged(MustAdmit(5, 1.0)).outcome == "broken"


def test_other_users_do_not_count() -> None:
    script = Script()
    for n in range(5):
        attempt(script, n * 0.01, n * 0.01 + 0.005, "admitted", conn="b", user="other")
    op = attempt(script, 0.2, 0.21, "refused", conn="a", user="me")
    assert script.judged(MustAdmit(5, 1.0, [op])).outcome == "broken"


def test_connections_of_one_user_count_together() -> None:
    script = Script()
    for n in range(5):
        attempt(script, n * 0.01, n * 0.01 + 0.005, "admitted", conn="b", user="me")
    op = attempt(script, 0.2, 0.21, "refused", conn="a", user="me")
    assert script.judged(MustAdmit(5, 1.0, [op])).outcome == "holds"


def test_blocked_for_good_is_seen() -> None:
    script = Script()
    for n in range(60):
        attempt(script, n * 0.05, n * 0.05 + 0.001, "admitted" if n < 5 else "refused")
    assert script.judged(Paced(5, 1.0, seconds=3.0)).outcome == "broken"


def test_without_acknowledgements_deliveries_admit_and_refusals_go_to_the_oldest() -> None:
    script = Script()
    ops = [script.send(n * 0.01, "a", f"m{n}") for n in range(6)]
    for n in range(5):
        script.event(0.1 + n * 0.01, "b", "message", text=f"m{n}", room="r")
    script.event(0.2, "a", "rate_limited")
    assert script.judged(BurstRefused(5, 1.0, ops)).outcome == "holds"


def test_an_error_that_may_answer_the_kits_own_heartbeat_is_no_refusal_of_a_message() -> None:
    script = Script()
    script.frame(0.0, "a", 1, "sent", role="keepalive")
    op = script.send(0.01, "a", "m")
    script.event(0.02, "a", "error")
    script.event(0.03, "b", "message", text="m", room="r")
    assert script.judged(MustAdmit(5, 1.0, [op])).outcome == "holds"


def test_a_duplicate_is_no_admission() -> None:
    script = Script()
    first = script.send(0.0, "a", "same")
    script.reply(0.01, "a", first, script.event(0.01, "a", "ack", ref="1", duplicate=False))
    repeated = [script.send(0.02, "a", "same") for _ in range(4)]
    script.event(0.03, "a", "message", text="same", room="r")
    for op in repeated:
        script.reply(0.03, "a", op, script.event(0.03, "a", "ack", ref="2", duplicate=True))
    refused = attempt(script, 0.04, 0.05, "refused")
    finding = script.judged(MustAdmit(5, 1.0, [refused]))
    assert finding.outcome == "broken"
    assert "with 1 admissions" in finding.seen
    assert script.judged(AtMost(1, 1.0)).outcome == "holds"


@given(
    st.lists(st.floats(0, 0.3), min_size=1, max_size=25),
    st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)), min_size=25, max_size=25),
)
def test_an_exact_limiter_is_never_accused(gaps: list[float], links: list[tuple[float, float]]) -> None:
    """Whatever the link delays, a server that keeps the definition of section 6 gets no red."""
    script, log, now = Script(), [], 0.0
    attempts = []
    for gap, (there, back) in zip(gaps, links, strict=False):
        now += gap
        attempts.append((now, now + there, now + there + back))
    decided = {}
    for place, (_, d, _) in sorted(enumerate(attempts), key=lambda item: item[1][1]):
        decided[place] = sum(d - 1.0 < at <= d for at in log) < 5
        if decided[place]:
            log.append(d)
    moments = [(s, 0, n) for n, (s, _, _) in enumerate(attempts)] + [(r, 1, n) for n, (_, _, r) in enumerate(attempts)]
    ops: dict[int, int] = {}
    for t, what, n in sorted(moments):
        if what == 0:
            ops[n] = script.send(t, "a", f"m{n}")
        else:
            event = script.event(t, "a", "ack" if decided[n] else "rate_limited", ref=str(n))
            script.reply(t, "a", ops[n], event, ok=decided[n])
    for judge in (AtMost(5, 1.0), MustAdmit(5, 1.0), Paced(5, 1.0, seconds=attempts[-1][0])):
        assert script.judged(judge).outcome != "broken"
