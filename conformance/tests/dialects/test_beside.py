"""What stands beside the frames: HTTP before the socket and inside of operations, credentials, cookies, envelopes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from roomproof_conformance.dialects import DialectError, Exchange, Response, Session, parse

BASE = """
dialect: 1
name: web
connect:
  path: "/ws?token={token}"
  headers: {X-Forwarded-For: "{address}"}
  cookies: {lang: en}
codec: json
http:
  - request: "GET /login"
    capture: {csrf: "text | re('name=.csrf. value=.(\\\\w+)')"}
  - request: "POST /login"
    form: {user: "{nick}", csrf: "{csrf}"}
    expect: {status: 303}
  - request: "POST /tokens"
    json: {for: "{nick}"}
    capture: {token: json.token}
actions:
  join:
    - request: "PUT /rooms/{room|path}"
      once: room
      capture: {room_id: json.id}
    - send: {join: "{room_id}"}
    - expect: {joined: "{room_id}"}
  send: [{send: {say: "{text}"}}]
  history:
    - request: "GET /rooms/{room|path}/messages"
events:
  - {as: message, match: {say: {exists: true}}, fields: {text: say}}
  - as: history
    match: {status: 200, json: {messages: {is: array}}}
    entries: {list: json.messages, fields: {from: by, text: text}}
"""


def answer(exchange: Exchange, status: int = 200, body: Any = b"", **headers: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    exchange.respond(Response(status, tuple((k.replace("_", "-"), v) for k, v in headers.items()), content))


def asked(exchange: Exchange) -> tuple[str, dict[str, str], bytes]:
    assert exchange.request is not None
    return str(exchange.request), dict(exchange.request.headers), exchange.request.body


def test_requests_before_the_connection_capture_what_it_needs() -> None:
    session = Session(parse(BASE), nick="ann", serial=258)
    login = session.begin("http")
    assert asked(login) == ("GET /login", {}, b"")
    answer(login, body=b"<input name='csrf' value='k7'>", Set_Cookie="sid=1; Path=/; HttpOnly")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "sid=1"}
    assert asked(login) == ("POST /login", form, b"user=ann&csrf=k7")
    answer(login, 303, Set_Cookie="sid=2")
    assert asked(login)[1:] == ({"Content-Type": "application/json", "Cookie": "sid=2"}, b'{"for": "ann"}')
    answer(login, body={"token": "t"})
    assert login.ok
    assert session.address("ws://h:1") == "ws://h:1/ws?token=t"
    assert session.headers() == [("X-Forwarded-For", "10.0.1.2"), ("Cookie", "sid=2; lang=en")]


def test_an_answer_that_is_not_expected_ends_it() -> None:
    login = Session(parse(BASE), nick="ann").begin("http")
    answer(login, 403)
    assert login.done
    assert not login.ok
    assert login.event is not None
    assert login.event.tree["status"] == 403


def test_a_room_is_created_once_for_all() -> None:
    shared: dict[str, Any] = {}
    dialect = parse(BASE)
    first, second = (Session(dialect, nick=nick, shared=shared) for nick in ("ann", "bob"))
    join = first.begin("join", room="a b")
    assert asked(join)[0] == "PUT /rooms/a%20b"
    assert not join.recall()
    answer(join, 201, {"id": "r1"})
    assert [out.payload for out in join.outgoing] == ['{"join":"r1"}']
    again = second.begin("join", room="a b")
    assert again.recall()
    assert [out.payload for out in again.outgoing] == ['{"join":"r1"}']
    assert again.step(second.receive('{"joined": "r1"}')[0])
    assert not second.begin("join", room="c").recall()


def test_history_over_http_is_an_event_like_any_other() -> None:
    session = Session(parse(BASE), nick="ann")
    op = session.begin("history", room="r")
    answer(op, body={"messages": [{"by": "bob", "text": "hi"}]})
    assert op.ok
    assert op.event is not None
    assert (op.event.kind, op.event.entries) == ("history", [{"from": "bob", "text": "hi"}])


CREDENTIALS = """
dialect: 1
name: signed
connect: {path: "/ws", headers: {Authorization: "Bearer {ticket}", X-Key: "{basic}", X-Sign: "{sign}"}}
codec: json
credentials:
  secret: {env: ROOMPROOF_TEST_SECRET, default: s3cret}
  account: {accounts: [{user: a, password: 1}, {user: b, password: 2}]}
  ticket: {jwt: {sub: "{account.user}"}, secret: "{secret}", lifetime: 1h}
  basic: {basic: "{account.user}:{account.password}"}
  sign: {hmac: "{nick}", secret: "{secret}", hash: sha1, encoding: base64}
