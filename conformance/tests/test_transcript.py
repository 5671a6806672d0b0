"""Transcripts survive the way to a file and back."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import Script

from roomproof_conformance.transcript import payload_fields, payload_of, read


def test_a_transcript_comes_back_as_it_was() -> None:
    script = Script()
    script.frame(0.1, "a", 1, text="\ud800 lone, \u202e, é", length=3)
    script.event(0.2, "a", "message", tree={"n": [1, None]}, text="x")
    file = io.StringIO()
    script.transcript.write(file)
    again = read(file.getvalue().splitlines())
    assert [r.as_json() for r in again] == [r.as_json() for r in script.transcript]
    assert file.getvalue().isascii()


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"i": 0}',
        '{"i": 5, "t": 0, "conn": "", "kind": "case", "data": {}}',
        '{"i": 0, "t": 0, "conn": "", "kind": "x", "data": {}}',
        '{"i": 0, "t": 0, "conn": "", "kind": "case", "data": []}',
        '{"i": "0", "t": 0, "conn": "", "kind": "case", "data": {}}',
        '{"i": 0, "t": 0, "conn": "", "kind": "mark", "data": {"name": "x"}}',
        '{"i": 0, "t": 0, "conn": "", "kind": "case", "data": {"format": 2}}',
        "[" * 100_000,
        "",
    ],
)
def test_what_is_no_transcript_names_the_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"^file:1: "):
        read([line], source="file")


def test_a_later_line_is_named_by_its_number() -> None:
    file = io.StringIO()
    Script().transcript.write(file)
    with pytest.raises(ValueError, match=r"^file:3: .*expected record 1, found record 7"):
        read([file.getvalue(), "", '{"i": 7, "t": 0, "conn": "", "kind": "mark", "data": {}}'], source="file")


def test_a_transcript_of_another_format_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"^file:1: a transcript of format 1, .* run the check again$"):
        read(['{"i": 0, "t": 0, "conn": "", "kind": "case", "data": {"format": 1, "checks": []}}'], source="file")


def test_times_are_those_that_are_written() -> None:
    script = Script()
    script.mark(1.23456789)
    assert script.transcript.records[-1].t == 1.234568


@given(st.binary(max_size=200), st.integers(1, 100))
def test_what_was_sent_can_be_sent_again(payload: bytes, keep: int) -> None:
    assert payload_of(payload_fields(payload, keep=keep, whole=True)) == payload


def test_payloads_are_text_or_base64_and_cut_with_their_length() -> None:
    assert payload_fields("é".encode()) == {"length": 2, "text": "é"}
    assert payload_fields(b"\xff") == {"length": 1, "base64": "/w=="}
    assert payload_fields(b"abcdef", keep=3) == {"length": 6, "text": "abc", "cut": True}
    assert payload_fields("aaé".encode(), keep=3) == {"length": 4, "text": "aa", "cut": True}
