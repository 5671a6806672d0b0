"""The engine on one connection: native exchanges against literal frames, rooms, reactions, failures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects import DialectError, Exchange, Session, load, parse
from roomproof_conformance.events import Event

WELCOME = {
    "type": "welcome",
    "re": "r1",
    "v": "1",
    "conn": "c1",
    "user": {"id": "guest:7", "name": "Ann", "guest": True},
    "guest_token": "secret",
    "now": 1,
    "server": {"name": "x", "version": "1"},
    "heartbeat": {"interval_ms": 20000, "timeout_ms": 20000},
    "limits": {"history": 100},
    "durability": "memory",
    "caps": [],
}
MESSAGE = {
    "type": "message",
    "room": "lobby",
    "epoch": "e",
    "seq": 3,
    "ts": 99,
    "from": {"id": "guest:7", "name": "Ann"},
    "text": "hi",
}


def native(**more: Any) -> Session:
    return Session(load("native"), nick="ann", **more)


def sent(exchange: Exchange) -> list[Any]:
    frames = [json.loads(out.payload) for out in exchange.outgoing]
    exchange.outgoing.clear()
    return frames


def one(session: Session, frame: Any) -> Event:
    (event,) = session.receive(frame if isinstance(frame, (str, bytes)) else json.dumps(frame), now=0.0)
    return event


def test_identify_captures_the_welcome() -> None:
    session = native()
    hello = session.begin("identify", name="Ann", caps=["x"])
    assert sent(hello) == [{"type": "hello", "id": "r1", "auth": {"scheme": "guest"}, "name": "Ann", "caps": ["x"]}]
    assert (hello.ref, hello.done, hello.timeout) == ("r1", False, 10.0)
    assert not hello.step(one(session, {"type": "tick", "now": 1}))
    assert not hello.step(one(session, {**WELCOME, "re": "other"}))
    welcome = one(session, WELCOME)
    assert hello.step(welcome)
    assert (hello.done, hello.ok, hello.event, hello.timeout) == (True, True, welcome, 0.0)
    assert not hello.step(welcome)
    assert session.identity == "guest:7"
    assert session.variables["token"] == "secret"
    assert session.variables["limits"] == {"history": 100}
    (again,) = sent(session.begin("identify"))
    assert again["auth"] == {"scheme": "guest"}
    assert (session.variables["conn"], session.variables["durability"]) == ("c1", "memory")


@pytest.mark.parametrize(
    ("args", "auth"),
    [
        ({"token": "t"}, {"scheme": "resume_guest", "token": "t"}),
        ({"token": "t", "scheme": "jwt"}, {"scheme": "jwt", "token": "t"}),
        ({"scheme": "other"}, {"scheme": "other"}),
        ({"token": None}, {"scheme": "guest"}),
    ],
)
def test_identify_with_a_token(args: dict[str, Any], auth: dict[str, Any]) -> None:
    assert sent(native().begin("identify", **args))[0]["auth"] == auth


@pytest.mark.parametrize("ref", ["r1", None])
def test_identify_refused(ref: str | None) -> None:
    session = native()
    hello = session.begin("identify")
    refusal = one(session, {"type": "error", "re": ref, "code": "unauthenticated", "fatal": True, "message": "no"})
    assert hello.step(refusal)
    assert (hello.done, hello.ok, hello.event) == (True, False, refusal)
    assert refusal.kind == "error"
    assert refusal.fields == {"ref": ref, "code": "unauthenticated", "reason": "no", "fatal": True}


@pytest.mark.parametrize(
    ("action", "args", "frame", "reply"),
    [
        ("join", {"room": "a"}, {"type": "join", "room": "a"}, {"type": "joined"}),
        (
            "join",
            {"room": "a", "after": {"epoch": "e", "seq": 0}, "history": 0},
            {"type": "join", "room": "a", "after": {"epoch": "e", "seq": 0}, "history": 0},
            {"type": "joined"},
        ),
        ("leave", {"room": "a"}, {"type": "leave", "room": "a"}, {"type": "left"}),
        (
            "send",
            {"room": "a", "text": "{x}"},
            {"type": "send", "room": "a", "text": "{x}"},
            {"type": "sent"},
        ),
        (
            "send",
            {"room": "a", "text": "", "mid": "m2345678"},
            {"type": "send", "room": "a", "text": "", "mid": "m2345678"},
            {"type": "sent"},
        ),
        ("history", {"room": "a"}, {"type": "history", "room": "a"}, {"type": "history"}),
        (
            "history",
            {"room": "a", "before": 0, "limit": 5, "epoch": "e"},
            {"type": "history", "room": "a", "before": 0, "limit": 5, "epoch": "e"},
            {"type": "history"},
        ),
        ("presence", {"room": "a"}, {"type": "presence", "room": "a"}, {"type": "presence"}),
        ("ping", {}, {"type": "ping"}, {"type": "pong"}),
        ("auth", {"token": "t"}, {"type": "auth", "token": "t"}, {"type": "auth_ok"}),
    ],
)
def test_native_requests(action: str, args: dict[str, Any], frame: dict[str, Any], reply: dict[str, Any]) -> None:
    session = native(fresh=iter(["n1", "n2", "n3", "n4"]).__next__)
    for answer, ok in ((reply, True), ({"type": "error", "code": "internal"}, False)):
        exchange = session.begin(action, **args)
        assert exchange.ref is not None
        assert sent(exchange) == [{**frame, "id": exchange.ref}]
        assert not exchange.step(one(session, {**answer, "re": "not-this"}))
        assert not exchange.step(one(session, {**answer, "re": None}))
        assert exchange.step(one(session, {**answer, "re": exchange.ref}))
        assert (exchange.done, exchange.ok) == (True, ok)


@pytest.mark.parametrize(
    ("frame", "kind", "fields"),
    [
        (
            MESSAGE,
            "message",
            {
                "room": "lobby",
                "from": "guest:7",
                "name": "Ann",
                "text": "hi",
                "seq": 3,
                "epoch": "e",
                "ts": 99,
            },
        ),
        (
            {
                "type": "sent",
                "re": "r",
                "room": "a",
                "epoch": "e",
                "seq": 1,
                "ts": 2,
                "duplicate": False,
                "mid": "m",
            },
            "ack",
            {"ref": "r", "room": "a", "epoch": "e", "seq": 1, "ts": 2, "duplicate": False, "mid": "m"},
        ),
        (
            {
                "type": "error",
                "re": "r",
                "code": "rate_limited",
                "message": "slow",
                "fatal": False,
                "retry_after_ms": 7,
                "limit": {"count": 5, "window_ms": 1000, "scope": "user"},
            },
            "rate_limited",
            {
                "ref": "r",
                "code": "rate_limited",
                "reason": "slow",
                "fatal": False,
                "retry_after_ms": 7,
                "scope": "user",
            },
        ),
        ({"type": "left", "re": "r", "room": "a"}, "left", {"ref": "r", "room": "a"}),
        (
            {
                "type": "presence_event",
                "room": "a",
                "event": "leave",
                "user": {"id": "u", "name": "U"},
                "count": 1,
            },
            "left",
            {"room": "a", "from": "u", "name": "U", "count": 1},
        ),
        (
            {
                "type": "presence_event",
                "room": "a",
                "event": "join",
                "user": {"id": "u", "name": "U"},
                "count": 2,
            },
            "joined",
            {"room": "a", "from": "u", "name": "U", "count": 2},
        ),
        (
            {"type": "presence", "re": "r", "room": "a", "members": [], "count": 0},
            "roster",
            {"ref": "r", "room": "a", "members": [], "count": 0},
        ),
        ({"type": "tick", "now": 5}, "heartbeat", {"ts": 5}),
        ({"type": "pong", "re": "r", "now": 5}, "pong", {"ref": "r", "ts": 5}),
        (
            {"type": "notice", "code": "draining", "message": "bye"},
            "notice",
            {"code": "draining", "reason": "bye"},
        ),
        (
            {"type": "reset", "room": "a", "epoch": "f", "head": 0, "reason": "gap"},
            "notice",
            {"room": "a", "epoch": "f", "seq": 0, "reason": "gap"},
        ),
        ({"type": "removed", "room": "a", "code": "banned"}, "kicked", {"room": "a", "code": "banned"}),
        ({"type": "auth_ok", "re": "r", "expires_at": 1}, "ignore", {}),
        ({"type": "news"}, "unclassified", {}),
        ([], "unclassified", {}),
    ],
)
def test_native_events(frame: Any, kind: str, fields: dict[str, Any]) -> None:
    event = one(native(), frame)
    assert event.kind == kind
    assert event.fields == ({"ref": "r"} if frame and kind == "ignore" else fields)
    assert event.tree == frame


def test_joined_embeds_its_history() -> None:
    event = one(native(), {"type": "joined", "re": "r", "room": "lobby", "head": 3, "messages": [MESSAGE, 1]})
    assert [entry.get("text") for entry in event.entries] == ["hi", None]
    assert event.entries[0]["from"] == "guest:7"


def test_what_is_not_json_is_kept_as_text() -> None:
    event = one(native(), "{nope")
    assert (event.kind, event.tree, event.rule) == ("unclassified", "{nope", "not json")


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "re", "code", "from", "id", "room", "messages", "seq"]), inner)
    ),
    max_leaves=6,
)
TYPES = st.sampled_from(["welcome", "message", "error", "joined", "history", "sent", "presence", "tick"])


@given(TYPES, TREES, TREES, TREES)
def test_receiving_never_raises_and_fields_keep_their_types(kind: str, room: Any, user: Any, seq: Any) -> None:
    session = native(room="own")
    hello = session.begin("identify", id="r1")
    frame = {"type": kind, "re": "r1", "room": room, "from": user, "user": user, "seq": seq, "messages": user}
    event = one(session, json.dumps({**frame, "limits": seq, "heartbeat": room}))
    hello.step(event)
    session.reactions(event)
    load("native").claims_for(session.variables)
    assert isinstance(session.identity, str)
    for fields in (event.fields, *event.entries):
        assert all(isinstance(fields.get(name), (str, type(None))) for name in ("room", "from", "text", "ref"))
        assert all(isinstance(fields.get(name), (int, float, type(None))) for name in ("seq", "ts"))


# -- a dialect of another shape -----------------------------------------------------------------------

LINES = """
dialect: 1
name: lines
connect: {path: /, headers: {Origin: "http://{host}"}}
codec: json
variables: {greeting: hello, password: null}
room_label: "#{room}"
actions:
  identify:
    - send: ["PASS", "{password}"]
      when: password
    - send: ["NICK", "{nick}"]
    - expect: ["001", "*"]
      fail: [{in: ["432", "433"]}]
      capture: {nick: "[1]", motd: "[2]"}
      timeout: 2s
    - send: ["SAY", "{greeting} {motd}"]
    - expect: ["OK"]
  join:
    - send: "JOIN {room_label}"
    - expect: ["JOINED", "{room_label}"]
      fail: ["NO", "{room_label}"]
  send:
    - send: ["MSG", "{room_label}", "{text}"]
