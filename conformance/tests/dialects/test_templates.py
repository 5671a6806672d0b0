"""Placeholders: types kept, members dropped, escaping by place."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects.errors import BadPart
from roomproof_conformance.dialects.filters import MISSING
from roomproof_conformance.dialects.templates import Template, Unresolved, placeholder_names, render

VARIABLES: dict[str, Any] = {
    "room": "lobby",
    "seq": 7,
    "limits": {"history": 100, "messages": {"window_ms": 1500}},
    "event": {"params": ["tok"], "iq": {"@id": "a<b"}},
    "none": None,
}


@pytest.mark.parametrize(
    ("raw", "filled"),
    [
        ("JOIN #{room} {seq}", "JOIN #lobby 7"),
        ("{seq}", 7),
        ("{limits.history}", 100),
        ("{limits}", VARIABLES["limits"]),
        ("{limits.messages.window_ms|seconds}", 1.5),
        ("PONG :{event.params[0]}", "PONG :tok"),
        ("<iq id='{event.iq.@id|xml}'/>", "<iq id='a&lt;b'/>"),
        ('{"type":"chat","room":{room|json}}', '{"type":"chat","room":"lobby"}'),
        ("{{room} {} { }", "{room} {} { }"),
        ({"a": "{seq}", "b": "{after?}", "c": [1, "{after?}", "{room}"]}, {"a": 7, "c": [1, "lobby"]}),
        ({"type": "x", "auth": {"token": "{token?}"}}, {"type": "x"}),
        ({"auth": {"scheme": "{scheme?|default('guest')}"}}, {"auth": {"scheme": "guest"}}),
        ({"empty": {}, "list": []}, {"empty": {}, "list": []}),
        ("x{after?}y", "xy"),
        ("{after?}", MISSING),
        ("{none}", None),
        ("", ""),
        (12, 12),
    ],
)
def test_render(raw: Any, filled: Any) -> None:
    assert render(raw, VARIABLES) == filled


def test_missing_value_is_named() -> None:
    with pytest.raises(Unresolved, match=r"^\{limits\.page\}$"):
        render({"n": "{limits.page}"}, VARIABLES)


def test_names_are_the_variables() -> None:
    assert placeholder_names("{a.b} {c?} {{d}") == {"a", "c"}
    assert Template({"x": 1}).constant
    assert not Template("{{x").constant


@pytest.mark.parametrize(
    ("raw", "told", "place"),
    [
        ({"a": ["{nik}"]}, "unknown placeholder {nik}; did you mean {nick}?", ("a", 0)),
        ("{nick", "bad placeholder at '{nick'", ()),
        ({"x": "{nick|xlm}"}, "unknown filter 'xlm'; did you mean 'xml'?", ("x",)),
        ("{nick.}", "bad path", ()),
    ],
)
def test_ill_formed(raw: Any, told: str, place: tuple[Any, ...]) -> None:
    with pytest.raises(BadPart) as caught:
        Template(raw, frozenset({"nick", "room"}))
    assert told.replace("{nick}?", "'nick'?") in caught.value.message
    assert caught.value.place == place


ANY_TEXT = st.text(st.characters(codec="utf-8"))


@given(ANY_TEXT)
def test_escaping_round_trips(text: str) -> None:
    values = {"text": text}
    assert json.loads(render('{"t":{text|json}}', values))["t"] == text
    assert unquote(render("/{text|path}", values)[1:]) == text
    assert not set(render("{text|query}", values)) & set("/?#& ")
    clean = "".join(c for c in text if c.isprintable())
    parsed = ElementTree.fromstring(render("<a b='{t|xml}'>{t|xml}</a>", {"t": clean}))
    assert (parsed.text or "", parsed.get("b")) == (clean, clean)


@given(st.text(st.characters(codec="utf-8", exclude_characters="{")))
def test_text_without_braces_stays(text: str) -> None:
    assert Template(text).constant
    assert render(text, {}) == text


@given(ANY_TEXT)
def test_doubled_braces_are_literal(text: str) -> None:
    assert render(text.replace("{", "{{"), {}) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | ANY_TEXT, st.lists, max_leaves=5))
def test_whole_value_keeps_its_type(value: Any) -> None:
    assert render({"v": "{x}"}, {"x": value}) == {"v": value}
