from __future__ import annotations

from typing import Any

import pytest

from roomproof_conformance.report.ledger import (
    TITLES,
    duration,
    headline,
    in_need_of_a_look,
    ledger,
    unjudged,
)
from roomproof_conformance.results import RunResult
from roomproof_conformance.verdicts import Conclusion, Reason, Verdict
from roomproof_protocol import requirements


def test_every_group_of_the_table_has_a_title() -> None:
    assert list(TITLES) == list(dict.fromkeys(row.group for row in requirements()))


def test_every_row_of_the_table_is_there_once_with_a_verdict_or_a_remark(result: RunResult) -> None:
    rows = ledger(result).rows
    assert [row.id for row in rows] == [row.id for row in requirements()]
    assert all(bool(row.checks) != bool(row.remark) for row in rows)


def test_the_worst_check_decides_a_row(book: Any) -> None:
    book.add("MSG-1.a", "one", Conclusion(Verdict.PASS))
    book.add("MSG-1.b", "two", Conclusion(Verdict.FAIL))
    book.add("MSG-1.c", "three", Conclusion(Verdict.NOT_JUDGED, Reason.BUDGET))
    found = ledger(book.result)
    row = next(row for row in found.rows if row.id == "MSG-1")
    assert row.verdict is Verdict.FAIL
    assert row.worst.check == "MSG-1.b"
    assert found.judged == 1
    assert dict(found.counts) == {Verdict.FAIL: 1}
    assert next(row for row in found.rows if row.id == "MSG-2").remark == "not selected"


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ((), "Nothing judged"),
        ((Verdict.PASS,), "Conformant"),
        ((Verdict.PASS, Verdict.WARN), "Conformant, with warnings"),
        ((Verdict.PASS, Verdict.FAIL, Verdict.KIT_ERROR), "Not conformant"),
        ((Verdict.PASS, Verdict.KIT_ERROR), "Kit error"),
        ((Verdict.PASS, Verdict.INCONCLUSIVE), "Inconclusive"),
    ],
)
def test_the_headline_follows_the_exit_code(book: Any, verdicts: tuple[Verdict, ...], words: str) -> None:
    for number, verdict in enumerate(verdicts):
        book.add(f"MSG-{number + 1}.x", "t", Conclusion(verdict))
    assert headline(book.result) == words
    book.result.interrupted = True
    assert headline(book.result) == "Interrupted"


def test_what_has_nothing_to_show_is_told_by_its_reason(result: RunResult) -> None:
    groups = unjudged(result)
    assert [len(checks) for checks in groups.values()] == [4, 1]
    shown = in_need_of_a_look(result)
    assert [r.verdict for r in shown] == sorted((r.verdict for r in shown), key=_rank)


def _rank(verdict: Verdict) -> int:
    order = (Verdict.FAIL, Verdict.KIT_ERROR, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.NOT_JUDGED)
    return order.index(verdict)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0121, "12 ms"),
        (3.04, "3.0 s"),
        (41.27, "41.3 s"),
        (119.6, "2:00 min"),
        (1873.4, "31:13 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