reactions:
  - {role: heartbeat, match: ["PING"], send: ["PONG", "{event[1]}"]}
keepalive: {every: 4s, send: [{beat: "{nick}"}, "beat"]}
events:
  - {as: message, match: ["MSG"], fields: {room: "[1]", from: "[2]", text: "[3]"}}
  - {as: error, match: ["NO"], fields: {room: "[1]", code: "[2]"}}
claims:
  rooms: {}
  rate_limit:
    {scope: room, model: window, allow: 5, per: 3s, effect: kicked, setup: {send: ["MODE", "{room_label}"]}}
"""


def lines(**more: Any) -> Session:
    return Session(parse(LINES), nick="ann", **more)


def test_steps_in_order_with_captured_values() -> None:
    session = lines()
    hello = session.begin("identify")
    assert sent(hello) == [["NICK", "ann"]]
    assert (hello.ref, hello.timeout) == (None, 2.0)
    assert hello.step(one(session, ["001", "ann_", "welcome"]))
    assert (hello.done, hello.timeout) == (False, 10.0)
    assert sent(hello) == [["SAY", "hello welcome"]]
    assert session.identity == "ann_"
    assert hello.step(one(session, ["OK"]))
    assert hello.ok


def test_steps_that_only_some_need() -> None:
    assert sent(lines(variables={"password": "pw"}).begin("identify")) == [["PASS", "pw"], ["NICK", "ann"]]


def test_a_refused_nick() -> None:
    session = lines()
    hello = session.begin("identify")
    assert hello.step(one(session, ["433", "ann"]))
    assert (hello.done, hello.ok) == (True, False)


def test_rooms_keep_their_names() -> None:
    session = lines()
    join = session.begin("join", room="lobby")
    assert [out.payload for out in join.outgoing] == ["JOIN #lobby"]
    assert not join.step(one(session, ["JOINED", "#other"]))
    assert join.step(one(session, ["JOINED", "#lobby"]))
    assert one(session, ["MSG", "#lobby", "bob", "hi"]).room == "lobby"
    assert one(session, ["MSG", "#strange", "bob", "hi"]).room == "#strange"
    assert one(session, ["NO", "#lobby", 403]).fields == {"room": "lobby", "code": "403"}


def test_a_send_without_an_answer_is_done_at_once() -> None:
    send = lines().begin("send", room="lobby", text="hi")
    assert (send.done, send.ok, send.event) == (True, True, None)
    assert sent(send) == [["MSG", "#lobby", "hi"]]


def test_reactions_and_keepalive() -> None:
    session = lines()
    ((role, pong),) = session.reactions(one(session, ["PING", "tok"]))
    assert (role, json.loads(pong.payload)) == ("heartbeat", ["PONG", "tok"])
    assert session.reactions(one(session, ["PING"])) == []
    assert session.reactions(one(session, ["OK"])) == []
    kept = session.keepalive()
    assert kept is not None
    assert (kept[0], [out.payload for out in kept[1]]) == (4.0, ['{"beat":"ann"}', "beat"])
    assert native().keepalive() is None


def test_setup_of_a_claim_is_an_action() -> None:
    assert sent(lines().begin("rate_limit.setup", room="x")) == [["MODE", "#x"]]


def test_address_and_headers() -> None:
    session = lines()
    assert session.address("ws://[::1]:8/") == "ws://[::1]:8/"
    assert session.dialect.headers(session.variables) == [("Origin", "http://[::1]")]


def test_a_room_label_may_hold_the_host() -> None:
    text = LINES.replace('"#{room}"', '"{room}@{host}"').replace("path: /", "path: '/{room_label}'")
    session = Session(parse(text), nick="ann", room="lobby")
    assert session.address("ws://h:1") == "ws://h:1/lobby@h"
    assert sent(session.begin("send", text="hi")) == [["MSG", "lobby@h", "hi"]]
    assert one(session, ["MSG", "lobby@h", "bob", "hi"]).room == "lobby"


def test_what_cannot_be_done_is_said() -> None:
    session = lines()
    with pytest.raises(DialectError, match="lines: action 'leave' is not offered"):
        session.begin("leave", room="x")
    with pytest.raises(DialectError, match="send takes no argument 'txt'; did you mean 'text'"):
        session.begin("send", room="x", txt="hi")
    with pytest.raises(DialectError, match=r"lines: send: \{text\} has no value"):
        session.begin("send", room="x")


def test_binary_dialects_write_binary_frames() -> None:
    dialect = parse(LINES.replace("connect: {", "connect: {frames: binary, "))
    out = Session(dialect, nick="ann").begin("send", room="x", text="é").outgoing[0]
    assert (out.payload, out.binary) == ('["MSG","#x","é"]'.encode(), True)
