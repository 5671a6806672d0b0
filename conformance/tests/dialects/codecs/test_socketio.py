"""Socket.IO packets in Engine.IO packets, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects.codecs import CODECS, Unreadable

SOCKETIO = CODECS["socketio"]


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ('0{"sid":"x","pingInterval":25000}', {"eio": "open", "open": {"sid": "x", "pingInterval": 25000}}),
        ("1", {"eio": "close"}),
        ("2", {"eio": "ping"}),
        ("3probe", {"eio": "pong", "data": "probe"}),
        ("6", {"eio": "noop"}),
        ("40", {"eio": "message", "sio": "connect", "ns": "/"}),
        ('40{"sid":"y"}', {"eio": "message", "sio": "connect", "ns": "/", "data": {"sid": "y"}}),
        ("40/admin,", {"eio": "message", "sio": "connect", "ns": "/admin"}),
        ("41", {"eio": "message", "sio": "disconnect", "ns": "/"}),
        (
            '42["chat",{"text":"hi"},1]',
            {"eio": "message", "sio": "event", "ns": "/", "event": "chat", "args": [{"text": "hi"}, 1]},
        ),
        (
            '42/admin,12["join"]',
            {"eio": "message", "sio": "event", "ns": "/admin", "ack": 12, "event": "join", "args": []},
        ),
        ('4312["ok"]', {"eio": "message", "sio": "ack", "ns": "/", "ack": 12, "args": ["ok"]}),
        (
            '44{"message":"no"}',
            {"eio": "message", "sio": "connect_error", "ns": "/", "data": {"message": "no"}},
        ),
    ],
)
def test_packets_both_ways(text: str, packet: dict[str, Any]) -> None:
    assert SOCKETIO.decode(text) == [packet]
    if packet["eio"] != "open":
        assert SOCKETIO.encode(packet) == text


def test_what_an_author_writes_is_short() -> None:
    assert SOCKETIO.encode({"event": "chat", "args": ["é"]}) == '42["chat","é"]'
    assert SOCKETIO.encode({"eio": "pong"}) == "3"
    assert SOCKETIO.encode({"sio": "connect", "data": {"token": "t"}}) == '40{"token":"t"}'


def test_binary_attachments_are_shown_apart() -> None:
    packet = '451-["file",{"_placeholder":true,"num":0}]'
    assert SOCKETIO.decode(packet)[0]["attachments"] == 1
    assert SOCKETIO.decode(b"\x00\xff") == [{"eio": "message", "binary": "AP8="}]


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "x", "4", "47", "42", "42{}", "42[]", "43{}", "42[", "0", "0{", "4" + "9" * 50, "430" * 9000),
        "42" + "[" * 100_000,
        "42" + "[" * 300 + "]" * 300,
    ],
)
def test_what_is_no_packet_stays_text(text: str) -> None:
    (tree,) = SOCKETIO.decode(text)
    assert isinstance(tree, Unreadable)
    assert tree == text


@given(st.binary() | st.text() | st.from_regex(r"4[0-6][0-9/,\[\]\"{}a-]*"))
def test_decoding_never_raises(payload: str | bytes) -> None:
    assert len(SOCKETIO.decode(payload)) == 1


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {"eio": "hello"},
        {"sio": "binary_event", "event": "x"},
        {"args": []},
        {"event": "x", "args": {}},
        {"event": "x", "argz": []},
        {"sio": "hello"},
    ],
)
def test_what_is_no_packet_is_not_written(tree: Any) -> None:
    with pytest.raises(ValueError, match=r"packet|eio|sio|event|args"):
        SOCKETIO.encode(tree)
