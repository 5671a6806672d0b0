"""The handshake, hello and welcome, and how requests are told apart and kept in order."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario, watch
from roomproof_conformance.events import Event
from roomproof_conformance.judges import Ends, First, InTurn, OneReply, Opens, Valid

from .native import REPLY, ask, error, pong, replied, series, shown_as, turned_away

SLACK = 2.0
HELLO = {"type": "hello", "id": "h1"}

watch("CONN-11.never-twice")(OneReply)


def _spoken(case: Case) -> str:
    """The subprotocol that the target's dialect names."""
    return case.target.dialect.subprotocols[0]


async def _connected(case: Case, **options: Any) -> Client:
    """A client that has not said hello."""
    client = case.stranger()
    await client.connect(**options)
    await case.given(Opens(client.name), "a client can connect")
    return client


def _welcome(case: Case, client: Client) -> Event:
    """The welcome that came to the client: presupposed to be there."""
    return next(
        r.event for r in case.transcript if r.kind == "event" and r.conn == client.name and r.event.kind == "welcome"
    )


@scenario("CONN-1.offered-alone")
async def offered_alone(case: Case) -> None:
    """The subprotocol is chosen when it is the only one offered."""
    client = case.stranger()
    await client.connect(subprotocols=[_spoken(case)])
    await case.must(Opens(client.name, subprotocol=_spoken(case)), "the subprotocol is chosen")
    await case.answered(case.identify(client))


@scenario("CONN-1.offered-among-others")
async def offered_among_others(case: Case) -> None:
    """The subprotocol is chosen when it is offered behind others."""
    client = case.stranger()
    await client.connect(subprotocols=["graphql-ws", "x-unheard-of.v9", _spoken(case)])
    await case.must(Opens(client.name, subprotocol=_spoken(case)), "the subprotocol is chosen")
    await case.answered(case.identify(client))


@scenario("CONN-2.only-unknown")
async def only_unknown(case: Case) -> None:
    """A handshake that offers only unknown subprotocols is refused with HTTP 400."""
    client = case.stranger()
    await client.connect(subprotocols=["graphql-ws", "x-unheard-of.v9"])
    await case.must(Opens(client.name, status=[400]), "nobody speaks these")


@scenario("CONN-2.none-offered")
async def none_offered(case: Case) -> None:
    """A client that offers no subprotocol is served all the same, and none is named in the answer."""
    client = case.stranger()
    await client.connect(subprotocols=[])
    await case.must(Opens(client.name, no_subprotocol=True), "no subprotocol is named")
    await case.answered(case.identify(client))
    await case.answered(client.join(case.room()))


@scenario("CONN-3.foreign-origin")
async def foreign_origin(case: Case) -> None:
    """A web page of another site, or of none, cannot connect: HTTP 403."""
    for origin in ("https://roomproof.invalid", "null"):
        client = case.stranger()
        await client.connect(headers=[("Origin", origin)])
        await case.must(Opens(client.name, status=[403]), f"origin {origin} is refused")


@scenario("CONN-3.own-origin")
async def own_origin(case: Case) -> None:
    """A page of the server's own host can connect, and so can a client without an origin."""
    client = case.stranger()
    parts = urlsplit(case.target.address(client.session, client.node))
    scheme = "https" if parts.scheme == "wss" else "http"
    await client.connect(headers=[("Origin", f"{scheme}://{parts.netloc}")])
    await case.must(Opens(client.name), "the own host's pages are welcome")
    await case.answered(case.identify(client))
    without = case.stranger()
    await without.connect()
    await case.must(Opens(without.name), "no origin is no obstacle")


@scenario("CONN-4.no-hello", conns=6)
async def no_hello(case: Case) -> None:
    """Whatever else comes first is refused as `unauthenticated`, and the connection is closed 4401."""
    room = case.room()
    for first in ({"type": "join", "room": room}, {"type": "send", "room": room, "text": "x"}, {"type": "ping"}):
        client = await _connected(case)
        ask(client, id="f1", **first)
        await turned_away(case, client, error("unauthenticated", re="f1", fatal=True), 4401)


