"""The page says what the figures say, also where some are missing."""

from __future__ import annotations

from typing import Any

from benchmarks.goals import goals
from benchmarks.page import page
from benchmarks.plots import pictures


def sample(cpu_us: float, **more: float) -> dict[str, float]:
    return {"round": 0, "cpu_us": cpu_us, "p50": 1.0, "p99": 2.5, "p999": 3.0, "lost": 0, **more}


PARTS: dict[str, Any] = {
    "a": {
        "rounds": 1, "seconds": 1.0, "commit": "0123456789",
        "samples": {"floor": [sample(5.0)], "roomproof": [sample(6.0)], "broadcast": [sample(10.0)],
                    "tornado": []},
    },
    "members": {
        "rounds": 1, "seconds": 1.0, "commit": "0123456789",
        "growth": {"floor": {"10": [sample(9.0)], "100": [sample(9.0)]},
                   "roomproof": {"10": [sample(9.0)], "100": [sample(18.0)]}}
    },
}  # fmt: skip


def test_the_goals_that_were_measured_and_no_others() -> None:
    found = {goal.what: (goal.asked, goal.measured, goal.verdict) for goal in goals(PARTS)}
    assert found["(a) by the floor"] == ("≤ 1.30 x", "1.20 x", "met")
    assert found["exponent over members of a room"] == ("≤ 1.050", "1.301", "missed by 24 %")
    assert "(b) by the floor" not in found


def test_the_page_has_a_row_for_everybody_measured() -> None:
    text = page(
        {"parts": PARTS, "date": "today", "machine": "one", "versions": {"x": "1"}, "missing": {"picows": "why"}}
    )
    assert "| floor: C, epoll, one send() each | **1.00** (5.0 ± 0.0) |" in text
    assert "| websockets, `broadcast()` | **2.00** (10.0 ± 0.0) |" in text
    assert "Tornado" not in text
    assert "picows (why)" in text


def test_the_same_figures_make_the_same_pictures() -> None:
    first, second = pictures(PARTS), pictures(PARTS)
    assert first.keys() == {"fan-out", "growth"}
    assert first == second
    assert "<svg" in first["growth"]
