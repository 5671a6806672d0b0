"""The JSON codec: it reads whatever comes, and writes as browsers do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects.codecs import CODECS, Unreadable

JSON = CODECS["json"]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "nope",
        "{",
        "\ufeff{}",
        b"\xff{}",
        "1" * 5000,
        "[" * 100_000,
        "[" * 201 + "]" * 201,
        '{"a":}',
        "{} {}",
    ],
)
def test_unreadable_is_the_text(payload: str | bytes) -> None:
    (tree,) = JSON.decode(payload)
    assert isinstance(tree, Unreadable)
    if isinstance(payload, str):
        assert tree == payload


@given(st.binary() | st.text())
def test_decoding_never_raises(payload: str | bytes) -> None:
    assert len(JSON.decode(payload)) == 1


def test_many_brackets_without_depth_are_fine() -> None:
    wide: list[Any] = [[{}] for _ in range(300)]
    assert JSON.decode(json.dumps(wide)) == [wide]
    assert JSON.decode("[" * 200 + "]" * 200) != [Unreadable("")]


def test_binary_frames_are_read_like_text() -> None:
    assert JSON.decode('{"é":1}'.encode()) == [{"é": 1}]


def test_a_batch_is_several_events() -> None:
    batch = CODECS["json-batch"]
    assert batch.decode('[{"a":1},{"b":2}]') == [{"a": 1}, {"b": 2}]
    assert batch.decode('{"a":1}') == [{"a": 1}]
    assert batch.decode("[]") == []


def test_encoding_escapes_only_what_it_must() -> None:
    assert JSON.encode({"text": 'é<"\ud800\n'}) == '{"text":"é<\\"\\ud800\\n"}'


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_round_trip(tree: Any) -> None:
    JSON.encode(tree).encode("utf-8")
    assert JSON.decode(JSON.encode(tree)) == [tree]
