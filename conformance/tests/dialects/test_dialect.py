"""Addresses, headers, and what a dialect says about itself."""

from __future__ import annotations

import pytest

from roomproof_conformance.dialects import DialectError, load, parse
from roomproof_protocol import capabilities

TEXT = """
dialect: 1
name: test
connect: CONNECT
codec: json
room_label: "#{room}"
actions:
  join: [{expect: {type: history}}]
  send: [{send: {type: say, to: "{room_label}", text: "{text}"}}]
  presence: [{send: {type: who}}]
events: [{as: message, match: {type: say}, fields: {from: by, text: text}}]
claims: {rooms: {}, history: {when: join}, malformed: {not_json: error}, sizes: {frame_bytes: 10}}
"""


def address(connect: str, base: str) -> str:
    return parse(TEXT.replace("CONNECT", connect)).url(base, room="a/b", nick="ann")


@pytest.mark.parametrize(
    ("connect", "base", "url"),
    [
        # no placeholders: what the user typed stands
        ("{path: /ws}", "ws://h:1", "ws://h:1/ws"),
        ("{path: /ws}", "ws://h:1/", "ws://h:1/"),
        ("{path: /ws}", "wss://h/chat?token=x", "wss://h/chat?token=x"),
        ("{path: '/ws?v=1'}", "ws://h:1?token=x", "ws://h:1/ws?token=x&v=1"),
        ("{path: '/ws?v=1'}", "ws://h:1/ws", "ws://h:1/ws?v=1"),
        ("{path: '/ws?v=1'}", "ws://h:1/chat", "ws://h:1/chat"),
        ("{url: 'ws://{host}:{port}{path}'}", "ws://h:1", "ws://h:1/"),
        ("{url: 'ws://{host}:{port}/x'}", "ws://[::1]:1", "ws://[::1]:1/x"),
        ("{}", "ws://h:1/any", "ws://h:1/any"),
        # placeholders: the dialect's path is needed
        ("{path: '/ws?room={room|query}'}", "ws://h:1", "ws://h:1/ws?room=a%2Fb"),
        ("{path: '/ws?room={room|query}'}", "ws://h:1/", "ws://h:1/ws?room=a%2Fb"),
        ("{path: '/ws?room={room|query}'}", "ws://h:1/ws?t=1", "ws://h:1/ws?t=1&room=a%2Fb"),
        ("{path: '/ws?room={room|query}'}", "ws://h:1/pre/", "ws://h:1/pre/ws?room=a%2Fb"),
        ("{path: '/{room_label|path}/{nick}'}", "ws://h:1", "ws://h:1/%23a%2Fb/ann"),
        ("{path: '/at/{host}/{port}'}", "wss://h", "wss://h/at/h/443"),
        # placeholders in the user's own address: it is complete
        ("{path: /ws}", "ws://h:1/x/{room|path}?me={nick}", "ws://h:1/x/a%2Fb?me=ann"),
    ],
)
def test_url(connect: str, base: str, url: str) -> None:
    assert address(connect, base) == url


@pytest.mark.parametrize("base", ["http://h:1", "h:1", "", "ws://", "ws://h:port/", "ws://h:1/{rom}"])
def test_no_address(base: str) -> None:
    with pytest.raises(DialectError):
        address("{path: /ws}", base)


def test_an_address_without_its_room() -> None:
    dialect = parse(TEXT.replace("CONNECT", "{path: '/{room}'}"))
    with pytest.raises(DialectError, match=r"no address for 'ws://h:1': \{room\} has no value"):
        dialect.url("ws://h:1", nick="ann")


def test_headers_are_filled_in() -> None:
    dialect = parse(TEXT.replace("CONNECT", "{headers: {Origin: 'http://{host}:{port}', X-User: '{nick}'}}"))
    assert dialect.headers({"host": "h", "port": 80, "nick": "ann"}) == [
        ("Origin", "http://h:80"),
        ("X-User", "ann"),
    ]
    with pytest.raises(DialectError, match=r"connect.headers: \{port\} has no value"):
        dialect.headers({"host": "h", "nick": "ann"})


def test_url_and_path_exclude_each_other() -> None:
    with pytest.raises(DialectError, match="stands beside 'url'"):
        address("{path: /ws, url: 'ws://{host}:{port}/'}", "ws://h:1")


def test_what_it_offers() -> None:
    dialect = parse(TEXT.replace("CONNECT", "{path: /ws}"))
    assert dialect.offers("send")
    assert not dialect.offers("leave")
    assert dialect.accepts("send", "room")
    assert not dialect.accepts("send", "mid")
    assert dialect.rooms_per_connection == "many"
    assert not dialect.room_in_url
    assert dialect.capabilities(dialect.claims_for({})) == {
        "json",
        "rooms",
        "multi_room",
        "join_ack",
        "identity",
        "history",
        "size_limit",
        "error_frames",
        "presence",
    }


def test_a_room_in_the_address_binds_the_connection() -> None:
    dialect = parse(TEXT.replace("CONNECT", "{path: '/{room}'}"))
    assert dialect.room_in_url
    assert dialect.rooms_per_connection == "one"
    assert "multi_room" not in dialect.capabilities(dialect.claims_for({}))


def test_every_capability_is_one_of_the_protocols_table() -> None:
    native = load("native")
    assert native.capabilities(native.claims_for({})) == set(capabilities())
    dialect = parse(TEXT.replace("CONNECT", "{subprotocols: [x]}"))
    assert dialect.capabilities(dialect.claims_for({})) <= set(capabilities())


def test_names_that_fit() -> None:
    native = load("native")
    assert native.fits("room", "a.b-c_1")
    assert not native.fits("room", "Lobby")
    assert not native.fits("room", "lobby\n")
    assert parse(TEXT.replace("CONNECT", "{}")).fits("room", "Any thing")
