from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_protocol import grammar
from roomproof_protocol.errors import ProtocolError

ANY_TEXT = st.text(st.characters())  # lone surrogates included


@pytest.mark.parametrize("room", ["a", "0", "lobby", "a.b_c-d", "a--b", "r" * 64, "dm.x"])
def test_rooms(room: str) -> None:
    assert grammar.is_room(room)
    assert grammar.room_fault(room) is None


@pytest.mark.parametrize(
    "room",
    [
        "",
        "r" * 65,
        "A",
        "a b",
        " a",
        "a ",
        "-a",
        "a-",
        ".",
        "a.",
        "lobby\n",
        "é",
        "a/b",
        "\uff41",
        "\ud800",
        "a\0",
    ],
)
def test_not_rooms(room: str) -> None:
    assert not grammar.is_room(room)
    assert grammar.room_fault(room)


@pytest.mark.parametrize("value", [None, 7, True, b"lobby", ["lobby"]])
def test_what_is_no_string_is_nothing(value: object) -> None:
    assert not grammar.is_room(value)
    assert not grammar.is_identifier(value)
    assert not grammar.is_user_id(value)


@pytest.mark.parametrize(
    ("value", "identifier", "mid"),
    [
        ("", False, False),
        ("1", True, False),
        ("1234567", True, False),
        ("12345678", True, True),
        ("A-Za.z_0~9", True, True),
        ("x" * 64, True, True),
        ("x" * 65, False, False),
        ("12345678\n", False, False),
        ("1234 5678", False, False),
        ("١٢٣٤٥٦٧٨", False, False),
    ],
)
def test_identifiers(value: str, identifier: bool, mid: bool) -> None:
    assert grammar.is_identifier(value) is identifier
    assert grammar.is_mid(value) is mid


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("!", True),
        ("~" * 128, True),
        ("~" * 129, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_user_ids(value: str, right: bool) -> None:
    assert grammar.is_user_id(value) is right


@pytest.mark.parametrize(
    "text",
    [
        "a",
        " ",
        "\t\n",
        "\u00a0",
        "\ufeff",
        "\ufdd0",
        "\U0010ffff",
        "\u202e",
        "e\u0301",
        "\u0378",
        "\U0001f642",
        "\u2028",
        "\ue000",
    ],
)
def test_texts_that_pass(text: str) -> None:
    assert grammar.text_fault(text, 4096) is None


@pytest.mark.parametrize("text", ["", "\0", "a\r", "\x0b", "\x1f", "\x7f", "\x80", "\x9f", "\ud800", "x\udfff"])
def test_texts_that_do_not_pass(text: str) -> None:
    code, reason = grammar.text_fault(text, 4096) or ("", "")
    assert code == "invalid_text"
    assert reason


@pytest.mark.parametrize(("text", "size"), [("a" * 8, 8), ("é" * 4, 8), ("\U0001f642" * 2, 8), ("\uffff" * 3, 9)])
def test_texts_are_measured_in_bytes(text: str, size: int) -> None:
    assert grammar.utf8_length(text) == size
    assert grammar.text_fault(text, size) is None
    assert (grammar.text_fault(text, size - 1) or ("",))[0] == "text_too_long"


@given(ANY_TEXT)
def test_a_text_is_refused_for_what_the_sentence_names_and_nothing_else(text: str) -> None:
    refused = not text or any(
        unicodedata.category(char) == "Cs" or (unicodedata.category(char) == "Cc" and char not in "\t\n")
        for char in text
    )
    assert (grammar.text_class_fault(text) is not None) is refused


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "Zoë",
        "山田 太郎",
        "🙂",
        "\U0001f469\u200d\U0001f680",  # joined by a format character
        "\U0001fae9",  # newer than the tables of Python 3.11
        "a\u00a0b",
        "x" * 32,
        "e\u0301" * 32,  # 64 code points, 32 in NFC
        "<script>",
        "!",
    ],
)
def test_names(name: str) -> None:
    assert grammar.name_fault(name) is None
    assert unicodedata.is_normalized("NFC", grammar.normalise_name(name))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 33,
        "\u0958" * 17,  # 17 code points, 34 in NFC
        " a",
        "a ",
        "\u00a0a",
        "a\u3000",
        "a\n",
        "a\tb",
        "a\x7f",
        "a\x85",
        "a\ud800",
        "a\ue000",
        "a\U00100000",
        "a\ufdd0",
        "a\uffff",
        "a\U0001fffe",
        "a\u2028",
        "a\u202eb",
        "a\u2066",
        "a\u2069",
        "\u200b",
        "\u200d\u200d",
        "\ufe0f",
        "\u0301",
        "\u3164",
        "\u2800",
        "\U000e0100",
    ],
)
def test_not_names(name: str) -> None:
    assert grammar.name_fault(name)
    with pytest.raises(ProtocolError) as caught:
        grammar.normalise_name(name)
    assert caught.value.code == "invalid_name"


@given(ANY_TEXT)
def test_a_normalised_name_is_a_name_and_stays_as_it_is(name: str) -> None:
    if grammar.name_fault(name) is None:
        normal = grammar.normalise_name(name)
        assert grammar.name_fault(normal) is None
        assert grammar.normalise_name(normal) == normal
        assert 1 <= len(normal) <= 32


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("^[$]$", "$", True),
        ("^[$]$", "$\n", False),
        (r"^\$$", "$", True),
        (r"^[\]$]$", "$", True),
        ("a", "bab", True),
        (r"^\d$", "٣", False),
    ],
)
def test_patterns_mean_what_ecma_262_says(pattern: str, value: str, matches: bool) -> None:
    assert bool(grammar.ecma_pattern(pattern).search(value)) is matches
