"""The summary is drawn by a Markdown reader with HTML let through, and what comes out is read as a browser would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from roomproof_conformance.report.markdown import LARGEST, cell, code, render, write_markdown
from roomproof_conformance.results import RunResult
from roomproof_conformance.verdicts import Conclusion, Finding, Judged, Reason, Verdict

HARMLESS = """
    html head body h1 h2 h3 p strong em code ul li blockquote table thead tbody tr th td
"""


def drawn(source: str) -> Any:
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(source)
    return html5lib.parse(page, namespaceHTMLElements=False)


def text_of(tree: Any) -> str:
    return " ".join("".join(tree.itertext()).split())


def test_no_text_of_the_target_becomes_markup(result: RunResult, known: RunResult) -> None:
    for run in (result, known):
        tree = drawn(render(run))
        assert {part.tag for part in tree.iter()} <= set(HARMLESS.split())
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", render(run))
    assert "<script>alert(1)</script>" in text_of(tree)
    assert "half \\ud800 pair" in text_of(tree) or "\\x1b[31mred" in text_of(tree)


def test_a_reader_finds_verdict_areas_findings_and_reasons(result: RunResult) -> None:
    tree = drawn(render(result))
    assert text_of(tree.find(".//h1")) == "❌ Not conformant"
    rows = [[text_of(cell) for cell in row] for row in tree.find(".//table").iter("tr")]
    assert rows[0][:3] == ["area", "fail", "kit-error"]
    assert rows[2][:2] == ["Rooms", "1"]
    text = text_of(tree)
    for words in (
        "Sum of waits 31:13 min, wall 41.3 s, longest wait 34.0 s.",
        "❌ fail ROOM-5.other-room",
        "repeat: roomproof ws://127.0.0.1:4000/ws --timers short --only ROOM-5.other-room",
        "right: no {",
        "needs-hook (4): needs a hook file with `start`: RES-4.restart, CL-1.two-nodes",
    ):
        assert words in text


def test_known_failures_have_a_table(known: RunResult) -> None:
    tree = drawn(render(known))
    rows = [text_of(row) for row in tree.findall(".//table")[1].iter("tr")]
    assert len(rows) == 4
    assert any(
        row.startswith("RATE-3.steady fail known to be failing until 2027-01-31: being rewritten <b>") for row in rows
    )
    assert "❌ stale CONN-1.case-1" in text_of(tree)


def test_a_green_run_is_short(conformant: RunResult) -> None:
    source = render(conformant)
    assert source.startswith("# ✅ Conformant\n")
    assert len(source) < 2000


@given(st.text(st.characters(categories=None), max_size=60))
def test_a_code_span_holds_any_text(text: str) -> None:
    for source in (f"a {code(text)} b", f"| a |\n| --- |\n| {cell(text)} |"):
        found = [part for part in drawn(source).iter() if part.tag not in ("html", "head", "body")]
        assert [part.tag for part in found] in (
            ["p", "code"],
            ["table", "thead", "tr", "th", "tbody", "tr", "td", "code"],
        )


def test_many_findings_are_counted_when_there_is_no_room(book: Any) -> None:
    for number in range(400):
        judged = Judged("x", "must", "says", Finding("broken", "<" * 9000, "`" * 9000))
        book.add(f"MSG-1.{number}", "t", Conclusion(Verdict.FAIL, judged=judged))
    source = render(book.result)
    assert len(source) < 1.2 * LARGEST
    assert re.search(r"… and \d+ more findings", source)


def test_what_a_quick_run_left_out_is_one_item(book: Any, tmp_path: Path) -> None:
    for row in range(1, 10):
        book.add(f"BEAT-{row}.x", "t", Conclusion(Verdict.NOT_JUDGED, Reason.TOO_LONG, f"must wait {row} s"))
    write_markdown(book.result, tmp_path / "summary.md")
    assert (tmp_path / "summary.md").read_text().count("\n- too-long (9)") == 1


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.KIT_ERROR])
def test_the_mark_says_what_the_exit_code_says(book: Any, verdict: Verdict) -> None:
    book.add("MSG-1.x", "t", Conclusion(verdict, Reason.NOISE, "loud"))
    assert render(book.result).startswith("# ❔")
