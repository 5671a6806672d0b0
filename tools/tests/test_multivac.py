"""The figures of the evaluation: counts, ranks with ties, and a page that can be read."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from tools.multivac.figures import Known, counts, disagreements, rank_correlation, ranks
from tools.multivac.page import page


def test_ties_share_the_average_of_their_places() -> None:
    assert ranks([8.5, 7.4, 7.4, 3]) == [1, 2.5, 2.5, 4]
    assert ranks([0, 0, 5]) == [2.5, 2.5, 1]
    assert ranks([1, 1]) == [1.5, 1.5]


@pytest.mark.parametrize(
    ("one", "other", "rho"),
    [
        ([3, 2, 1], [30, 20, 10], 1.0),
        ([3, 2, 1], [1, 2, 3], -1.0),
        ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),
        ([1, 2], [5, 5], None),
    ],
)
def test_rank_correlation(one: list[float], other: list[float], rho: float | None) -> None:
    assert rank_correlation(one, other) == (None if rho is None else pytest.approx(rho))


def test_rank_correlation_with_ties_is_that_of_the_ranks() -> None:
    # by hand: ranks 1, 2, 3, 4 against 1, 3, 3, 3: 3 / sqrt(5 * 3)
    assert rank_correlation([9, 8, 7, 6], [5, 0, 0, 0]) == pytest.approx(3 / 15**0.5)


def test_counts_of_an_answer_that_never_ran_are_nothing() -> None:
    assert counts({"rows": {}}, ["A-1", "A-2"]) == {"kept": 0, "broken": 0, "unjudged": 2}
    rows = {"A-1": {"state": "tolerated"}, "A-2": {"state": "fail"}, "A-3": {"state": "not-applicable"}}
    assert counts({"rows": rows}, ["A-1", "A-2", "A-3"]) == {"kept": 1, "broken": 1, "unjudged": 1}


def test_what_was_found_by_hand_must_be_confirmed() -> None:
    check = {"check": "A-1.x", "verdict": "pass", "reason": None}
    known = {"one": [Known("A-1.x", "fail", "it is broken"), Known("A-1.y", "pass", "it is right")]}
    assert disagreements({"one": {"checks": [check]}}, known) == [
        "one: A-1.x: pass, expected fail: it is broken",
        "one: A-1.y: no such check (expected pass: it is right)",
    ]
    assert disagreements({"one": {"checks": [check | {"reason": "too-long"}]}}, known, partly=True) == []


HOSTILE = "</td><script>alert(1)</script> | ``` [x](y)"


def answer(**more: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "key": "some", "name": "some", "title": f"Some {HOSTILE}", "rank": 1, "score": 8.5, "lines": 10,
        "cut_off": None, "fence_closed": True, "entry_point": True, "state": "judged", "why": "", "exception": None,
        "python": "3.11.7", "packages": ["websockets 13.1"], "starts": 2, "killers": ["X"], "wall_seconds": 3.0,
        "remark": "", "kept": 1, "broken": 0, "unjudged": 0,
    }  # fmt: skip
    return plain | more


def test_what_models_wrote_does_not_become_markup() -> None:
    off = {"line": 9, "message": HOSTILE}
    finding = {
        "check": "A-1.x", "verdict": "fail", "says": HOSTILE, "title": "", "requirement": "A-1", "sentence": HOSTILE,
        "seen": HOSTILE, "expected": HOSTILE, "transcript": [HOSTILE],
    }  # fmt: skip
    data = {
        "date": "2026-04-02", "commit": "0" * 40, "machine": "some",
        "wall_seconds": 300.0,
        "answers": [answer(), answer(name="off", state="not-started", exception=HOSTILE, cut_off=off, kept=0)],
        "repaired": [], "correlation": {"n": 2, "given": 1.0, "repaired": 1.0, "running": 1},
        "mission": [{"asks": "rooms", "rows": ["A-1"], "kept": {"some": 1, "off": 0}}],
        "rows": {"A-1": {"text": HOSTILE, "states": {"some": "pass"}}}, "findings": {"some": [finding]},
    }  # fmt: skip
    drawn = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(page(data))
    assert "<script>" not in drawn
    assert drawn.count("<table>") == 4
    for table in drawn.split("<table>")[1:]:
        lines = [line.count("<td") + line.count("<th>") + line.count("<th ") for line in table.split("<tr>")[1:]]
        assert len(set(lines)) == 1
