"""What errors say and what they leave alone, beyond `malformed`: codes, references, the connection afterwards.

The portable scenarios come first; the others send frames of roomproof.v1 and know its codes.
"""

from __future__ import annotations

import json
from typing import Any

from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario, watch
from roomproof_conformance.judges import Arrives, CleanErrors, First, Reacts

from .drafts import Draft, heard
from .native import REPLY, ask, error, lets_extras_be, pong, replied, series

watch("ERR-12.every-error")(CleanErrors)

MALFORMED = ["invalid_json", "invalid_message"]


def _bad_frames(case: Case, draft: Draft) -> dict[str, str]:
    """Frames for which the target promises an error, by the claim's name."""
    if draft.line is not None:
        return {"unknown_type": draft.of_kind("frobnicate")}
    frames = {
        "not_json": "not json",
        "not_object": "7",
        "unknown_type": draft.of_kind("frobnicate"),
        "missing_field": draft.without_text(),
        "wrong_type": draft.with_text("7"),
    }
    promised = {name: case.claims.malformed_outcome(name) for name in frames}
    return {name: frame for name, frame in frames.items() if (p := promised[name]) is not None and p.kind == "error"}


@scenario("ERR-10.after-each", needs="unknown_operation", conns=3, hostile=True, waits=lambda claims: 3.0)
async def after_each_error(case: Case) -> None:
    """After an error that left the connection open the next request succeeds, after each kind of error."""
    room = case.room()
    culprit, witness = await case.members(room, 2)
    for name, frame in _bad_frames(case, Draft.of(case, culprit, room)).items():
        if culprit.ended:
            culprit = await case.member(room)
        sent = culprit.raw_text(frame)
        told = Arrives(culprit.name, {"kind": "error"}, sent.index, at_least=True)
        await case.given(told, f"{name} is answered by an error", wait=case.patience / 5)
        await case.wait((case.claims.pace.per or 0) / 2 if case.claims.pace else 0, "bad frames may count as messages")
        if not await heard(case, culprit, room, witness, check="ERR-10.after-each"):
            break


@scenario("ERR-11.bystanders", needs="unknown_operation", conns=5, hostile=True)
async def only_the_cause(case: Case) -> None:
    """Errors reach only the connection that caused them: no other member, and nobody elsewhere."""
    room, other = case.room(), case.room()
    culprit, witness = await case.members(room, 2)
    stranger, neighbour = await case.members(other, 2)
    begin = case.mark("errors are caused")
    frame = next(iter(_bad_frames(case, Draft.of(case, culprit, room)).values()))
    culprit.raw_text(frame)
    told = Arrives(culprit.name, {"kind": "error"}, begin.index, at_least=True)
    await case.given(told, "the culprit is told")
    for listener, where, speaker in ((witness, room, None), (stranger, other, neighbour)):
        speaker = speaker or await case.member(where)
        fence = await case.say(speaker, where)
        await case.delivered(fence, [listener], role="given")
        case.never(listener, {"kind": "error"}, fence=fence, after=begin, says=f"no error reaches {listener.name}")


@scenario("ERR-11.own-connections", needs="native", conns=2)
async def only_the_connection(case: Case) -> None:
    """An error does not reach another connection of the same user either."""
    room = case.room()
    one = await case.member(room, user="twin")
    two = await case.member(room, user="twin")
    sent = one.raw_text("not json")
    await replied(case, one, sent, error("invalid_json", re=None), "the cause is told")
    fence = await case.fence(two, room)
    case.never(two, {"kind": "error"}, fence=fence, says="the other connection hears nothing of it")


