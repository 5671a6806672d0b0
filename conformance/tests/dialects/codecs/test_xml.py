"""XML stanzas as trees, and trees as stanzas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects.codecs import CODECS, Unreadable

XML = CODECS["xml"]


@pytest.mark.parametrize(
    ("text", "trees"),
    [
        ("<success xmlns='urn:x'/>", [{"success": ""}]),
        ("<body>a &amp; b</body>", [{"body": "a & b"}]),
        ("<subject></subject>", [{"subject": ""}]),
        (
            "<message type='groupchat' xml:lang='en'><body>hi</body><x xmlns='y'/></message>",
            [{"message": {"@type": "groupchat", "@lang": "en", "body": "hi", "x": ""}}],
        ),
        (
            "<stream:features xmlns:stream='s'><bind xmlns='b'><required/></bind></stream:features>",
            [{"features": {"bind": {"required": ""}}}],
        ),
        ("<s:a><s:b c='1'>t</s:b></s:a>", [{"a": {"b": {"@c": "1", "#text": "t"}}}]),
        ("<a><i>1</i><i/><i k='2'/></a>", [{"a": {"i": ["1", "", {"@k": "2"}]}}]),
        ("<a>x<b/>y</a>", [{"a": {"b": "", "#text": "xy"}}]),
        ("<a>\n  <b/>\n</a>", [{"a": {"b": ""}}]),
        ("<a/><b/>", [{"a": ""}, {"b": ""}]),
        ("<?xml version='1.0' encoding='utf-8'?><a/>", [{"a": ""}]),
        (" \n", []),
        ("", []),
        ("<a><![CDATA[<&]]></a><!-- no -->", [{"a": "<&"}]),
    ],
)
def test_stanzas(text: str, trees: list[Any]) -> None:
    assert XML.decode(text) == XML.decode(text.encode()) == trees


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/>hello",
        "</stanzas>",
        "</stanzas><stanzas>",
        "<a/></stanzas><stanzas><b/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<a>&x;</a>",
        "<a b='1' b='2'/>",
        "<a>\x01</a>",
        "<a>\ud800</a>",
        "<a>" * 1000 + "</a>" * 1000,
        "<a>" * 100_000,
        "{}",
    ],
)
def test_what_is_no_stanza_stays_text(text: str) -> None:
    (tree,) = XML.decode(text)
    assert isinstance(tree, Unreadable)
    assert tree == text


@given(st.binary() | st.text() | st.text(alphabet="<>/&;a='\"!-[]? "))
def test_decoding_never_raises(payload: str | bytes) -> None:
    XML.decode(payload)


_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"))


@given(_TEXT.filter(str.strip), _TEXT)
def test_round_trip(text: str, attribute: str) -> None:
    tree = {"message": {"@to": attribute, "body": text, "i": ["1", text], "e": ""}}
    assert XML.decode(XML.encode(tree)) == [tree]


@pytest.mark.parametrize(
    "tree",
    [
        {"a": "", "b": ""},
        {"a b": ""},
        {"@a": ""},
        {"a": {"b<": "1"}},
        {"a": {"@b": {"c": "d"}}},
        {"a": [{"1": ""}]},
        {"a": "\x01"},
        {"a": {"@b": "\ud800"}},
        [],
    ],
)
def test_what_xml_cannot_carry_is_not_written(tree: Any) -> None:
    with pytest.raises(ValueError, match=r"name|element|text|character"):
        XML.encode(tree)
