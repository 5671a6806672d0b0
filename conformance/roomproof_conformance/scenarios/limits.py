"""Advertised sizes and counts: enforced at their value and not below it; handshakes, pages, compression, big frames.

Rates are judged in `rate`, the number of rooms in `room_names`.
"""

from __future__ import annotations

import json
import unicodedata
import zlib
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario, watch
from roomproof_conformance.judges import Arrives, Ends, FramesWithin, Opens, Reacts, Uncompressed
from roomproof_conformance.judges.connection import Compressed
from roomproof_conformance.transcript import Record

from .history import time_to_fill
from .native import ask, error, pong, replied, turned_away

HANDSHAKE = 10.0
SLACK = 2.0

watch("LIMIT-8.every-frame")(FramesWithin)


def _limit(case: Case, name: str) -> Any:
    """A number of the target's `welcome`."""
    return case.advertised["limits"][name]


def _padded(size: int, **members: Any) -> str:
    """A request of exactly `size` bytes, filled up by spaces, which mean nothing in JSON."""
    bare = json.dumps(members)[:-1]
    return bare.ljust(size - 1) + "}"


@scenario("LIMIT-1.frame-bytes", conns=2, hostile=True)
async def frame_bytes(case: Case) -> None:
    """A message of exactly `frame_bytes` is taken, whole and in fragments; one byte more is closed 1009."""
    size = _limit(case, "frame_bytes")
    client = await case.client()
    full = _padded(size, type="ping", id="full")
    await replied(case, client, client.raw_text(full), {"type": "pong", "re": "full"}, f"{size} bytes are taken")
    client.frame(1, full[:100].encode(), fin=False)
    client.ping()
    rest = client.frame(0, full[100:].encode())
    await replied(case, client, rest, {"type": "pong", "re": "full"}, f"{size} bytes in two fragments are taken")
    over = client.raw_text(_padded(size + 1, type="ping", id="over"))
    await case.must(Reacts(client.name, over.index, ["close 1009"], ["tcp-close"]), f"{size + 1} bytes are too many")


@scenario("LIMIT-1.text-bytes", conns=3)
async def text_bytes(case: Case) -> None:
    """A text of exactly `text_bytes` is delivered whole; one byte more is `text_too_long`."""
    room, size = case.room(), _limit(case, "text_bytes")
    client, witness = await case.members(room, 2)
    text = case.text("full").ljust(size, "x")
    op = await case.say(client, room, text)
    await case.answered(op, says=f"{size} bytes are taken")
    await case.told(witness, {"kind": "message", "text": {"eq": text}}, says="and delivered whole")
    over = await case.say(client, room, case.text("over").ljust(size + 1, "x"))
    await case.refused(over, {"code": "text_too_long"})


@scenario("LIMIT-1.room-len", conns=2)
async def room_len(case: Case) -> None:
    """A room name of `room_len` characters is taken; one more is `invalid_room`."""
    client = await case.client()
    name = case.room().ljust(_limit(case, "room_len"), "r")
    await case.answered(client.join(name))
    await case.refused(client.join(name + "r"), {"code": "invalid_room"})


@scenario(
    "LIMIT-1.name-len",
    "LIMIT-3.names",
    conns=6,
    titles={
        "LIMIT-3.names": "Display names are counted in code points after NFC, not in bytes, UTF-16 units or before NFC."
    },
)
async def name_len(case: Case) -> None:
    """A display name of `name_len` code points is taken; one more is `invalid_name`."""
    size = _limit(case, "name_len")
    names = {
        "LIMIT-1.name-len": ["n" * size],
        "LIMIT-3.names": ["\U0001f642" * size, "e\u0301" * size],
    }
    for check, fitting in names.items():
        for name in fitting:
            client = case.stranger()
            await client.connect()
            sent = ask(client, type="hello", id="h1", name=name)
            # Whether the name is told in NFC is another sentence.
            where = {"type": "welcome", "user": {"name": {"in": [name, unicodedata.normalize("NFC", name)]}}}
            await replied(case, client, sent, where, f"{size} code points are taken", check=check)
        client = case.stranger()
        await client.connect()
        ask(client, type="hello", id="h1", name=fitting[-1] + "n")
        await turned_away(case, client, error("invalid_name", re="h1", fatal=True), 4401, check=check)