@scenario("ERR-1.code", needs="native", conns=3)
async def not_json_code(case: Case) -> None:
    """What is not one JSON value gives a non-fatal `invalid_json` with `re: null`."""
    room = case.room()
    client, other = await case.members(room, 2)
    frames = {
        "words": "hello",
        "nothing": "",
        "a blank": " ",
        "a cut object": '{"type":"ping","id":"x"',
        "two values": "{} {}",
        "a trailing comma": '{"type":"ping","id":"x",}',
        "single quotes": "{'type':'ping','id':'x'}",
        "a comment": '{"type":"ping","id":"x"} // x',
        "a byte order mark": '\ufeff{"type":"ping","id":"x"}',
        "a raw newline in a string": '{"type":"ping","id":"x","y":"a\nb"}',
        "a number with a leading zero": '{"type":"ping","id":"x","y":01}',
        "undefined": "undefined",
    }
    await series(case, client, frames, error("invalid_json", re=None, retryable=False))
    await case.usable(client, room, other)


@scenario("ERR-2.code", needs="native", conns=2)
async def no_number_code(case: Case) -> None:
    """`NaN`, `Infinity` and `-Infinity` give `invalid_json` in known, unknown and nested members alike."""
    client = await case.client()
    places = (
        '{"type":"ping","id":"x","y":%s}',
        '{"type":"ping","id":"x","y":{"z":[1,%s]}}',
        '{"type":"join","id":"x","room":"a","history":%s}',
        "%s",
    )
    frames = {place % name: place % name for name in ("NaN", "Infinity", "-Infinity") for place in places}
    await series(case, client, frames, error("invalid_json", re=None))
    await pong(case, client)


@scenario("ERR-3.nesting", needs="native", conns=2)
async def nesting(case: Case) -> None:
    """Sixteen levels of nesting are accepted, the frame's object being the first, and seventeen are `invalid_json`."""
    client = await case.client()
    await lets_extras_be(case, client)
    for levels in (15, 16):
        frame = '{"type":"ping","id":"x","y":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"
        await replied(case, client, client.raw_text(frame), {"type": "pong", "re": "x"}, f"{levels} levels are ignored")
    for deep in ("[" * 14 + "]" * 14, '{"y":' * 13 + "[]" + "}" * 13):
        frame = '{"type":"ping","id":"x","y":[' + ",".join(["[]", "{}"] * 20) + f",{deep}]}}"
        await replied(
            case, client, client.raw_text(frame), {"type": "pong", "re": "x"}, "brackets side by side are few levels"
        )
    for opening, closing in (("[", "]"), ('{"y":', "}")):
        frame = '{"type":"ping","id":"x","y":' + opening * 16 + "1" + closing * 16 + "}"
        await replied(case, client, client.raw_text(frame), error("invalid_json", re=None), "17 levels are refused")
    bracket = json.dumps({"type": "ping", "id": "x", "y": "[{" * 100})
    await replied(
        case, client, client.raw_text(bracket), {"type": "pong", "re": "x"}, "brackets in a string are no nesting"
    )


@scenario("ERR-3.numbers", needs="native", conns=2)
async def big_numbers(case: Case) -> None:
    """An integer beyond 2^53-1, or a number such as 1e400, is refused where a number is expected, and not fatally."""
    room = case.room()
    client = await case.member(room)
    numbers = ("9007199254740992", "1e400", "-1e400", "9" * 400, "18446744073709551617", "-9007199254740993")
    frame = f'{{"type":"history","id":"n1","room":"{room}","before":'
    frames = {f"before {number[:24]}": f"{frame}{number}}}" for number in numbers}
    await series(case, client, frames, error(MALFORMED, re={"in": ["n1", None]}))
    await pong(case, client)


@scenario("ERR-4.envelope", needs="native", conns=2)
async def envelope(case: Case) -> None:
    """No object, or no type that is a string: `invalid_message`, with `re` if an id was usable."""
    client = await case.client()
    values = ("null", "[]", '"ping"', "7", "true", '[{"type":"ping","id":"x"}]')
    await series(case, client, {v: v for v in values}, error("invalid_message", re=None))
    usable: list[dict[str, Any]] = [{}, {"type": None}, {"type": 7}, {"type": ["ping"]}, {"type": {}}]
    frames = {str(members): json.dumps({"id": "x1", **members}) for members in usable}
    await series(case, client, frames, error("invalid_message", re="x1"))
    await series(case, client, {"neither type nor id": "{}"}, error("invalid_message", re=None))
    await pong(case, client)


