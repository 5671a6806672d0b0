"""Dialects of servers that exist: two that speak JSON, one of IRC lines, one of XML stanzas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roomproof_conformance.dialects import (
    Claims,
    Dialect,
    DialectError,
    Heartbeat,
    Outcome,
    Session,
    load,
    parse,
)

FOLDER = Path(__file__).parents[3] / "examples" / "multivac" / "dialects"
SOMEONE = {"room": "a", "from": "(someone)", "ts": 1000}
HISTORY = {"type": "history", "messages": []}


@pytest.fixture
def grok() -> Dialect:
    return load(FOLDER / "grok_420.yaml")


@pytest.fixture
def deepseek() -> Dialect:
    return load(FOLDER / "deepseek_v4.yaml")


def kind_and_fields(session: Session, frame: Any) -> tuple[str, dict[str, Any]]:
    (event,) = session.receive(json.dumps(frame))
    return event.kind, dict(event.fields)


def payloads(session: Session, action: str, **args: Any) -> list[Any]:
    return [json.loads(out.payload) for out in session.begin(action, **args).outgoing]


def test_grok_joins_by_connecting(grok: Dialect) -> None:
    session = Session(grok, nick="ann", room="lob by")
    assert session.address("ws://127.0.0.1:9001") == "ws://127.0.0.1:9001/ws?room=lob%20by"
    assert session.address("ws://127.0.0.1:9001/ws") == "ws://127.0.0.1:9001/ws?room=lob%20by"
    assert session.begin("identify").ok
    join = session.begin("join", room="lob by")
    assert not join.done
    (history,) = session.receive(json.dumps(HISTORY))
    assert join.step(history)
    assert (join.ok, history.kind, history.room, history.entries) == (True, "history", "lob by", [])
    with pytest.raises(DialectError, match="join: this connection is bound to room 'lob by' by its address"):
        session.begin("join", room="other")


def test_grok_sends(grok: Dialect) -> None:
    session = Session(grok, nick="ann", room="a")
    chat = {"type": "chat", "room": "a", "username": "ann", "content": "hi"}
    assert payloads(session, "send", room="a", text="hi") == [chat]
    assert session.begin("send", room="a", text="hi").done
    # Naming another room than one's own is possible on this wire: that is how a non-member sends.
    assert payloads(session, "send", room="b", text="hi") == [{**chat, "room": "b"}]
    assert not grok.offers("leave")


@pytest.mark.parametrize(
    ("frame", "kind", "fields"),
    [
        (
            {"type": "chat", "content": "hi", "timestamp": 1.5, "username": "bob", "messageId": 3},
            "message",
            {"room": "a", "from": "bob", "text": "hi", "id": "3", "ts": 1500},
        ),
        (
            {"type": "error", "content": "Rate limit exceeded. Max 5 messages per second."},
            "rate_limited",
            {"reason": "Rate limit exceeded. Max 5 messages per second."},
        ),
        ({"type": "error", "content": "Invalid room"}, "error", {"reason": "Invalid room"}),
        (
            {"type": "system", "content": "User joined the room", "timestamp": 1.0},
            "joined",
            SOMEONE,
        ),
        (
            {"type": "system", "content": "User left the room", "timestamp": 1.0},
            "left",
            SOMEONE,
        ),
        ({"type": "system", "content": "else"}, "unclassified", {}),
    ],
)
def test_grok_frames(grok: Dialect, frame: dict[str, Any], kind: str, fields: dict[str, Any]) -> None:
    assert kind_and_fields(Session(grok, nick="ann", room="a"), frame) == (kind, fields)


def test_grok_history_entries_look_like_live_ones(grok: Dialect) -> None:
    entry = {"type": "chat", "username": "bob", "content": "old", "timestamp": 2, "messageId": 1}
    _, fields = kind_and_fields(Session(grok, nick="ann", room="a"), {"type": "history", "messages": [entry]})
    assert fields["entries"] == [{"from": "bob", "text": "old", "id": "1", "ts": 2000}]


def test_grok_claims(grok: Dialect) -> None:
    claims = grok.claims_for({})
    assert claims.problems == ()
    assert claims.heartbeat == Heartbeat("client", "keepalive", 30.0, 60.0)
    assert claims.rate_limit is not None
    assert (claims.rate_limit.scope, claims.rate_limit.burst, claims.rate_limit.per) == ("user", 5, 1.0)
    assert grok.capabilities(claims) == {
        "json",
        "rooms",
        "join_ack",
        "identity",
        "same_user",
        "timestamps",
        "history",
        "rate_limit",
        "heartbeat",
        "error_frames",
        "presence_events",
    }
    kept = Session(grok, nick="ann", room="a").keepalive()
    assert kept is not None
    assert (kept[0], [out.payload for out in kept[1]]) == (30.0, ['{"type":"heartbeat"}'])


def test_deepseek_joins_by_connecting(deepseek: Dialect) -> None:
    session = Session(deepseek, nick="ann", room="a/b")
    assert session.address("ws://127.0.0.1:9001") == "ws://127.0.0.1:9001/a%2Fb"
    join = session.begin("join", room="a/b")
    (greeting,) = session.receive('{"type": "system", "message": "Connected to room: a/b"}')
    assert (greeting.kind, greeting.room, greeting.sender) == ("joined", "a/b", None)
    assert join.step(greeting)
    assert not join.done
    assert join.step(session.receive(json.dumps(HISTORY))[0])
    assert join.ok
    assert payloads(session, "send", room="a/b", text="hi") == [{"type": "chat", "content": "hi"}]
    with pytest.raises(DialectError, match="needs a connection of its own"):
        session.begin("send", room="b", text="hi")


@pytest.mark.parametrize(
    ("frame", "kind", "fields"),
    [
        (
            {"type": "chat", "content": "hi", "timestamp": 1.5},
            "message",
            {"room": "a", "text": "hi", "ts": 1500},
        ),
        (
            {"type": "error", "message": "Message rate limit exceeded"},
            "rate_limited",
            {"reason": "Message rate limit exceeded"},
        ),
        ({"type": "error", "message": "Invalid JSON format"}, "error", {"reason": "Invalid JSON format"}),
        ({"type": "heartbeat", "timestamp": 2.0}, "heartbeat", {"ts": 2000}),
        (
            {"type": "system", "message": "A user has left the room", "timestamp": 1},
            "left",
            SOMEONE,
        ),
    ],
)
def test_deepseek_frames(deepseek: Dialect, frame: dict[str, Any], kind: str, fields: dict[str, Any]) -> None:
    assert kind_and_fields(Session(deepseek, nick="ann", room="a"), frame) == (kind, fields)


def test_deepseek_heartbeat_has_a_reaction_and_a_keepalive_apart(deepseek: Dialect) -> None:
    session = Session(deepseek, nick="ann", room="a")
    (beat,) = session.receive('{"type": "heartbeat", "timestamp": 1}')
    ((role, answer),) = session.reactions(beat)
    assert (role, answer.payload) == ("heartbeat", '{"type":"heartbeat"}')
    kept = session.keepalive()
    assert kept is not None
    assert kept[0] == 4.0
    claims: Claims = deepseek.claims_for({})
    assert claims.heartbeat == Heartbeat("server", "reaction", 30.0, 10.0, "close", 4001)
    assert claims.identity is None
    assert claims.malformed_outcome("not_json") == Outcome("error")
    assert "identity" not in deepseek.capabilities(claims)


INSPIRCD = r"""
dialect: 1
name: InspIRCd 3
connect:
  url: "ws://{host}:{port}/"
  headers: {Origin: "http://{host}"}
  subprotocols: [text.ircv3.net]
