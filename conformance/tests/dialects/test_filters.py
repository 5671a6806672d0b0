"""Paths and filters: what they find, and that reading never raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects.errors import BadPart
from roomproof_conformance.dialects.filters import MISSING, READING, compile_expression

TREE = {
    "params": ["#lobby", "hi there"],
    "message": {"@from": "room@host/ann/b", "body": "ann: hello: you"},
    "a.b": {"x": None},
    "when": 1.25,
    "iso": "2026-04-02T13:30:34Z",
    "packed": '{"text": "hi"}',
}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("params[0]", "#lobby"),
        ("params[-1]", "hi there"),
        ("params[2]", MISSING),
        ("message.@from | before('/')", "room@host"),
        ("message.@from | after('/')", "ann/b"),
        ("message.body | after('/')", MISSING),
        ("message.body | before('/')", "ann: hello: you"),
        ("message.body | re('^([^:]+): ')", "ann"),
        ("message.body | re('^(?P<from>[^:]+): (?P<text>.*)$', 'text')", "hello: you"),
        ("message.body | re('^nobody')", MISSING),
        ('message.body | re("o|l")', "l"),
        ('["a.b"].x', None),
        ("['a.b'].x.y", MISSING),
        ("when | ms", 1250),
        ("iso | ms", 1775136634000),
        ("params | ms", MISSING),
        ("packed | json", {"text": "hi"}),
        ("message.body | json", MISSING),
        ("nothing | default('x') | before('/')", "x"),
        ("when|int", 1),
        (".", TREE),
        ("'(someone)'", "(someone)"),
        ("\"a|b\" | before('|')", "a"),
    ],
)
def test_expression(expression: str, found: object) -> None:
    assert compile_expression(expression)(TREE) == found


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "empty path; '.' is the whole event"),
        ("a..b", "bad path 'a..b' at '..b'"),
        ("a[x]", "bad path 'a[x]' at '[x]'"),
        ("a | jsn", "unknown filter 'jsn'; did you mean 'json'?"),
        ("a | before", "wrong arguments for filter 'before'"),
        ("a | before(/)", "bad argument of filter 'before' at '/'"),
        ("a | re('(')", "bad regular expression '('"),
        ("a | re('a', 'n')", "no group 'n'"),
        ("a | re", "'re' takes a regular expression"),
        ("a || b", "bad filter '|| b'"),
    ],
)
def test_ill_formed(expression: str, told: str) -> None:
    with pytest.raises(BadPart) as caught:
        compile_expression(expression)
    assert told in caught.value.message
    assert "\n" not in caught.value.message


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(TREES, st.sampled_from(["a", "a.b", "a[0].b", "[1]", "."]), st.sampled_from(sorted(READING)))
def test_reading_never_raises(tree: Any, path: str, name: str) -> None:
    arguments = {"before": "('/')", "after": "('/')", "default": "('d')", "re": "('a')"}.get(name, "")
    compile_expression(f"{path} | {name}{arguments}")(tree)