@scenario("ERR-4.id", needs="native", conns=2)
async def ill_formed_id(case: Case) -> None:
    """A missing or ill-formed id gives `invalid_message` with `re: null`; every id of the grammar is taken."""
    client = await case.client()
    bad: list[Any] = ["", "x" * 65, "a b", "a\n", "\u00e9", "a/b", 7, None, True, ["x"], {}, 1.5]
    frames = {f"id {value!r:.20}": json.dumps({"type": "ping", "id": value}) for value in bad}
    await series(case, client, {**frames, "no id": '{"type":"ping"}'}, error("invalid_message", re=None))
    for good in ("x", "x" * 64, "A.z_9~-", "-", "0"):
        await replied(
            case, client, ask(client, type="ping", id=good), {"type": "pong", "re": good}, f"id {good:.20} is taken"
        )


@scenario("ERR-5.no-integers", conns=2)
async def no_integers(case: Case) -> None:
    """A boolean, a string or 1.5 does not pass as an integer."""
    room = case.room()
    client = await case.member(room)
    values: list[Any] = [True, False, "5", "", 1.5, [1], {}]
    for value in values:
        frames = {
            f"join.history {value!r}": json.dumps({"type": "join", "id": "i1", "room": room, "history": value}),
            f"history.limit {value!r}": json.dumps({"type": "history", "id": "i1", "room": room, "limit": value}),
            f"after.seq {value!r}": json.dumps(
                {"type": "join", "id": "i1", "room": room, "after": {"epoch": "e", "seq": value}}
            ),
        }
        await series(case, client, frames, error("invalid_message", re="i1"))
    await pong(case, client)


@scenario("ERR-5.whole-float", conns=2)
async def whole_float(case: Case) -> None:
    """1.0 passes as 1, or is refused with `invalid_message`; nothing else happens."""
    room = case.room()
    client = await case.member(room)
    sent = client.raw_text(json.dumps({"type": "history", "id": "f1", "room": room, "limit": 1.0}))
    either = {"any_of": [{"type": "history", "re": "f1"}, error("invalid_message", re="f1")]}
    await replied(case, client, sent, either, "either is right")
    await pong(case, client)


@scenario("ERR-6.code", needs="native", conns=2)
async def unknown_type_code(case: Case) -> None:
    """A type that no client may send, also the server's own, gives `unknown_type`, with `re` if an id was usable."""
    client = await case.client()
    types = (
        "frobnicate",
        "",
        "PING",
        "ping ",
        "welcome",
        "joined",
        "message",
        "sent",
        "error",
        "tick",
        "toString",
        "__proto__",
    )
    frames = {name or "empty": json.dumps({"type": name, "id": "u1", "room": 7}) for name in types}
    await series(case, client, frames, error("unknown_type", re="u1"))
    await series(
        case,
        client,
        {"no id": '{"type":"frobnicate"}', "an ill-formed id": '{"type":"message","id":7}'},
        error("unknown_type", re=None),
    )
    await pong(case, client)


@scenario("ERR-7.code", needs="native", conns=2)
async def binary_code(case: Case) -> None:
    """A binary frame gives `unsupported_data` and nothing else, whole, empty or in fragments."""
    client = await case.client()
    valid = json.dumps({"type": "ping", "id": "b1"}).encode()
    for payload in (valid, b"", b"\xff" * 100):
        await replied(case, client, client.raw_binary(payload), error("unsupported_data", re=None), "binary is refused")
    client.frame(2, valid[:5], fin=False)
    await replied(
        case, client, client.frame(0, valid[5:]), error("unsupported_data", re=None), "binary in fragments is refused"
    )
    await pong(case, client)