@scenario("LIMIT-1.history", conns=2)
async def history_limit(case: Case) -> None:
    """A join may ask for `history` messages, a request for `page`; one more is `invalid_message`, and so is none."""
    room = case.room()
    client = await case.member(room)
    most, page = _limit(case, "history"), _limit(case, "page")
    for request, value, name, right in (
        ("join", most, "history", True),
        ("join", 0, "history", True),
        ("join", most + 1, "history", False),
        ("join", -1, "history", False),
        ("history", page, "limit", True),
        ("history", 1, "limit", True),
        ("history", page + 1, "limit", False),
        ("history", 0, "limit", False),
    ):
        where = (
            {"type": "joined" if request == "join" else "history", "re": "l1"}
            if right
            else error("invalid_message", re="l1")
        )
        sent = ask(client, type=request, id="l1", room=room, **{name: value})
        await replied(case, client, sent, where, f"{request} with {name} {value}")


@scenario("LIMIT-1.mid", conns=2)
async def mid_length(case: Case) -> None:
    """A `mid` has 8 to 64 characters; one more or less is `invalid_message`."""
    room = case.room()
    client = await case.member(room)
    mid = case.text("mid")
    lengths = {8: True, 64: True, 65: False, 7: False}
    for length, right in lengths.items():
        value = mid[-length:].ljust(length, "m")
        where = {"type": "sent", "re": "m1"} if right else error("invalid_message", re="m1")
        sent = ask(client, type="send", id="m1", room=room, text="x", mid=value)
        await replied(case, client, sent, where, f"a mid of {len(value)} characters")


@scenario(
    "LIMIT-2.conns-per-user",
    "LIMIT-1.conns-per-user",
    conns=20,
    titles={
        "LIMIT-1.conns-per-user": "A user can hold all of `conns_per_user` connections, and a new one when one is gone."
    },
)
async def connections_per_user(case: Case) -> None:
    """One connection more than `conns_per_user` is refused and the others stay."""
    room, count = case.room(), _limit(case, "conns_per_user")
    mine = [await case.member(room, user="crowd")]
    for _ in range(count - 1):
        client = case.stranger(user="crowd")
        await client.connect()
        await case.answered(
            case.identify(client), check="LIMIT-1.conns-per-user", says=f"connection {len(mine) + 1} of {count}"
        )
        mine.append(client)
    over = case.stranger(user="crowd")
    await over.connect()
    case.identify(over)
    where = error("too_many_connections", re={"exists": True}, fatal=True, retryable=True)
    await turned_away(case, over, where, 4230)
    for client in mine:
        await pong(case, client)
    await case.usable(mine[0], room, await case.member(room))
    await mine.pop().close()
    again = case.stranger(user="crowd")
    await again.connect()
    await case.answered(case.identify(again), check="LIMIT-1.conns-per-user", says="one is gone, and another is let in")


