"""The page: valid, without scripts, every cell a link that leads somewhere, and nothing hostile gets through."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest

from roomproof_conformance.matrix.model import Matrix
from roomproof_conformance.matrix.page import render, write_page
from roomproof_conformance.report.files import ReportError


def parsed(page: str) -> Element:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root: Element = parser.parse(page)
    return root


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def test_every_link_within_the_page_leads_somewhere(matrix: Matrix) -> None:
    root = parsed(render(matrix))
    names = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(names) == len(set(names))
    links = [str(e.get("href")) for e in root.iter("a")]
    assert all(link[1:] in names for link in links if link.startswith("#"))
    assert {
        "#wrong--ROOM-3",
        "#wrong--HIST-1",
        "right/report.html#r-ROOM-3",
        "wrong/report.html#c-ROOM-3.other-room",
    } <= set(links)


def test_cells_stand_in_the_column_of_their_server(matrix: Matrix) -> None:
    root = parsed(render(matrix))
    rows = {words(th)[:6]: tr for tr in root.iter("tr") for th in tr.findall("th")[:1]}
    states = [str(td.get("class")).removeprefix("cell ") for td in rows["ROOM-3"].findall("td")]
    assert states == ["pass", "fail", "absent", "pass"]
    assert "AUTH-1" not in rows, "a row by which nobody was judged is counted, not shown"
    assert [words(td) for td in rows["Kept, "].findall("td")] == ["2 / 2", "1 / 2", "none", "0 / 0"]
    assert [(words(th), th.get("colspan")) for th in root.iter("th") if th.get("class") == "set"] == [
        ("as given", "3"),
        ("repaired", "1"),
    ]


def test_what_others_wrote_is_shown_and_never_read(matrix: Matrix) -> None:
    page = render(matrix)
    root = parsed(page)
    assert not list(root.iter("script"))
    assert "\x1b" not in page
    assert "\u202e" not in page
    shown = words(root)
    assert shown.count("<script>alert(1)</script>`|\\x1b[31m\\u202e{{7*7}}") >= 6


def test_no_script_is_needed_and_nothing_is_loaded(matrix: Matrix) -> None:
    page = render(matrix)
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|@import|url\()\s*=?\s*["']?(?:https?:)?//""", page)


def test_a_column_that_was_not_judged_says_why(matrix: Matrix) -> None:
    root = parsed(render(matrix))
    [section] = [e for e in root.iter("section") if e.get("id") == "s-silent"]
    assert "did not start" in words(section)
    assert "ended with exit code 1" in words(section)
    [section] = [e for e in root.iter("section") if e.get("id") == "s-wrong"]
    assert "Brought down byERR-4.null; started anew for the rest" in words(section)
    assert "EnvironmentPython 3.11.2, websockets 13.1" in words(section)


def test_what_was_broken_off_says_so(matrix: Matrix) -> None:
    assert "broken off" not in render(matrix)
    assert "The run was broken off" in render(replace(matrix, interrupted=True))


def test_a_matrix_of_nothing_is_drawn(matrix: Matrix) -> None:
    parsed(render(replace(matrix, columns=matrix.columns[2:3])))


def test_a_page_that_cannot_be_written_is_one_line(matrix: Matrix, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written"):
        write_page(matrix, tmp_path)