@scenario("ERR-8.text-too-long", needs="native", conns=2)
async def text_too_long(case: Case) -> None:
    """A text over `text_bytes` in a frame within `frame_bytes` gives `text_too_long`, and the connection stays."""
    room = case.room()
    client, other = await case.members(room, 2)
    op = client.send(room, "x" * ((case.claims.sizes.text_bytes or 0) + 1))
    await case.refused(op, {"code": "text_too_long"})
    await case.usable(client, room, other)


@scenario(
    "ERR-8.announced",
    "ERR-8.fragments",
    needs="native",
    conns=3,
    hostile=True,
    titles={"ERR-8.fragments": "A message whose fragments together are over `frame_bytes` is closed 1009."},
)
async def too_long_frames(case: Case) -> None:
    """A frame that announces more than `frame_bytes` is closed 1009 before its payload comes."""
    limit = case.claims.sizes.frame_bytes or 0
    announcing, fragmenting = await case.client(), await case.client()
    sent = announcing.raw_bytes(b"\x81\xff" + (100 * limit).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 64)
    await case.must(
        Reacts(announcing.name, sent.index, ["close 1009"]), "its length shows at once", check="ERR-8.announced"
    )
    half = limit // 2 + 1
    sent = fragmenting.frame(1, b"x" * half, fin=False)
    fragmenting.frame(0, b"x" * half, fin=False)
    judge = Reacts(fragmenting.name, sent.index, ["close 1009"], ["tcp-close"])
    await case.must(judge, "together they are too long", check="ERR-8.fragments")


@scenario("ERR-12.each-code", conns=3)
async def each_error(case: Case) -> None:
    """Errors of every kind say what is wrong and nothing about others."""
    room = case.room()
    secret, client = await case.members(room, 2)
    op = await case.say(secret, room, case.text("secret"))
    await case.delivered(op, [client], role="given")
    requests: list[dict[str, Any]] = [
        {"type": "join", "room": "Not A Room"},
        {"type": "join", "room": f"dm.{room}"},
        {"type": "send", "room": case.room(), "text": "x"},
        {"type": "send", "room": room, "text": ""},
        {"type": "send", "room": room},
        {"type": "history", "room": room, "epoch": "gone"},
        {"type": "auth", "token": "x"},
        {"type": "hello"},
        {"type": "x" * 5000},
        {"type": "join", "room": "y" * 5000},
        {"type": "join", "room": room, "after": {"epoch": "../../etc/passwd", "seq": "x"}},
    ]
    begin = case.mark("errors of every kind")
    for number, request in enumerate(requests):
        ask(client, id=f"e{number}", **request)
    for number in range(len(requests)):
        await case.told(client, {"tree": {"type": "error", "re": f"e{number}"}}, after=begin, role="given")
    await case.must(CleanErrors(), "clean")


@scenario("ERR-13.within", conns=2, hostile=True)
async def within_the_allowance(case: Case) -> None:
    """`errors.count` malformed frames in its window do not close the connection."""
    client = await case.client()
    count = case.advertised["limits"]["errors"]["count"]
    frames = ["no json", "7", '{"type":"x-unheard-of"}', '{"type":"ping"}']
    codes = ["invalid_json", "invalid_message", "unknown_type", "invalid_message"]
    for number in range(count - count % 4):
        sent = client.raw_text(frames[number % 4])
        first = First(client.name, {"tree": error(codes[number % 4], re=None)}, sent.index, REPLY)
        await case.must(first, f"malformed frame {number + 1} is answered")
    await pong(case, client)
    case.still_open(client)


