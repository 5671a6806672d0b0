from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_protocol import ProtocolError, decode, encode

Refusal = Callable[..., ProtocolError]
MANY = 100_000
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "data",
    [
        "",
        " \n",
        "nul",
        "{",
        '{"a":1',
        '{"a":1}x',
        "{}{}",
        "[1,]",
        "{'a':1}",
        "01",
        "+1",
        "1.",
        ".5",
        "0x1",
        "NaN",
        "Infinity",
        "-Infinity",
        '{"a":[NaN]}',
        '"a\nb"',
        '"\\x41"',
        '"\\ud8"',
        "\ufeff{}",
        "\u00a0{}",
        "\0",
        '{"a":1,"a":1}',
        '{"a":{"b":1,"\\u0062":2}}',
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_what_is_not_json(data: str | bytes, refusal: Refusal) -> None:
    error = refusal(decode, data)
    assert error.code == "invalid_json"
    assert error.re is None


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("1", 1),
        (" {} ", {}),
        (b'"\xc3\xa9"', "é"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\ud800"', "\ud800"),
        ("9007199254740991", 2**53 - 1),
        ("-0", 0),
        ("1e400", math.inf),
        ("-1e400", -math.inf),
        ("1" + "0" * 20, 1e20),
        ("9" * 5000, math.inf),
    ],
)
def test_what_is_json(data: str | bytes, value: object) -> None:
    assert decode(data) == value


def nested(levels: int) -> str:
    return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_sixteen_levels_and_no_more(refusal: Refusal) -> None:
    assert decode(nested(16))
    assert refusal(decode, nested(17)).code == "invalid_json"
    assert decode(nested(17), max_depth=17)


def test_brackets_side_by_side_or_in_strings_are_no_levels() -> None:
    assert decode("[" + "[]," * 50 + "[]]")
    assert decode(json.dumps({"a": "[" * 50, "b": '\\"[{' * 50, "[" * 50: []}))


def test_the_callers_own_depth_cannot_overflow_the_stack(refusal: Refusal) -> None:
    assert refusal(lambda: decode("[" * MANY, max_depth=MANY)).code == "invalid_json"


@pytest.mark.parametrize(
    "data",
    [
        "[" * MANY,
        '{"a":' * MANY,
        "[" * MANY + "]" * MANY,
        "[" * 20 + '"' + '\\"' * MANY,
        "[" * 20 + '"\\' * MANY,
        "[]" * MANY,
        '"' * MANY,
        '{"a":"' + "{" * MANY,
        "-" * MANY,
    ],
    ids=range(9),
)
def test_large_garbage_is_refused_like_small(data: str, refusal: Refusal) -> None:
    assert refusal(decode, data).code == "invalid_json"


@given(VALUES)
def test_every_value_survives(value: Any) -> None:
    assert decode(json.dumps(value), max_depth=100) == value
    assert decode(encode({"value": value}), max_depth=100) == {"value": value}


@given(st.binary() | st.text(st.characters()) | st.text('{}[]",:\\ue0-19.NaInfity \n'))
def test_nothing_but_a_protocol_error_escapes(data: str | bytes) -> None:
    with suppress(ProtocolError):
        decode(data)


def test_nothing_is_escaped_that_json_does_not_force() -> None:
    assert encode({"t": 'é<>&/\u2028😀\x7f"\\\t\n'}) == '{"t":"é<>&/\u2028😀\x7f\\"\\\\\\t\\n"}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800"])
def test_what_no_message_may_hold_is_not_encoded(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        encode({"value": value})
