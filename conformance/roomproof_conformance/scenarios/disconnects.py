"""Disconnects: polite ones are answered, abrupt ones disturb nobody, and who stops reading holds nobody up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..actors import Client, Op
from ..case import Case
from ..checks import scenario
from ..dialects import Claims
from ..frames import CLOSE, Frame, serialize
from ..judges import Absent, Arrives, Contiguous, Ends, Opens, Order
from ..judges.closing import AnswersClose, EchoesCode, EndsTcp, SaysClose
from ..transport import Unreachable

SLACK = 2.0
"""Seconds of slack that the protocol grants to bounds on time."""
KERNEL = 8 * 2**20
"""Bytes that the kernels between server and client may hold (DISC-7)."""
PACE = 2e6
"""Bytes per second of the slow reader of DISC-10."""
TROUBLE = {"kind": {"in": ["error", "rate_limited", "kicked", "closing"]}}
"""What nobody must get because somebody else is gone."""


def wire(client: Client, action: str, **args: Any) -> bytes:
    """The bytes of the frames that the dialect writes for an action, to be sent in one write with others."""
    frames = []
    for outgoing in client.session.begin(action, **args).outgoing:
        payload = outgoing.payload.encode() if isinstance(outgoing.payload, str) else outgoing.payload
        frames.append(serialize(Frame(2 if outgoing.binary else 1, payload, masked=True)))
    return b"".join(frames)


def close_frame(code: int = 1000) -> bytes:
    return serialize(Frame(CLOSE, code.to_bytes(2, "big"), masked=True))


# -- polite ends ------------------------------------------------------------------------------------


async def goes(case: Case, client: Client, code: int | None, reason: str = "") -> None:
    """The client closes, and leaves it to the server to end TCP."""
    client.ignore_close()
    sent = client.send_close(code, reason)
    what = "without a code" if code is None else str(code)
    await case.must(AnswersClose(client.name, sent.index), f"a Close {what} is answered and TCP ended", wait=3.0)


@scenario("DISC-1.close")
async def close(case: Case) -> None:
    """A Close frame, with a code, a reason or neither, is answered by one, and the server ends TCP within 2 s."""
    room = case.room()
    for code, reason in ((1000, ""), (None, ""), (1001, "gone elsewhere"), (4321, "x" * 123)):
        await goes(case, await case.member(room), code, reason)


@scenario("DISC-1.busy-room", conns=5)
async def close_in_busy_room(case: Case) -> None:
    """A Close frame is answered, and TCP ended within 2 s, while the room is busy."""
    room = case.room()
    listener, *speakers = await case.members(room, 4)
    leaver = await case.member(room)
    ops = [await case.say(speaker, room) for speaker in speakers]
    leaver.ignore_close()
    sent = leaver.send_close(1000)
    ops += [await case.say(speaker, room) for speaker in speakers]
    await case.must(AnswersClose(leaver.name, sent.index), "the Close is answered and TCP ended", wait=3.0)
    for op in ops:
        await case.delivered(op, [listener], role="given")


@scenario("DISC-12.codes")
async def echoed(case: Case) -> None:
    """The answer to a Close frame carries the code of the client's."""
    room = case.room()
    for code in (1000, 1001, 3000, 4999):
        client = await case.member(room)
        sent = client.send_close(code)
        await case.must(EchoesCode(client.name, sent.index), f"{code} is answered by {code}")


@scenario("DISC-9.one-write", needs="rooms")
async def last_words(case: Case) -> None:
    """Messages that come in one write with the Close frame behind them are delivered, in order."""
    room = case.room()
    speaker, witness = await case.members(room, 2)
    for hang_up in (False, True):
        leaver = await case.member(room)
        texts = [case.text(f"last{n}") for n in range(3)]
        data = b"".join(wire(leaver, "send", room=room, text=text) for text in texts)
        sent = leaver.raw_bytes(data + close_frame())
        if hang_up:
            leaver.half_close()
        await case.in_order(witness, room, texts, after=sent)
    await case.usable(witness, room, speaker, role="given")


