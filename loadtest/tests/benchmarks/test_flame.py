"""Stacks become shares and a picture."""

from __future__ import annotations

from benchmarks.flame import drawing, folded, shares

RAW = [
    "main (a.py:1);Runner.run (asyncio/runners.py:118);run_forever (loop.c:1);write (libc.so.6) 6",
    "main (a.py:1);Runner.run (asyncio/runners.py:118);quick_request (roomproof_protocol/quick.py:30);loads (x.c:1) 3",
    "main (a.py:1);Runner.run (asyncio/runners.py:118);run_forever (loop.c:1) 1",
    "main (a.py:1);Runner.run (asyncio/runners.py:118);epoll_pwait (libc.so.6) 90",
]


def test_waiting_and_the_start_are_left_out() -> None:
    stacks = folded(RAW)
    assert sum(stacks.values()) == 10
    assert all("main" not in frame for stack in stacks for frame in stack)


def test_a_sample_counts_for_the_innermost_step_that_is_known() -> None:
    found = shares(folded(RAW))
    assert found["write: the kernel's send()"] == 0.6
    assert found["decode and validate"] == 0.3
    assert found["loop, timers, heartbeat"] == 0.1


def test_frames_are_as_wide_as_their_share() -> None:
    picture = drawing(folded(RAW))
    assert "run_forever (loop.c): 70.0%" in picture
    assert 'width="600.0"' in picture