codec: irc
names: {nick: "[a-z][a-z0-9]{1,20}", room: "[a-z0-9]{1,30}"}
room_label: "#{room}"
actions:
  identify:
    - send: "NICK {nick}"
    - send: "USER {nick} 0 * :{nick}"
    - expect: {cmd: "001"}
      fail: {cmd: {in: ["432", "433", ERROR]}}
      capture: {nick: "params[0]"}
      timeout: 10s
  join:
    - send: "JOIN {room_label}"
    - expect: {cmd: "366", params: ["*", "{room_label}"]}
      fail: {cmd: {re: "^4[0-9][0-9]$"}, params: ["*", "{room_label}"]}
  send:
    - send: "PRIVMSG {room_label} :{text}"
  ping:
    - send: "PING :{nonce}"
    - expect: {cmd: PONG, params: ["*", "{nonce}"]}
reactions:
  - {role: heartbeat, match: {cmd: PING}, send: "PONG :{event.params[0]}"}
events:
  - as: history
    match: {cmd: PRIVMSG, tags: {batch: {exists: true}}}
    fields: {room: "params[0]", from: nick, text: "params[1]"}
  - {as: message, match: {cmd: PRIVMSG}, fields: {room: "params[0]", from: nick, text: "params[1]"}}
  - {as: left, match: {cmd: {in: [PART, QUIT]}}, fields: {from: nick}}
  - {as: error, match: {cmd: {re: "^[45][0-9][0-9]$"}}, fields: {code: cmd, reason: "params[-1]"}}
  - {as: ignore, match: {cmd: {re: "^[0-3]|^(CAP|PING|PONG|MODE|BATCH|NOTICE)$"}}}