@scenario(
    "CONN-5.silence",
    "CONN-5.pings",
    waits=lambda claims: 10.0,
    titles={"CONN-5.pings": "WebSocket Pings are no hello: who sends only those is closed 4408 all the same."},
)
async def silence(case: Case) -> None:
    """Who says no hello is closed 4408 when `hello_ms` is over, and not before."""
    hello = float(case.advertised["limits"]["hello_ms"]) / 1000
    silent, pinging = case.stranger(), case.stranger()
    asked = [case.mark("a handshake begins")]
    await silent.connect()
    asked.append(case.mark("a handshake begins"))
    await pinging.connect()
    for _ in range(4):
        pinging.ping()
        await case.wait(hello / 5, "no hello is said")
    for client, since, check in zip((silent, pinging), asked, ("CONN-5.silence", "CONN-5.pings"), strict=True):
        early = Ends(client.name, since.index, [4408], earliest=hello)
        await case.must(
            early, "closed, but not before the time is over", check=check, wait=hello + SLACK + case.patience
        )
        opened = next(r for r in case.transcript if r.conn == client.name and r.kind == "handshake")
        late = Ends(client.name, opened.index, [4408], latest=hello + SLACK)
        await case.must(late, "closed in time", check=check, wait=0)


@scenario("CONN-6.first-frame", conns=3)
async def first_frame(case: Case) -> None:
    """The first data frame after a valid hello is `welcome`, also with a join of a busy room right behind."""
    room = case.room()
    speaker = await case.member(room)
    client = await _connected(case)
    begin = ask(client, **HELLO)
    ask(client, type="join", id="j1", room=room)
    await case.say(speaker, room)
    await case.must(First(client.name, {"tree": {"type": "welcome", "re": "h1"}}, begin.index), "welcome comes first")
    await case.told(client, {"tree": {"type": "joined", "re": "j1"}}, after=begin, role="given")


@scenario("CONN-7.schema")
async def welcome_is_valid(case: Case) -> None:
    """`welcome` validates against the schema and states heartbeat, every limit, durability and capabilities."""
    client = await _connected(case)
    begin = ask(client, **HELLO)
    await case.must(Valid(client.name, "welcome", begin.index), "welcome is valid")


@scenario("CONN-8.behind-hello", conns=3)
async def behind_hello(case: Case) -> None:
    """What is pipelined behind hello is done after it, in order."""
    room = case.room()
    witness = await case.member(room)
    client = await _connected(case)
    text = case.text()
    begin = ask(client, **HELLO)
    ask(client, type="join", id="j1", room=room)
    ask(client, type="send", id="s1", room=room, text=text)
    ask(client, type="ping", id="p1")
    answers = [("welcome", "h1"), ("joined", "j1"), ("sent", "s1"), ("pong", "p1")]
    wheres = [{"tree": {"type": kind, "re": re}} for kind, re in answers]
    await case.must(
        InTurn(client.name, wheres[:3], begin.index, of={"all_of": [REPLY, {"not": wheres[3]}]}), "answered in turn"
    )
    await case.told(client, wheres[3], after=begin)
    await case.delivered(text, [witness])


@scenario("CONN-8.failed-hello", conns=4)
async def failed_hello(case: Case) -> None:
    """What is pipelined behind a hello that fails is discarded, without an answer and without effect."""
    room = case.room()
    speaker, witness = await case.members(room, 2)
    client = await _connected(case)
    text = case.text()
    ask(client, type="hello", id="h1", auth={"scheme": "x-unheard-of"})
    ask(client, type="join", id="j1", room=room)
    ask(client, type="send", id="s1", room=room, text=text)
    await turned_away(case, client, error("unsupported_auth", re="h1", fatal=True), 4401)
    fence = await case.say(speaker, room)
    await case.delivered(fence, [witness], role="given")
    case.never(witness, {"text": text}, fence=fence, says="it had no effect")


@scenario("CONN-9.second-hello", conns=3)
async def second_hello(case: Case) -> None:
    """A second hello gives `already_identified` and changes neither identity nor name nor membership."""
    room = case.room()
    witness = await case.member(room)
    client = await _connected(case)
    name = f"First {room}"
    ask(client, **HELLO, name=name)
    await case.told(client, {"kind": "welcome"}, role="given")
    await case.given_join(client, room)
    again = ask(client, type="hello", id="h2", name=f"Second {room}", auth={"scheme": "guest"})
    await replied(case, client, again, error("already_identified", re="h2"), "the second hello is refused")
    op = await case.say(client, room)
    who = {"id": _welcome(case, client).fields.get("who"), "name": name}
    await shown_as(case, witness, op.text, {"from": who}, "the message comes from who it was before")


