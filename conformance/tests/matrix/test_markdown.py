"""The Markdown summary, drawn by a Markdown reader: its tables keep their columns, whatever servers are called."""

from __future__ import annotations

from markdown_it import MarkdownIt

from roomproof_conformance.matrix.markdown import render
from roomproof_conformance.matrix.model import Matrix


def drawn(matrix: Matrix) -> str:
    return MarkdownIt("gfm-like", {"linkify": False}).render(render(matrix))


def test_it_is_drawn_as_it_is_meant(matrix: Matrix) -> None:
    page = drawn(matrix)
    assert "<script>" not in page
    assert page.count("<table>") == 3
    rows = [row for row in page.split("<tr>") if "<code>ROOM-3</code>" in row]
    assert len(rows) == 1
    assert rows[0].count("<td") == 5
    assert "did not start: <code>" in page
    assert "brought down by <code>ERR-4.null</code>" in page


def test_its_size_is_bounded(matrix: Matrix) -> None:
    assert len(render(matrix)) < 60_000
