from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.report.escaping import encodable, file_name, payload, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("grüße 你好 🙂", "grüße 你好 🙂"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\x00b\nc\td\x7f\x85", "a\\x00b\\x0ac\\x09d\\x7f\\x85"),
        ("\u202eabc\u2066\u200b\ufeff", "\\u202eabc\\u2066\\u200b\\ufeff"),
        ("\ud800 \udfff", "\\ud800 \\udfff"),
        ("\u2028\U000e0041\uffff", "\\u2028\\U000e0041\\uffff"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 3 + "\\u0301" * 2),
    ],
)
def test_hidden_characters_become_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(categories=None)))
def test_what_is_visible_can_be_printed_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not any(unicodedata.category(c).startswith(("C", "Zl", "Zp")) for c in shown)
    assert visible(shown) == shown


def test_a_cut_says_the_whole_length() -> None:
    assert visible("x" * 1_000_000, 5) == "xxxxx… (1,000,000 characters)"
    assert visible("12345", 5) == "12345"


def test_payloads_say_their_length_in_bytes_when_they_are_cut() -> None:
    assert payload("abc", None, 3, 10) == "abc"
    assert payload("ü" * 20, None, 40, 10) == "ü" * 10 + "… (40 bytes)"
    assert payload("kept", None, 1_000_000, 10, cut=True) == "kept… (1,000,000 bytes)"
    assert payload(None, "AAEC", 3, 10) == "3 bytes, base64 AAEC"
    assert payload("\ud800", None, 3, 10) == "\\ud800"


def test_text_fits_any_stream() -> None:
    assert encodable("1\N{EN DASH}32 “ü” … 你", "utf-8") == "1\N{EN DASH}32 “ü” … 你"
    assert encodable("1\N{EN DASH}32 “ü” … 你", "latin-1") == '1-32 "ü" ... \\u4f60'
    assert encodable("1\N{EN DASH}32 ü →", "ascii") == "1-32 \\xfc ->"


@given(st.text(st.characters(categories=None)))
def test_file_names_are_safe(text: str) -> None:
    name = file_name(text)
    assert 0 < len(name) <= 100
    assert name.isascii()
    assert not name.startswith((".", "-"))
    assert not set(name) & set('/\\:*?"<>|\x00 ')