@scenario("LIMIT-3.text", conns=3)
async def text_in_bytes(case: Case) -> None:
    """Texts are counted in bytes of UTF-8 after JSON decoding: not in characters, UTF-16 units or escapes."""
    room, size = case.room(), _limit(case, "text_bytes")
    for char in ("\u00e9", "\u20ac", "\U0001f642"):
        client, witness = await case.members(room, 2)
        fitting = char * (size // len(char.encode())) + "x" * (size % len(char.encode()))
        request = {"type": "send", "id": "t1", "room": room, "text": fitting}
        plain, escaped = json.dumps(request, ensure_ascii=False), json.dumps(request)
        forms = [plain, escaped] if len(escaped) <= _limit(case, "frame_bytes") else [plain]
        for frame in forms:
            sent = client.raw_text(frame)
            await replied(case, client, sent, {"type": "sent", "re": "t1"}, f"{size} bytes of U+{ord(char):04X} fit")
        told = Arrives(witness.name, {"kind": "message", "text": {"eq": fitting}}, count=len(forms))
        await case.must(told, "and are delivered")
        over = client.raw_text(json.dumps({**request, "text": fitting + "x"}, ensure_ascii=False))
        await replied(
            case, client, over, error("text_too_long", re="t1"), f"{size + 1} bytes of U+{ord(char):04X} do not"
        )
        await client.close()
        await witness.close()


@scenario(
    "LIMIT-4.off",
    "LIMIT-4.after-inflation",
    conns=2,
    hostile=True,
    titles={"LIMIT-4.after-inflation": "A compressed message that inflates to more than `frame_bytes` is refused."},
)
async def compression(case: Case) -> None:
    """Compression is not negotiated with a client that offers it."""
    client = case.stranger()
    await client.connect(extensions="permessage-deflate")
    await case.given(Opens(client.name), "a client that offers compression can connect")
    configured = case.target.process is None or "compression" in case.target.process.settings
    await case.should(Uncompressed(client.name, tolerated=configured), "compression is off")
    await case.answered(case.identify(client), role="given")
    sent = _compressed(client, _padded(_limit(case, "frame_bytes") * 4, type="ping", id="z1"))
    refused = Reacts(client.name, sent.index, ["close 1009", "close 1002"], ["tcp-close"])
    await case.must(refused, "too long when inflated, or a reserved bit", check="LIMIT-4.after-inflation")


@scenario("LIMIT-4.configured", conns=2, settings={"compression": True})
async def compression_configured(case: Case) -> None:
    """Where compression is negotiated, a message is measured when it is inflated: one of `frame_bytes` is taken."""
    size = _limit(case, "frame_bytes")
    client = case.stranger()
    await client.connect(extensions="permessage-deflate")
    await case.given(Opens(client.name), "a client that offers compression can connect")
    await case.given(Compressed(client.name), "compression is negotiated")
    await case.answered(case.identify(client), role="given")
    sent = _compressed(client, _padded(size, type="ping", id="z1"))
    await replied(case, client, sent, {"type": "pong", "re": "z1"}, f"{size} bytes, inflated, are taken")
    over = _compressed(client, _padded(size + 1, type="ping", id="z2"))
    await case.must(Reacts(client.name, over.index, ["close 1009"], ["tcp-close"]), f"{size + 1} bytes are too many")


def _compressed(client: Client, text: str) -> Record:
    """Write a text frame as RFC 7692 has it, without context."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(text.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
    return client.frame(1, packed[:-4], rsv=4)


@scenario("LIMIT-5.silent", conns=1, waits=lambda claims: HANDSHAKE + SLACK)
async def silent_handshake(case: Case) -> None:
    """Who connects and begins no handshake is dropped after 10 s."""
    await _dawdle(case, b"")


@scenario("LIMIT-5.half", conns=1, waits=lambda claims: HANDSHAKE + SLACK)
async def half_handshake(case: Case) -> None:
    """Who begins a handshake and does not finish it is dropped after 10 s."""
    await _dawdle(case, b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n")


async def _dawdle(case: Case, begun: bytes) -> None:
    client = case.stranger(case.room())
    begin = case.mark("a handshake that is not finished")
    await client.dawdle(begun, HANDSHAKE + SLACK + 1)
    judge = Ends(client.name, begin.index, tcp=True, latest=HANDSHAKE + SLACK)
    await case.must(judge, "it is dropped", wait=0)


@scenario("LIMIT-6.pages", conns=3)
async def pages(case: Case) -> None:
    """`GET /healthz`, `/readyz` and `/metrics` are answered with HTTP 200."""
    for path in ("/healthz", "/readyz", "/metrics"):
        client = case.stranger()
        await client.get(path)
        await case.must(Opens(client.name, status=[200]), f"GET {path}", wait=0, go_on=True)


@scenario("LIMIT-6.upgrade-required", conns=1)
async def upgrade_required(case: Case) -> None:
    """A plain GET of the socket's path is answered with HTTP 426."""
    client = case.stranger()
    await client.get()
    await case.must(Opens(client.name, status=[426]), "it is told to upgrade", wait=0)


async def _full_room(case: Case, char: str) -> None:
    """A room full of the largest texts, joined by somebody who asks for all of them."""
    room, size, count = case.room(), _limit(case, "text_bytes"), _limit(case, "history")
    watcher = await case.member(room)
    quota = case.claims.rate_limit
    each = (quota.allow if quota is not None else None) or count
    text, said = (char * size).encode()[: size // len(char.encode()) * len(char.encode())].decode(), 0
    while said < count:
        sender = await case.member(room)
        for _ in range(min(each, count - said)):
            op = sender.send(room, text)
            await case.answered(op, role="given")
            said += 1
        await sender.close()
    reader = await case.client()
    joined = reader.join(room, history=count)
    least = count * len(text.encode())
    await case.answered(joined, {"tree": {"messages": {"len": count}}}, says="the join of a full room is answered")
    await case.must(FramesWithin(least), "and its frame fits", wait=0)
    await pong(case, watcher)


for _name, _char in {"quotes": '"', "not-ascii": "\u00e9", "html": "<", "emoji": "\U0001f642"}.items():

    def _of(char: str) -> Any:
        async def run(case: Case) -> None:
            await _full_room(case, char)

        run.__doc__ = f"The join of a room full of the largest texts, all {char}, fits into `server_frame_bytes`."
        return run

    scenario(f"LIMIT-8.full-room-of-{_name}", conns=4, waits=time_to_fill)(_of(_char))
