"""The pattern language: what matches, what does not, and the first difference in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects import BadPart, compile_pattern, explain, matches
from roomproof_conformance.dialects.matching import covers, same, show

VALUE = {
    "type": "error",
    "re": "r1",
    "code": "forbidden",
    "n": 3,
    "f": 1.0,
    "t": True,
    "z": None,
    "l": [1, 2],
}


@pytest.mark.parametrize(
    ("pattern", "value", "wanted"),
    [
        ({"type": "error"}, VALUE, True),
        ({"type": "error", "re": "{id}"}, VALUE, True),
        ({"type": "error", "re": {"in": ["{id}", None]}}, {"type": "error", "re": None}, True),
        ({"type": "error", "re": {"in": ["{id}", None]}}, {"type": "error"}, False),
        ({"re": "forb"}, "forbidden", True),
        ({"members": {"re": "r1"}}, VALUE, True),
        ({"z": None}, VALUE, True),
        ({"zz": None}, VALUE, False),
        ({"zz": {"exists": False}}, VALUE, True),
        ({"z": {"exists": True}}, VALUE, True),
        ({"z": {"exists": False}}, VALUE, False),
        ({"z": "{later?}", "q": "{later?}"}, VALUE, True),
        ({"q": "{later}"}, VALUE, False),
        ({"t": 1}, VALUE, False),
        ({"f": 1}, VALUE, True),
        ({"f": {"is": "integer"}, "t": {"is": "boolean"}, "z": {"is": "null"}}, VALUE, True),
        ({"t": {"is": "integer"}}, VALUE, False),
        ({"n": {"ge": 3, "le": 3}}, VALUE, True),
        ({"n": {"ge": 4}}, VALUE, False),
        ({"code": {"ge": 4}}, VALUE, False),
        ({"l": [1]}, VALUE, True),
        ({"l": ["*", 2]}, VALUE, True),
        ({"l": [1, 2, "*"]}, VALUE, False),
        ({"l": {"len": 2}}, VALUE, True),
        ({"l": {"len": {"ge": 3}}}, VALUE, False),
        ({"l": {"items": {"is": "integer"}, "contains": 2}}, VALUE, True),
        ({"l": {"eq": [1]}}, VALUE, False),
        ({"type": "error", "not": {"code": "forbidden"}}, VALUE, False),
        ({"type": "error", "not": {"missing": 1}}, VALUE, True),
        ({"any_of": [{"type": "x"}, {"code": {"re": "^for"}}]}, VALUE, True),
        ({"all_of": [{"type": "error"}, {"n": 4}]}, VALUE, False),
        ({"code": {"not": "other"}}, VALUE, True),
        ({"nope": {"not": "other"}}, VALUE, False),
        ({}, VALUE, True),
        ({}, [], False),
        ({"exists": True}, "text", True),
        ("{id}", "r1", True),
        (["PING", "*"], ["PING", 1, 2], True),
        ({"type": "error"}, "error", False),
    ],
)
def test_matches(pattern: Any, value: Any, wanted: bool) -> None:
    assert matches(pattern, value, {"id": "r1"}) is wanted
    assert (explain(pattern, value, {"id": "r1"}) is None) is wanted


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ({"code": "invalid_room"}, "/code: expected 'invalid_room', got 'forbidden'"),
        ({"retry": {"ge": 1}}, "/retry: expected at least 1, but there is no such member"),
        ({"zz": "{id}"}, "/zz: expected 'r1', but there is no such member"),
        ({"z": {"exists": False}}, "/z: expected nothing there, got null"),
        ({"l": [1, 3]}, "/l/1: expected 3, got 2"),
        ({"l": {"items": {"le": 1}}}, "/l/1: expected at most 1, got 2"),
        ({"l": {"len": 3}}, "/l: expected a length of 3, got [1, 2]"),
        ({"code": {"in": ["a", "b"]}}, "/code: expected 'a' or 'b', got 'forbidden'"),
        ({"code": {"re": "^x"}}, "/code: expected text matching /^x/, got 'forbidden'"),
        ({"code": {"is": "object"}}, "/code: expected an object, got 'forbidden'"),
        ({"n": {"a": 1}}, "/n: expected an object, got 3"),
        ({"not": {"type": "error"}}, "/: expected anything but an object with type 'error', got {"),
        ({"code": "{unknown}"}, "/code: expected the value of {unknown}, which is not known"),
    ],
)
def test_explain(pattern: Any, told: str) -> None:
    why = explain(pattern, VALUE, {"id": "r1"})
    assert why is not None
    assert why.startswith(told)


@pytest.mark.parametrize(
    ("pattern", "told", "place"),
    [
        ({"a": {"re": "("}}, "bad regular expression '('", ("a", "re")),
        ({"re": None}, "'re' takes a regular expression, got None; a member called re", ("re",)),
        ({"a": {"is": "strng"}}, "did you mean 'string'?", ("a", "is")),
        ({"any_of": {"a": 1}}, "'any_of' takes a list of patterns", ("any_of",)),
        ({"any_of": [1, {"in": 3}]}, "'in' takes a list of values", ("any_of", 1, "in")),
        ({"a": {"exists": "yes"}}, "'exists' takes true or false", ("a", "exists")),
        ({"a": {"ge": "3"}}, "'ge' takes a number", ("a", "ge")),
        ({"a": [1, "{b"]}, "bad placeholder", ("a", 1)),
        ({404: 1}, "a member's name must be text, got 404", ()),
    ],
)
def test_ill_formed(pattern: Any, told: str, place: tuple[Any, ...]) -> None:
    with pytest.raises(BadPart) as caught:
        compile_pattern(pattern)
    assert told in caught.value.message
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("wide", "narrow", "wanted"),
    [
        ({"type": "error"}, {"type": "error", "code": "x"}, True),
        ({"type": "error", "code": "x"}, {"type": "error"}, False),
        ({"type": "error"}, {"type": "error"}, True),
        ({"a": {"exists": True}}, {"a": {"b": 1}}, True),
        ({"a": {"exists": True}}, {"a": {"exists": False}}, False),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": {"re": "x"}}, {"a": "x"}, False),
        ({"type": "x", "not": {"a": 1}}, {"type": "x", "not": {"a": 1, "b": 2}}, False),
        ({}, {"any_of": ["text"]}, False),
    ],
)
def test_covers(wide: Any, narrow: Any, wanted: bool) -> None:
    assert covers(wide, narrow) is wanted


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abc{}*", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "re", "not"]), inner),
    max_leaves=8,
)


@given(TREES)
def test_every_tree_equals_itself_and_explains_nothing(tree: Any) -> None:
    assert same(tree, tree)
    assert matches({"eq": "{tree}"}, tree, {"tree": tree})
    assert explain({"members": {"x": "{tree}"}}, {"x": tree, "y": 1}, {"tree": tree}) is None


@given(TREES, TREES)
def test_matches_and_explain_agree(one: Any, other: Any) -> None:
    try:
        pattern = compile_pattern(one)
    except BadPart:
        return
    assert pattern.matches(other, {}) is (pattern.explain(other, {}) is None)


def test_show_cuts_and_says_so() -> None:
    assert show("x" * 100) == "'" + "x" * 79 + "… (102 characters)"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert show(deep) == "a list"
    while deep:  # or the interpreter would free it recursively
        deep = deep.pop()
