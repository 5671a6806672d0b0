"""The limiter against brute force, and the two floods against their sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_server.rules.limiter import ErrorLog, FrameBucket, Quotas, SlidingLog

STEPS = st.lists(st.one_of(st.floats(0, 1500), st.sampled_from([0.0, 199.9, 200.0, 250.0, 999.9, 1000.0])), max_size=80)


@given(STEPS, st.floats(0, 1e12))
def test_sliding_log_admits_exactly_what_section_6_says(steps: list[float], start: float) -> None:
    log, now = SlidingLog(5, 1000), start
    admitted: list[float] = []
    for step in steps:
        now += step
        recent = [a for a in admitted if now - a < 1000]
        wait = log.admit(now)
        assert (wait == 0) == (len(recent) < 5)
        if wait:
            assert 1 <= wait <= 1000  # RATE-6
            assert 1000 - (now - recent[-5]) <= wait < 1001 - (now - recent[-5])
        else:
            admitted.append(now)
    for first, sixth in zip(admitted, admitted[5:], strict=False):
        assert sixth - first >= 1000  # RATE-1


@given(STEPS)
def test_refusals_change_nothing(steps: list[float]) -> None:
    """RATE-8: asking in between never makes anybody wait longer."""
    patient, hasty, now = SlidingLog(5, 1000), SlidingLog(5, 1000), 0.0
    for step in steps:
        now += step
        wait = patient.admit(now)
        assert hasty.admit(now) == wait
        if wait:
            for _ in range(3):
                assert hasty.admit(now) == wait


def test_waiting_as_told_is_enough() -> None:
    log = SlidingLog(5, 1000)
    assert [log.admit(0.3) for _ in range(5)] == [0] * 5
    assert log.admit(500.0 + log.admit(500.0)) == 0  # RATE-7


def test_a_clock_that_steps_back_neither_refills_nor_locks() -> None:
    log = SlidingLog(2, 1000)
    assert [log.admit(5000), log.admit(5000)] == [0, 0]
    assert log.admit(10) == 1000
    assert log.admit(6000) == 0


def test_a_quota_of_nothing_admits_nothing() -> None:
    assert [SlidingLog(0, 1000).admit(now) for now in (0, 5000)] == [1000, 1000]


def test_users_are_counted_apart_and_forgotten_when_it_makes_no_difference() -> None:
    quotas = Quotas(5, 1000)
    for user in ("ann", "bob"):
        assert [quotas.admit(user, 0) for _ in range(6)] == [0] * 5 + [1000]
    quotas.sweep(999.9)
    assert len(quotas) == 2
    quotas.sweep(1000)
    assert len(quotas) == 0
    assert quotas.admit("ann", 1000) == 0


def test_three_bursts_in_a_second_are_a_flood() -> None:
    bucket = FrameBucket(rate=50, burst=200, now=0)
    assert not all(bucket.take(i * 1000 / 600) for i in range(600))  # RATE-12


@given(st.lists(st.floats(0, 200), max_size=300), st.floats(0, 8000))
def test_the_permitted_pace_never_is(gaps: list[float], stall: float) -> None:
    """RATE-12: at most burst/2 + t*rate/2 in any t, and a stall may bunch what was paced."""
    bucket = FrameBucket(rate=50, burst=200, now=0)
    sent, now, tokens = [], 0.0, 100.0
    for gap in gaps:
        now += gap
        tokens = min(100.0, tokens + gap * 0.025)
        if tokens >= 1:
            tokens -= 1
            sent.append(now)
    assert all(bucket.take(max(time, stall)) for time in sent)


@pytest.mark.parametrize(("frames", "tolerated"), [(100, True), (200, True), (201, False)])
def test_malformed_frames(frames: int, tolerated: bool) -> None:
    """ERR-13: ``count`` are let pass, more than twice as many are not."""
    log = ErrorLog(count=100, window=10_000)
    assert all(log.note(i * 10) for i in range(frames)) is tolerated


def test_memory_is_bounded_and_the_longest_unused_goes() -> None:
    quotas = Quotas(1, 1000, most=3)
    for now, name in enumerate("abcad"):
        quotas.admit(name, float(now))
    assert len(quotas) == 3
    assert [name for name in "abcd" if quotas.wait(name, 5.0)] == ["b", "c", "d"]


def test_to_ask_for_the_wait_changes_nothing() -> None:
    log = SlidingLog(2, 1000)
    assert [log.wait(0.0), log.admit(0.0), log.wait(1.0), log.admit(1.0)] == [0, 0, 0, 0]
    assert (log.wait(2.0), log.wait(2.0), log.admit(1000.0)) == (998, 998, 0)