actions: {send: [{send: {say: "{text}"}}]}
events: [{as: message, match: {say: {exists: true}}, fields: {text: say}}]
"""


def test_credentials_are_made_for_each_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOMPROOF_TEST_SECRET", raising=False)
    session = Session(parse(CREDENTIALS), nick="ann", serial=2, time=1000)
    headers = dict(session.headers())
    signed, _, signature = headers["Authorization"].removeprefix("Bearer ").rpartition(".")
    head, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
    assert head == {"alg": "HS256", "typ": "JWT"}
    assert body == {"iat": 1000, "exp": 4600, "sub": "b"}
    made = hmac.new(b"s3cret", signed.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == made
    assert base64.b64decode(headers["X-Key"]) == b"b:2"
    assert base64.b64decode(headers["X-Sign"]) == hmac.new(b"s3cret", b"ann", hashlib.sha1).digest()
    monkeypatch.setenv("ROOMPROOF_TEST_SECRET", "other")
    assert Session(parse(CREDENTIALS), nick="ann").variables["secret"] == "other"


ENVELOPE = """
dialect: 1
name: nameless
connect: {path: "/{room|path}"}
codec: text
text_envelope: {write: "{nick}> {text}", read: "(?s)(?P<from>[^>]*)> (?P<text>.*)"}
actions: {send: [{send: "{text}"}]}
events: [{as: message, match: {is: string}, fields: {text: .}}]
"""


def test_a_name_may_travel_inside_of_the_text() -> None:
    session = Session(parse(ENVELOPE), nick="ann", room="r")
    assert [out.payload for out in session.begin("send", text="a> b").outgoing] == ["ann> a> b"]
    (event,) = session.receive("bob> a> b\nc")
    assert (event.sender, event.text, event.room) == ("bob", "a> b\nc", "r")
    (other,) = session.receive("welcome")
    assert (other.sender, other.text) == (None, "welcome")


MISTAKES = [
    (BASE, 'request: "GET /login"', "request: login", "10: http[0].request: expected a method and a path"),
    (
        BASE,
        "    expect: {status: 303}",
        "    json: {}",
        "13: http[1].form: stands beside 'json': a request has one body",
    ),
    (BASE, '- request: "POST /tokens"', '- send: "x"', "17: http[2].capture: belongs to an 'expect', not to a 'send'"),
    (BASE, "{csrf}", "{crsf}", "13: http[1].form.csrf: unknown placeholder {crsf}; did you mean 'csrf'?"),
    (BASE, "once: room", "once: rooms", "21: actions.join[0].once: expected one of room, run, got 'rooms'"),
    (BASE, "- send: {join", "- once: run\n      send: {join", "23: actions.join[1].once: belongs to a 'request'"),
    (BASE, "lang: en", 'lang: "{lang}"', "7: connect.cookies.lang: unknown placeholder {lang}"),
    (BASE, "cookies:", "cookie:", "7: connect.cookie: unknown key 'cookie'; did you mean 'cookies'?"),
    (CREDENTIALS, "lifetime: 1h", "lifetime: 1 hour", "9: credentials.ticket.lifetime: expected a duration"),
    (CREDENTIALS, ', secret: "{secret}", lifetime', ", lifetime", "9: credentials.ticket: lacks the 'secret'"),
    (CREDENTIALS, 'jwt: {sub: "{account', 'jwt: {sub: "{acount', "9: credentials.ticket.jwt.sub: unknown placeholder"),
    (CREDENTIALS, "hash: sha1", "hash: sha3", "11: credentials.sign.hash: expected one of md5, sha1"),
    (CREDENTIALS, ", default: s3cret", "", "7: credentials.secret.env: the environment has no ROOMPROOF_TEST_SECRET"),
    (CREDENTIALS, "{basic: ", "{bassic: ", "10: credentials.basic"),
    (ENVELOPE, "?P<text>", "?P<txt>", "6: text_envelope.read: needs a group named text"),
    (ENVELOPE, "{nick}> {text}", "{nik}> {text}", "6: text_envelope.write: unknown placeholder {nik}"),
    (ENVELOPE, "codec: text", "codec: txt", "5: codec: unknown codec 'txt'; did you mean 'text'?"),
]


@pytest.mark.parametrize(("text", "old", "new", "told"), MISTAKES)
def test_mistakes(text: str, old: str, new: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOMPROOF_TEST_SECRET", raising=False)
    assert old in text
    with pytest.raises(DialectError) as caught:
        parse(text.replace(old, new, 1), "web.yaml")
    line = str(caught.value)
    assert f"web.yaml:{told}" in line
    assert "\n" not in line
