"""Transcripts survive the way to a file and back."""

from __future__ import annotations

import io

import pytest
from transcripts import Script

from roomproof_conformance.transcript import payload_fields, read


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
    ],
)
def test_what_is_no_transcript_names_the_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"^file:1: "):
        read([line], source="file")


def test_payloads_are_text_or_base64_and_cut_with_their_length() -> None:
    assert payload_fields("é".encode()) == {"length": 2, "text": "é"}
    assert payload_fields(b"\xff") == {"length": 1, "base64": "/w=="}
    assert payload_fields(b"abcdef", keep=3) == {"length": 6, "text": "abc", "cut": True}
    assert payload_fields("aaé".encode(), keep=3) == {"length": 4, "text": "aa", "cut": True}