@scenario("DISC-9.whole-visit", needs="native")
async def whole_visit(case: Case) -> None:
    """Identifying, joining, sending and closing in a single write takes effect."""
    room = case.room()
    witness = await case.member(room)
    guest = case.stranger()
    await guest.connect()
    text = case.text("visit")
    acts = wire(guest, "identify") + wire(guest, "join", room=room) + wire(guest, "send", room=room, text=text)
    sent = guest.raw_bytes(acts + close_frame())
    await case.told(witness, {"kind": "message", "text": text}, after=sent, says="the visitor is heard")


# -- abrupt ends --------------------------------------------------------------------------------------


async def disturbs_nobody(case: Case, vanish: Callable[[Client, str], object]) -> None:
    """A member vanishes in the middle of traffic: the others' messages go on in order, and no error reaches them."""
    room = case.room()
    speaker, listener, victim = await case.members(room, 3)
    begin = case.mark("traffic begins")
    ops = [await case.say(speaker, room) for _ in range(2)]
    case.target.progress.note  # noqa: B018
    ops.append(await case.say(victim, room))
    await case.delivered(ops[-1], [listener], role="given")
    ops.append(await case.say(speaker, room))
    vanish(victim, room)
    ops += [await case.say(who, room) for who in (speaker, listener, speaker, listener)]
    texts = [op.text for op in ops if op.client is speaker]
    await case.in_order(listener, room, texts, after=begin)
    for client in (speaker, listener):
        case.still_open(client)
    await case.usable(listener, room, speaker)
    fence = await case.say(speaker, room)
    await case.delivered(fence, [listener])
    case.never(listener, TROUBLE, fence=fence, after=begin, says="the others are told of no error")


@scenario("DISC-2.reset", needs="rooms")
async def reset(case: Case) -> None:
    """A member whose connection is reset in the middle of traffic disturbs nobody."""
    await disturbs_nobody(case, lambda victim, _room: victim.reset())


@scenario("DISC-2.fin", needs="rooms")
async def fin(case: Case) -> None:
    """A member who ends TCP without a Close frame disturbs nobody."""
    await disturbs_nobody(case, lambda victim, _room: victim.half_close())


@scenario("DISC-2.half-frame", needs="rooms")
async def half_frame(case: Case) -> None:
    """A member whose connection is reset in the middle of a frame disturbs nobody, and half a message reaches nobody."""

    def vanish(victim: Client, room: str) -> None:
        data = wire(victim, "send", room=room, text=case.text("half"))
        victim.raw_bytes(data[: len(data) // 2])
        victim.reset()

    await disturbs_nobody(case, vanish)


async def newcomer(case: Case, room: str) -> Client:
    """A new member of `room`, every step of which is what is judged."""
    client = case.stranger(room)
    with suppress(Unreachable):
        await client.connect()
    await case.must(Opens(client.name), "a newcomer can connect", wait=0)
    for action, args in (("identify", {}), ("join", {"room": room})):
        if client.offers(action):
            op = case.identify(client) if action == "identify" else client.begin(action, **args)
            await case.answered(op, says=f"a newcomer can {action}")
    return client


@scenario("DISC-2.two-at-once", needs="rooms", hostile=True)
async def two_at_once(case: Case) -> None:
    """When two of three members vanish at the same moment, the third goes on, and a newcomer can join and be heard."""
    for first, second in ((Client.reset, Client.send_close), (Client.reset, Client.reset), (Client.send_close, Client.send_close)):
        room = case.room()
        stays, one, two = await case.members(room, 3)
        for client in (one, two, stays):
            op = await case.say(client, room)
            await case.delivered(op, [stays], role="given") if client is not stays else None
        await case.say(stays, room)
        first(one)
        second(two)
        await case.say(stays, room)
        comer = await newcomer(case, room)
        await case.usable(comer, room, stays)
        await stays.close()
        await comer.close()
