"""JSON as somebody writes it who does not care."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.malformed.jsontext import Members, Raw, added, escaped, members_at, put, write

TREE = {"a": {"b": [1, 2]}, "c": "x"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_what_is_not_spoilt_reads_back_as_it_was(value: object) -> None:
    assert json.loads(write(value)) == value


@given(st.text(st.characters(), max_size=20))
def test_an_escaped_string_reads_back_as_it_was(value: str) -> None:
    token = escaped(value).token
    assert token.isascii()
    assert json.loads(token) == value


@pytest.mark.parametrize(
    ("spoilt", "text"),
    [
        (put(TREE, ("a", "b", 1), Raw("NaN")), '{"a":{"b":[1,NaN]},"c":"x"}'),
        (put(TREE, (), []), "[]"),
        (members_at(TREE, ("c",), lambda n, v: ()), '{"a":{"b":[1,2]}}'),
        (members_at(TREE, ("c",), lambda n, v: ((n, None), (n, v))), '{"a":{"b":[1,2]},"c":null,"c":"x"}'),
        (members_at(TREE, ("a", "b"), lambda n, v: ((Raw('"\\u0062"'), 0),)), '{"a":{"\\u0062":0},"c":"x"}'),
        (added(TREE, ("a",), "d", 1), '{"a":{"b":[1,2],"d":1},"c":"x"}'),
        (Members([("a", "\ud800")]), '{"a":"\\ud800"}'),
    ],
)
def test_what_json_cannot_say(spoilt: object, text: str) -> None:
    assert write(spoilt) == text
    assert TREE == {"a": {"b": [1, 2]}, "c": "x"}
