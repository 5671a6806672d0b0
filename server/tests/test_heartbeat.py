"""The heartbeat's sentences, with time as a number."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_server.rules.heartbeat import Heartbeat

INTERVAL, TIMEOUT, STEP = 20_000, 20_000, 100


def run(
    beat: Heartbeat,
    until: int,
    *,
    heard: Callable[[int, list[str]], bool],
    sent: Callable[[int], bool] = lambda now: False,
) -> list[tuple[int, str]]:
    """Turn time in steps; ``heard`` and ``sent`` say whether a frame came or went at a step."""
    happened: list[tuple[int, str]] = []
    for now in range(STEP, until, STEP):
        beats = beat.due(now)
        happened += [(now, name) for name in beats]
        if "dead" in beats:
            break
        if heard(now, list(beats)):
            beat.heard_at = now
        if sent(now):
            beat.sent_at = now
    return happened


@given(st.floats(0, 1))
def test_pings_and_ticks_of_an_idle_client_that_answers(spread: float) -> None:
    happened = run(Heartbeat(INTERVAL, TIMEOUT, 0, spread), 6 * INTERVAL, heard=lambda now, beats: "ping" in beats)
    assert "dead" not in {name for _, name in happened}  # BEAT-5
    for name in ("ping", "tick"):
        times = [0] + [now for now, what in happened if what == name]
        assert INTERVAL / 2 <= times[1] <= INTERVAL + STEP  # BEAT-9
        assert max(b - a for a, b in pairwise(times)) <= INTERVAL + 2 * STEP  # BEAT-1, BEAT-3


@given(st.floats(0, 1), st.integers(0, 3 * INTERVAL))
def test_a_silent_client_is_dead_in_time(spread: float, last: int) -> None:
    """BEAT-4: no earlier than T and no later than I + T + slack after its last frame."""
    happened = run(Heartbeat(INTERVAL, TIMEOUT, 0, spread), 6 * INTERVAL, heard=lambda now, beats: now <= last)
    assert happened[-1][1] == "dead"
    silence = happened[-1][0] - last // STEP * STEP
    assert TIMEOUT <= silence <= INTERVAL + TIMEOUT + 2 * STEP


def test_application_frames_alone_keep_it() -> None:
    """BEAT-6."""
    happened = run(Heartbeat(INTERVAL, TIMEOUT, 0, 0.5), 6 * INTERVAL, heard=lambda now, beats: now % TIMEOUT == 0)
    assert "dead" not in {name for _, name in happened}


@pytest.mark.parametrize("every", [500, 5000, INTERVAL // 2])
def test_no_tick_while_other_frames_flow(every: int) -> None:
    """BEAT-3."""
    happened = run(
        Heartbeat(INTERVAL, TIMEOUT, 0, 0.5),
        6 * INTERVAL,
        heard=lambda now, beats: True,
        sent=lambda now: now % every == 0,
    )
    assert {name for _, name in happened} == {"ping"}


def test_a_stall_is_not_made_up_for() -> None:
    beat = Heartbeat(INTERVAL, TIMEOUT, 0, 0.0)
    beat.heard_at = 5 * INTERVAL
    assert beat.due(5 * INTERVAL).count("ping") == 1
    assert beat.due(5 * INTERVAL + STEP) == []
    assert beat.next() <= 6 * INTERVAL