echo: none
claims:
  rooms: {isolated: true, max_joined: 20, non_member_send: error}
  history: {when: join, bound: 20, order: oldest-first}
  rate_limit:
    {scope: room, model: window, allow: 5, per: 3s, effect: kicked, setup: {send: "MODE {room_label} +f 6:3"}}
  heartbeat: {by: server, frame: reaction, interval: 15s, timeout: 15s, then: tcp-close}
  malformed: {unknown_type: error, oversize: {close: 1009}}
"""
PROSODY = r"""
dialect: 1
name: Prosody (RFC 7395, MUC)
connect:
  url: "ws://{host}:{port}/xmpp-websocket"
  subprotocols: [xmpp]
  require_subprotocol: xmpp
codec: xml
room_label: "{room}@rooms.localhost"
actions:
  identify:
    - send: "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
    - expect: {features: {mechanisms: {exists: true}}}
    - send: "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
    - expect: {iq: {"@id": bind, "@type": result}}
      capture: {jid: iq.bind.jid}
  join:
    - send: "<presence xmlns='jabber:client' to='{room_label}/{nick|xml}'/>"
    - expect: {message: {"@from": "{room_label}", subject: {exists: true}}}
      fail: {presence: {"@type": error, "@from": "{room_label}/{nick}"}}
  send:
    - send: "<message type='groupchat' id='{nonce}' to='{room_label}'><body>{text|xml}</body></message>"
  close:
    - send: "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
    - expect: {close: {exists: true}}
reactions:
  - role: heartbeat
    match: {iq: {"@type": get, ping: {exists: true}}}
    send: "<iq xmlns='jabber:client' type='result' id='{event.iq.@id|xml}' to='{event.iq.@from|xml}'/>"
events:
  - as: history
    match: {message: {"@type": groupchat, body: {exists: true}, delay: {exists: true}}}
    fields: {room: "message.@from | before('/')", from: "message.@from | after('/')", text: message.body}
  - as: message
    match: {message: {"@type": groupchat, body: {exists: true}}}
    fields:
      room: message.@from | before('/')
      from: message.@from | after('/')
      text: message.body
      id: message.@id
  - {as: error, match: {message: {"@type": error}}, fields: {ref: "message.@id"}}
  - {as: left, match: {presence: {"@type": unavailable}}, fields: {from: "presence.@from | after('/')"}}
  - {as: joined, match: {presence: {"@from": {re: "/"}}}, fields: {from: "presence.@from | after('/')"}}
  - {as: closing, match: {error: {exists: true}}}
  - {as: ignore, match: {any_of: [{open: {exists: true}}, {message: {subject: {exists: true}}}]}}
echo: self
claims:
  rooms: {isolated: true, non_member_send: error}
  rate_limit: {scope: connection, model: bytes-per-second, effect: delay}
  heartbeat: none
  malformed: {not_xml: {close: 1007}, binary: {close: 1003}}
"""


def test_irc_lines_match() -> None:
    session = Session(parse(INSPIRCD), nick="ann")
    join = session.begin("join", room="lobby")
    assert [out.payload for out in join.outgoing] == ["JOIN #lobby"]
    assert join.step(session.receive(":irc.test 366 ann #lobby :End of /NAMES list.")[0])
    (ping,) = session.receive("PING tok")
    assert [out.payload for _, out in session.reactions(ping)] == ["PONG :tok"]
    (said,) = session.receive(":bob!b@host PRIVMSG #lobby :hi there\r\n")
    assert (said.kind, dict(said.fields)) == ("message", {"room": "lobby", "from": "bob", "text": "hi there"})
    assert [out.payload for out in session.begin("rate_limit.setup", room="a").outgoing] == ["MODE #a +f 6:3"]


def test_xml_stanzas_match() -> None:
    session = Session(parse(PROSODY), nick="a&b")
    join = session.begin("join", room="r")
    assert [out.payload for out in join.outgoing] == [
        "<presence xmlns='jabber:client' to='r@rooms.localhost/a&amp;b'/>"
    ]
    (said,) = session.receive(
        "<message xmlns='jabber:client' type='groupchat' from='r@rooms.localhost/b/c' id='1'><body>hi</body></message>"
    )
    assert (said.kind, dict(said.fields)) == ("message", {"room": "r", "from": "b/c", "text": "hi", "id": "1"})
