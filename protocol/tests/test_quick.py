"""The short way gives what the long one gives, or nothing."""

from __future__ import annotations

import json
import timeit
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomproof_protocol import DEFAULTS, Limits, ProtocolError, encode, encode_plain, parse_request
from roomproof_protocol.codec import decode
from roomproof_protocol.messages import client_types, schema
from roomproof_protocol.quick import quick_request
from roomproof_protocol.requests import check_frame

pytest.importorskip("orjson", reason="the extra `server` is not installed")

SEND = {"type": "send", "id": "1", "room": "lobby", "text": "hello", "mid": "m-000001"}
ODD: list[Any] = [
    "", "a", "a\n", "lobby\n", "A" * 64, "a" * 65, "é" * 2048, "é" * 2049, "\x7f", "\x9f", "\x1f", "\u2028", "\ud800",
    "\U0001f642" * 1024, "x" * 4096, "x" * 4097, "\\", '"', "\t", "send", "join", None, True, 1, 1.0, 2**64, [], {},
]  # fmt: skip


def check(text: str, limits: Limits = DEFAULTS) -> bool:
    """Hold the two ways to each other; True where the short one answered."""
    quick = quick_request(text, limits)
    if quick is not None:
        assert quick == check_frame(decode(text), limits), text
    return quick is not None


def test_an_ordinary_send_takes_the_short_way() -> None:
    assert check(json.dumps(SEND))
    assert check(json.dumps(SEND, separators=(",", ":")))
    assert check(json.dumps(SEND | {"text": "é 🙂"}, ensure_ascii=False))
    assert parse_request(json.dumps(SEND)) == SEND


@pytest.mark.parametrize("type_", client_types())
def test_every_example_with_every_odd_value_in_every_place(type_: str) -> None:
    for example in schema("client", type_)["examples"]:
        for name in (*example, "unknown"):
            for odd in ODD:
                for text in (json.dumps(example | {name: odd}), json.dumps(example | {name: odd}, ensure_ascii=False)):
                    check(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"ping","id":"1","id":"2"}',
        '{"type":"ping","id" :"1","id":"2"}',
        '{"type":"ping","id":"1","id":2}',
        '{"type":"ping","id":2,"id":"1"}',
        '{"type":"ping","id":"1","x":{"a":"b","c":"d"}}',
        '{"type":"ping","id":"1","x":["a","b"]}',
        '{"type":"ping","id":"1",}',
        '{"type":"ping","id":"\\u0031"}',
        '{"type":["ping"],"id":"1"}',
        '{"type":{"a":"b"},"id":"1"}',
        '["type","id"]',
        '"type"',
        "",
        "NaN",
        '\ufeff{"type":"ping","id":"1"}',
        '{"type":"ping","id":"1"}\x00',
        '{"type":"ping","id":"1"} {}',
        '{"type":"ping","id":"\x01"}',
        "[" * 5000,
    ],
)
def test_what_it_cannot_vouch_for_goes_the_long_way(text: str) -> None:
    assert not check(text)


def test_a_value_that_was_overwritten_cannot_make_up_for_quotes() -> None:
    """Duplicates, nesting and plain members in all small combinations."""
    values = ['"a"', "1", "[]", '["a"]', '{"a":"b"}', '{"a":1}', "null"]
    for first in values:
        for second in values:
            for third in values:
                check(f'{{"type":"ping","id":"1","id":{first},"x":{second},"id":{third}}}')
                check(f'{{"type":"ping","type":{first},"type":"ping","id":{second},"id":{third}}}')


@given(st.text(alphabet=st.sampled_from('{}[]",:\\ \t\n\x00aé\ud800send0'), max_size=40), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_into_a_send(inserted: str, at: int) -> None:
    text = json.dumps(SEND)
    check(text[:at] + inserted + text[at:])


def test_limits_of_another_server() -> None:
    small = Limits.from_mapping({"text_bytes": 512})
    long = json.dumps(SEND | {"text": "x" * 513})
    assert check(long)
    assert not check(long, small)
    assert check(long)
    with pytest.raises(ProtocolError, match="512"):
        parse_request(long, small)


LEAVES = st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.none()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)))
@settings(max_examples=200, deadline=None)
def test_plain_values_are_encoded_alike(value: Any) -> None:
    message = {"value": value}
    try:
        expected = encode(message)
    except ValueError:
        return  # a lone surrogate
    assert encode_plain(message) == expected


def test_the_short_way_is_the_shorter_one() -> None:
    text = json.dumps(SEND)
    quick = min(timeit.repeat(lambda: parse_request(text), number=200, repeat=5))
    assert quick < min(timeit.repeat(lambda: check_frame(decode(text)), number=200, repeat=5))