@scenario("CONN-10.one-room", conns=3)
async def one_room(case: Case) -> None:
    """Requests for one room, pipelined, take effect and are answered in the order sent."""
    room = case.room()
    witness = await case.member(room)
    client = await case.client()
    texts = [case.text() for _ in range(3)]
    begin = case.mark("requests are pipelined")
    ask(client, type="join", id="a", room=room)
    ask(client, type="send", id="b", room=room, text=texts[0])
    ask(client, type="leave", id="c", room=room)
    ask(client, type="send", id="d", room=room, text=texts[1])
    ask(client, type="join", id="e", room=room, history=0)
    ask(client, type="send", id="f", room=room, text=texts[2])
    ask(client, type="history", id="g", room=room)
    answers = [
        ("joined", "a"),
        ("sent", "b"),
        ("left", "c"),
        ("error", "d"),
        ("joined", "e"),
        ("sent", "f"),
        ("history", "g"),
    ]
    wheres: list[Any] = [{"tree": {"type": kind, "re": re}} for kind, re in answers]
    wheres[3]["tree"]["code"] = "not_joined"
    wheres[6]["tree"]["messages"] = [{"text": texts[0]}, {"text": texts[2]}]
    await case.must(InTurn(client.name, wheres, begin.index, of=REPLY), "answered in the order sent")
    await case.in_order(witness, room, [texts[0], texts[2]])


@scenario("CONN-10.reads-between")
async def reads_between(case: Case) -> None:
    """History and presence asked for among pipelined messages are answered in turn, and show what was sent before."""
    room = case.room()
    client = await case.member(room)
    texts = [case.text() for _ in range(3)]
    begin = case.mark("requests are pipelined")
    wheres: list[dict[str, Any]] = []
    for number, text in enumerate(texts, 1):
        ask(client, type="send", id=f"s{number}", room=room, text=text)
        ask(client, type="history", id=f"h{number}", room=room)
        ask(client, type="presence", id=f"p{number}", room=room)
        so_far = [{"text": earlier} for earlier in texts[:number]]
        wheres += [
            {"tree": {"type": "sent", "re": f"s{number}"}},
            {"tree": {"type": "history", "re": f"h{number}", "messages": so_far}},
            {"tree": {"type": "presence", "re": f"p{number}"}},
        ]
    await case.must(InTurn(client.name, wheres, begin.index, of=REPLY), "answered in the order sent")


@scenario("CONN-11.each-type")
async def each_type(case: Case) -> None:
    """Every type of request gets exactly one reply with its id, a refusal as well as a success."""
    room = case.room()
    client = await case.member(room)
    begin = case.mark("one of each")
    requests: list[dict[str, Any]] = [
        {"type": "ping"},
        {"type": "join", "room": room},
        {"type": "send", "room": room, "text": "x"},
        {"type": "history", "room": room},
        {"type": "presence", "room": room},
        {"type": "auth", "token": "x"},
        {"type": "hello"},
        {"type": "send", "room": room},
        {"type": "x-unheard-of"},
        {"type": "leave", "room": room},
    ]
    for number, request in enumerate(requests):
        ask(client, id=f"each{number}", **request)
    for number, request in enumerate(requests):
        where = {"tree": {"members": {"re": f"each{number}"}}}
        await case.told(client, where, after=begin, says=f"one reply to {request['type']}")
    await pong(case, client)


@scenario("CONN-11.repeated-id")
async def repeated_id(case: Case) -> None:
    """An id used three times gets three replies."""
    room = case.room()
    client = await case.member(room)
    begin = case.mark("one id, three requests")
    for kind in ({"type": "ping"}, {"type": "presence", "room": room}, {"type": "ping"}):
        ask(client, id="same", **kind)
    wheres = [{"tree": {"type": "pong", "re": "same"}}, {"tree": {"type": "presence", "re": "same"}}]
    await case.must(InTurn(client.name, [wheres[0]] * 2, begin.index), "both pings are answered")
    await case.told(client, wheres[1], after=begin, says="and the request between them")