@scenario("ERR-13.beyond", conns=2, hostile=True, waits=lambda claims: 8.0)
async def beyond_the_allowance(case: Case) -> None:
    """More than twice `errors.count` malformed frames in its window are the end of the connection: 4400."""
    client = await case.client()
    limits = case.advertised["limits"]
    begin, step, pace = case.mark("malformed frames"), 10, limits["frames"]["rate"] / 2
    for number in range(2 * limits["errors"]["count"] + 2):
        if client.ended:
            break
        if number >= limits["frames"]["burst"] // 2 and number % step == 0:
            await case.wait(step / pace, "within the permitted pace of frames")
        client.raw_text("no json")
    await case.until(lambda: client.ended, case.patience / 2)
    too_many = Reacts(client.name, begin.index, ["close 4400"])
    await case.should(too_many, "the server should have enough", wait=0)


@scenario("ERR-13.window", conns=2, settings={"errors": {"count": 3, "window_ms": 1000}}, waits=lambda _: 6.0)
async def outside_the_window(case: Case) -> None:
    """Malformed frames that no one window of `errors` holds together do not add up: the connection stays."""
    client = await case.client()
    allowed = case.advertised["limits"]["errors"]
    for turn in range(3):
        if turn:
            await case.wait(allowed["window_ms"] / 1000 + 0.2, "until those before are out of the window")
        for number in range(allowed["count"]):
            sent = client.raw_text("no json")
            first = First(client.name, {"tree": error("invalid_json", re=None)}, sent.index, REPLY)
            await case.must(first, f"malformed frame {number + 1} of turn {turn + 1} is answered")
    await pong(case, client)
    case.still_open(client)


@scenario("ERR-15.duplicate-member", conns=3)
async def duplicate_member(case: Case) -> None:
    """A member that stands twice gives `invalid_json`, or its last value counts everywhere."""
    room, elsewhere = case.room(), case.room()
    client, witness = await case.members(room, 2)
    await case.given_join(client, elsewhere)
    await case.given_join(witness, elsewhere)
    first, last = case.text("first"), case.text("last")
    forms = {
        "text": f'{{"type":"send","id":"d1","room":"{room}","text":"{first}","text":"{last}"}}',
        "room": f'{{"type":"send","id":"d1","room":"{elsewhere}","text":"{last}","room":"{room}"}}',
        "type": f'{{"type":"leave","id":"d1","room":"{room}","text":"{last}","type":"send"}}',
    }
    for name, frame in forms.items():
        sent = client.raw_text(frame)
        either = {"any_of": [error("invalid_json", re=None), {"type": "sent", "re": "d1", "room": room}]}
        await replied(case, client, sent, either, f"{name} twice: the answer")
        refused = Reacts(client.name, sent.index, ["error"], text=last)
        taken = Reacts(client.name, sent.index, ["error", "accept"], text=last)
        await case.must(taken, f"{name} twice: refused, or the last counts")
        await case.should(refused, f"{name} twice: refused", wait=0)
    fence = await case.fence(witness, room)
    case.never(witness, {"text": first}, fence=fence, says="the first value counts nowhere")
    case.never(witness, {"text": last, "room": elsewhere}, fence=fence, says="not the room either")
    await case.usable(client, room, witness)


@scenario("ERR-16.unknown-members", needs="native", conns=2)
async def odd_unknown_members(case: Case) -> None:
    """In members that nobody knows, numbers of any size and lone surrogates are ignored or give `invalid_json`."""
    client = await case.client()
    odd = [
        "9" * 5000,
        "1e400",
        "-1e-400",
        "0." + "1" * 5000,
        "1" + "0" * 400,
        r'"\ud800"',
        r'"\udc00\ud800"',
        r'{"\ud800":1}',
        r'["\udfff"]',
    ]
    either = {"any_of": [{"type": "pong", "re": "o1"}, error("invalid_json", re={"in": ["o1", None]})]}
    for value in odd:
        sent = client.raw_text(f'{{"type":"ping","id":"o1","x":{value}}}')
        await replied(case, client, sent, either, f"{value[:24]} in an unknown member")
    await pong(case, client)
