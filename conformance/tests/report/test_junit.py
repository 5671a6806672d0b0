"""The document is read back by junitparser, a reader that knows what CI systems take, and by the plain XML parser."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from roomproof_conformance.report.junit import render, write_junit
from roomproof_conformance.report.ledger import TITLES
from roomproof_conformance.results import RunResult
from roomproof_conformance.verdicts import Verdict


@pytest.fixture
def read(result: RunResult, tmp_path: Path) -> JUnitXml:
    return _read(result, tmp_path)


def _read(result: RunResult, folder: Path) -> JUnitXml:
    write_junit(result, folder / "junit.xml")
    document = JUnitXml.fromfile(str(folder / "junit.xml"))
    assert isinstance(document, JUnitXml)
    return document


def _cases(document: JUnitXml) -> dict[str, TestCase]:
    suites = [suite for suite in document if isinstance(suite, TestSuite)]
    return {str(case.name).partition(": ")[0]: case for suite in suites for case in suite}


def test_a_suite_for_each_area_and_a_case_for_each_check(read: JUnitXml, result: RunResult) -> None:
    assert {str(suite.name) for suite in read} <= set(TITLES.values())
    assert list(_cases(read)) == [check.check for check in sorted(result.results, key=_by_area(result))]
    assert read.tests == len(result.results)


def _by_area(result: RunResult) -> object:
    areas = list(dict.fromkeys(check.group for check in result.results))
    return lambda check: areas.index(check.group)


def test_the_counts_are_those_of_the_cases(read: JUnitXml) -> None:
    for counted in (read, *read):
        before = counted.tests, counted.failures, counted.errors, counted.skipped
        counted.update_statistics()
        assert (counted.tests, counted.failures, counted.errors, counted.skipped) == before
    assert (read.failures, read.errors) == (4, 2)


def test_verdicts_become_failures_errors_and_skips(read: JUnitXml) -> None:
    cases = _cases(read)
    kinds = {
        "ROOM-5.other-room": Failure,
        "DISC-3.slow": Error,
        "BEAT-2.interval": Error,
        "PRES-1.join": Skipped,
        "CL-1.two-nodes": Skipped,
    }
    for check, kind in kinds.items():
        (said,) = cases[check].result
        assert isinstance(said, kind)
    for check in ("CONN-1.case-1", "AUTH-12.hint", "MSG-8.nfc"):
        assert cases[check].is_passed
    assert "warn: none came" in str(cases["AUTH-12.hint"].system_out)
    assert "tolerated: the trailing newline is gone" in str(cases["MSG-8.nfc"].system_out)
    assert cases["CL-1.two-nodes"].result[0].message == "not-judged: needs-hook: needs a hook file with `start`"


def test_a_failure_holds_all_that_a_reader_needs(read: JUnitXml) -> None:
    (said,) = _cases(read)["ROOM-5.other-room"].result
    assert str(said.message).startswith('fail: it came: {"type": "message"')
    lines = dict(line.split(": ", 1) for line in str(said.text).splitlines())
    assert list(lines) == ["ROOM-5 MUST", "statement", "sent", "came", "right", "transcript", "repeat"]
    assert lines["repeat"] == "roomproof ws://127.0.0.1:4000/ws --timers short --only ROOM-5.other-room"


def test_known_failures_are_skipped_and_stale_ones_fail(known: RunResult, tmp_path: Path) -> None:
    cases = _cases(_read(known, tmp_path))
    for check, words in (
        ("RATE-3.steady", "known-failing: known to be failing until 2027-01-31: being rewritten <b> (known.yaml:3)"),
        ("BEAT-2.interval", "known-flaky: known to be flaky: slow machine (flaky.yaml:3)"),
    ):
        (said,) = cases[check].result
        assert isinstance(said, Skipped)
        assert said.message == words
    (stale,) = cases["CONN-1.case-1"].result
    assert isinstance(stale, Failure)
    assert "the list is stale" in str(stale.message)
    (expired,) = cases["ROOM-5.other-room"].result
    assert isinstance(expired, Failure)
    assert "until 2026-02-28, which is over" in str(expired.message)
    assert cases["CONN-2.case-1"].is_passed
    assert "known to be flaky" in str(cases["CONN-2.case-1"].system_out)


def test_what_xml_cannot_hold_is_made_visible(result: RunResult) -> None:
    source = render(result)
    root = ElementTree.fromstring(source.encode())
    text = "".join(root.itertext()) + "".join(value for part in root.iter() for value in part.attrib.values())
    for shown in (
        "<script>alert(1)</script>",
        "\\x1b[31mred",
        "\\u202egnp.exe",
    ):
        assert shown in text
    assert "<script" not in source


def test_every_character_there_is_can_be_reported(book: object, result: RunResult) -> None:
    """Control characters, halves of pairs and non-characters in every field that foreign text reaches."""
    odd = "".join(map(chr, [*range(0xA1), 0xD800, 0xDFFF, 0xFFFE, 0xFFFF, 0x1F600, 0x10FFFF]))
    result = book.result  # type: ignore[attr-defined]  # the Book of conftest.py, which cannot be imported
    result.target = result.dialect = odd
    result.notes = [odd]
    document = ElementTree.fromstring(render(result).encode())
    assert document.tag == "testsuites"


def test_a_green_run_has_no_failure(conformant: RunResult, tmp_path: Path) -> None:
    document = _read(conformant, tmp_path)
    assert (document.failures, document.errors, document.skipped) == (0, 0, 0)
    assert conformant.counts == {Verdict.PASS: document.tests}