@scenario("CONN-12.unknown-members", conns=3)
async def unknown_members(case: Case) -> None:
    """Members that a request does not have are ignored at every level, those named like the server's own too."""
    room = case.room()
    witness = await case.member(room)
    forged = {
        "from": {"id": "guest:forged", "name": "forged"},
        "seq": 999999,
        "ts": 1,
        "epoch": "forged",
        "user": "forged",
        "__proto__": {"admin": True},
        "constructor": None,
        "re": "x",
        "x": [[{}]],
    }
    client = await _connected(case)
    hello = ask(
        client,
        type="hello",
        id="h1",
        auth={"scheme": "guest", **forged},
        client={"name": "k", "version": "1", **forged},
        **forged,
    )
    await case.told(client, {"kind": "welcome"}, after=hello)
    await replied(
        case, client, ask(client, type="join", id="j1", room=room, **forged), {"type": "joined", "re": "j1"}, "join"
    )
    text = case.text()
    own = {
        "from": {"id": _welcome(case, client).fields.get("who")},
        "seq": {"not": {"eq": forged["seq"]}},
        "ts": {"ge": 2},
        "epoch": {"not": "forged"},
    }
    sent = ask(client, type="send", id="s1", room=room, text=text, **forged)
    acknowledged = {"type": "sent", "re": "s1", "epoch": own["epoch"], "seq": own["seq"]}
    await replied(case, client, sent, acknowledged, "send")
    await shown_as(case, witness, text, own, "the message has the server's values")
    for request in ("history", "presence", "leave"):
        asked = ask(client, type=request, id=request, room=room, **{k: v for k, v in forged.items() if k != "epoch"})
        await replied(case, client, asked, {"re": request, "type": {"not": "error"}}, request)


@scenario("CONN-12.capabilities")
async def capabilities(case: Case) -> None:
    """Only capabilities that the client listed are granted, and unknown ones are passed over."""
    none = await _connected(case)
    begin = ask(none, **HELLO)
    await replied(case, none, begin, {"type": "welcome", "caps": {"len": 0}}, "none asked for")
    some = await _connected(case)
    listed = ["x-unheard-of", "typing", "", "edits"]
    begin = ask(some, **HELLO, caps=listed)
    await replied(
        case, some, begin, {"type": "welcome", "caps": {"items": {"in": listed[1:2] + listed[3:]}}}, "some asked for"
    )


BAD_HELLO: dict[str, tuple[str, Any, str | None]] = {
    "an unknown scheme": ("unsupported_auth", {**HELLO, "auth": {"scheme": "x-unheard-of"}}, "h1"),
    "a name that is none": ("invalid_name", {**HELLO, "name": " x"}, "h1"),
    "an ill-typed member": ("invalid_message", {**HELLO, "caps": "typing"}, "h1"),
    "no id": ("invalid_message", {"type": "hello"}, None),
    "an ill-formed id": ("invalid_message", {"type": "hello", "id": "h 1"}, None),
    "no object": ("invalid_message", [], None),
    "null": ("invalid_message", None, None),
    "an unknown type": ("unknown_type", {"type": "x-unheard-of", "id": "h1"}, "h1"),
}


@scenario("CONN-13.refused", conns=len(BAD_HELLO))
async def refused_hello(case: Case) -> None:
    """A hello that cannot be honoured gets one fatal error with its own code, and then close 4401."""
    for code, frame, re in BAD_HELLO.values():
        client = await _connected(case)
        client.raw_text(json.dumps(frame))
        await turned_away(case, client, error(code, re=re, fatal=True), 4401)


@scenario("CONN-13.malformed", conns=3)
async def malformed_hello(case: Case) -> None:
    """A first frame that is no JSON, empty, or binary gets one fatal error without `re`, and then close 4401."""
    for payload, code in ((b"hello", "invalid_json"), (b"", "invalid_json")):
        client = await _connected(case)
        client.frame(1, payload)
        await turned_away(case, client, error(code, re=None, fatal=True), 4401)
    client = await _connected(case)
    client.raw_binary(json.dumps(HELLO).encode())
    await turned_away(case, client, error("unsupported_data", re=None, fatal=True), 4401)


@scenario("CONN-14.null", conns=2)
async def null_is_not_absence(case: Case) -> None:
    """`null` for an optional member is refused with `invalid_message`."""
    room = case.room()
    client = await case.member(room)
    base = {"join": {"room": room}, "send": {"room": room, "text": "x"}, "history": {"room": room}}
    optional = {"join": ["after", "history"], "send": ["mid"], "history": ["before", "after", "limit", "epoch"]}
    for kind, members in optional.items():
        frames = {f"{kind}.{m} null": json.dumps({"type": kind, "id": "n1", **base[kind], m: None}) for m in members}
        await series(case, client, frames, error("invalid_message", re="n1"))
    await pong(case, client)


@scenario("CONN-14.null-in-hello", conns=5)
async def null_in_hello(case: Case) -> None:
    """`null` for an optional member of hello is refused with a fatal `invalid_message`."""
    for member in ("auth", "name", "client", "caps"):
        client = await _connected(case)
        ask(client, **HELLO, **{member: None})
        await turned_away(case, client, error("invalid_message", re="h1", fatal=True), 4401)
