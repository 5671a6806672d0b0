"""Disconnects: polite ones are answered, abrupt ones disturb nobody, and who stops reading holds nobody up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.dialects import Claims
from roomproof_conformance.frames import CLOSE, serialize
from roomproof_conformance.judges import Contiguous, Ends, Opens
from roomproof_conformance.judges.closing import AnswersClose, EchoesCode, EndsTcp, LetGo, SaysClose
from roomproof_conformance.judges.prompt import InTime, Prompt
from roomproof_conformance.transcript import Record
from roomproof_conformance.transport import Unreachable

from .one_write import acting, closing, in_one_write
from .presence import grace, noticed

SLACK = 2.0
"""Seconds of slack that the protocol grants to bounds on time."""
KERNEL = 8 * 2**20
"""Bytes that the kernels between server and client may hold (DISC-7)."""
FILLING = 40.0
"""Seconds for filling rooms, and the queue of who does not read; what was not reached by then stays open."""
PACE = 2e6
"""Bytes per second of the slow reader of DISC-10."""
TROUBLE = {"kind": {"in": ["error", "rate_limited", "kicked", "closing"]}}
"""What nobody must get because somebody else is gone."""


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


@scenario("DISC-1.busy-room", "DISC-2.leaving", conns=6, hostile=True, waits=lambda _: 2.0, titles={
    "DISC-2.leaving": "Who leaves a busy room by a Close frame disturbs nobody in it.",
})  # fmt: skip
async def close_in_a_busy_room(case: Case) -> None:
    """A Close frame is answered, and TCP ended within 2 s, while the room is busy."""
    room = case.room()
    listener, *speakers = await case.members(room, 4)
    for _ in range(5):  # what goes wrong here is a race, and one try would leave it to chance
        leaver = await newcomer(case, room, check="DISC-2.leaving")
        ops = [await case.say(speaker, room) for speaker in speakers]
        leaver.ignore_close()
        sent = leaver.send_close(1000)
        ops += [await case.say(speaker, room) for speaker in speakers]
        await case.must(
            AnswersClose(leaver.name, sent.index), "the Close is answered and TCP ended", wait=3.0, go_on=True
        )
        for op in ops:
            await case.delivered(op, [listener], check="DISC-2.leaving")


@scenario("DISC-12.codes")
async def echoed(case: Case) -> None:
    """The answer to a Close frame carries the code of the client's."""
    room = case.room()
    for code in (1000, 1001, 3000, 4999):
        client = await case.member(room)
        sent = client.send_close(code)
        await case.must(EchoesCode(client.name, sent.index), f"{code} is answered by {code}")


@scenario("DISC-9.one-write", needs="rooms", hostile=True)
async def last_words(case: Case) -> None:
    """Messages that come in one write with the Close frame behind them are delivered, in order."""
    room = case.room()
    speaker, witness = await case.members(room, 2)
    for hang_up in (False, True):
        leaver = await case.member(room)
        texts = [case.text(f"last{n}") for n in range(3)]
        frames = [frame for text in texts for frame in acting(leaver, "send", room=room, text=text)]
        sent = in_one_write(leaver, *frames, closing())
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
    enters = acting(guest, "identify") + acting(guest, "join", room=room)
    sent = in_one_write(guest, *enters, *acting(guest, "send", room=room, text=text), closing())
    await case.told(witness, {"kind": "message", "text": text}, after=sent, says="the visitor is heard")


# -- abrupt ends --------------------------------------------------------------------------------------


ROUNDS = 8
"""How often a loss is tried: what goes wrong at one is mostly a race, and once would leave it to chance."""


async def disturbs_nobody(case: Case, vanish: Callable[[Client, str], object]) -> None:
    """A member vanishes in the middle of traffic: the others' messages go on in order, and no error reaches them."""
    rooms = [await loses_one(case, vanish, first=n == 0) for n in range(ROUNDS)]
    await case.wait(1.0, "the losses become known everywhere")
    for room, speaker, listener, begin in rooms:
        for client in (speaker, listener):
            case.still_open(client)
        await case.delivered(await case.say(listener, room), [speaker])
        fence = await case.say(speaker, room)
        await case.delivered(fence, [listener])
        case.never(listener, TROUBLE, fence=fence, after=begin, says="the others are told of no error")


async def loses_one(
    case: Case, vanish: Callable[[Client, str], object], *, first: bool
) -> tuple[str, Client, Client, Record]:
    """A room with traffic in which one of three members vanishes; the room, the other two, and when it began.

    That members can join is presupposed the `first` time; later it is what the loss before must not have harmed.
    """
    room = case.room()
    joining = case.member if first else partial(newcomer, case)
    speaker, listener, victim = [await joining(room) for _ in range(3)]
    begin = case.mark("traffic begins")
    ops = [await case.say(speaker, room), await case.say(victim, room)]
    await case.delivered(ops[-1], [listener], role="given")
    ops.append(await case.say(speaker, room))
    vanish(victim, room)
    ops += [await case.say(who, room) for who in (speaker, listener, speaker)]
    texts = [op.text for op in ops if op.client is speaker]
    await case.in_order(listener, room, texts, after=begin)
    return room, speaker, listener, begin


@scenario("DISC-2.reset", needs="rooms", hostile=True, conns=3 * ROUNDS, waits=lambda _: 1.0)
async def reset(case: Case) -> None:
    """A member whose connection is reset in the middle of traffic disturbs nobody."""
    await disturbs_nobody(case, lambda victim, _room: victim.reset())


@scenario("DISC-2.fin", needs="rooms", hostile=True, conns=3 * ROUNDS, waits=lambda _: 1.0)
async def fin(case: Case) -> None:
    """A member who ends TCP without a Close frame disturbs nobody."""
    await disturbs_nobody(case, lambda victim, _room: victim.half_close())


@scenario("DISC-2.half-frame", needs="rooms", hostile=True, conns=3 * ROUNDS, waits=lambda _: 1.0)
async def half_frame(case: Case) -> None:
    """A member whose connection is reset in the middle of a frame disturbs nobody."""

    def vanish(victim: Client, room: str) -> None:
        data = serialize(acting(victim, "send", room=room, text=case.text("half"))[0])
        victim.raw_bytes(data[: len(data) // 2])
        victim.reset()

    await disturbs_nobody(case, vanish)


async def newcomer(case: Case, room: str, *, check: str | None = None) -> Client:
    """A new member of `room`, every step of which is what is judged."""
    client = case.stranger(room)
    with suppress(Unreachable):
        await client.connect()
    await case.must(Opens(client.name), "a newcomer can connect", wait=0, check=check)
    for action, args in (("identify", {}), ("join", {"room": room})):
        if client.offers(action):
            op = case.identify(client) if action == "identify" else client.begin(action, **args)
            await case.answered(op, says=f"a newcomer can {action}", check=check)
    return client


@scenario("DISC-2.two-at-once", needs="rooms", hostile=True)
async def two_at_once(case: Case) -> None:
    """When two of three members vanish at the same moment, the third goes on, and a newcomer can join and be heard."""
    ways = ((Client.reset, Client.send_close), (Client.reset, Client.reset), (Client.send_close, Client.send_close))
    for first, second in ways * (ROUNDS // 2):
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


# -- who is shown gone -------------------------------------------------------------------------------------


def silence(claims: Claims) -> float:
    """The most seconds until a silent loss shows."""
    beat = claims.heartbeat
    return ((beat.interval or 0.0) + (beat.timeout or 0.0) if beat else 0.0) + grace(claims) + SLACK


async def watched(case: Case, room: str) -> tuple[Client, Client]:
    """A watcher and a victim, in a room that was seen to show polite departures."""
    watcher, polite, victim = await case.members(room, 3)
    begin = case.mark("a polite departure")
    await polite.close()
    await noticed(case, watcher, polite, "left", after=begin, role="given", wait=grace(case.claims) + SLACK)
    return watcher, victim


@scenario("DISC-3.reset", needs="presence_events", waits=grace)
async def reset_shows(case: Case) -> None:
    """A user whose connection is reset is shown gone within the grace and 2 s."""
    watcher, victim = await watched(case, case.room())
    lost = victim.reset()
    bound = grace(case.claims) + SLACK
    await noticed(case, watcher, victim, "left", after=lost, within=bound, wait=bound + 1)


@scenario("DISC-3.silent", needs="presence_events heartbeat", waits=silence)
async def silence_shows(case: Case) -> None:
    """A user from whom nothing comes any more is shown gone within interval, timeout, grace and 2 s."""
    watcher, victim = await watched(case, case.room())
    lost = victim.freeze()
    bound = silence(case.claims)
    await noticed(case, watcher, victim, "left", after=lost, within=bound, wait=bound + 1)


# -- who does not read ---------------------------------------------------------------------------------------


def padded(case: Case, size: int, fill: str = "x") -> str:
    """A text of `size` characters that occurs once in the run."""
    text = case.text()
    return text + fill * (size - len(text))


def text_size(claims: Claims) -> int:
    """A large text that any server with these claims takes."""
    return min(4096, claims.sizes.text_bytes or claims.sizes.text_chars or 1000)


async def burst(case: Case, room: str, size: int, count: int, fill: str = "x") -> Op:
    """A newcomer says large texts, `count` of them at once; the last one, answered or not."""
    sender = await case.client(room)
    if sender.offers("join"):
        await case.given_join(sender, room, **({"history": 0} if case.claims.native else {}))
    ops = [sender.send(room, padded(case, size, fill)) for _ in range(count)]
    await ops[-1]
    if "ack" not in case.target.capabilities:  # what is on its way when a sender closes is judged elsewhere
        await case.until(lambda: any(ops[-1].text in client.heard for client in case.clients), case.patience)
    if sender.connection is not None:
        sender.connection.close_grace = 0.1  # how soon TCP ends is judged elsewhere, and senders are many here
    await sender.close()
    return ops[-1]


@scenario("DISC-8.one-stalls", needs="rooms", conns=5, hostile=True, waits=lambda _: 4.0)
async def others_go_on(case: Case) -> None:
    """While one member stops reading, messages reach the others within 1 s."""
    room = case.room()
    stalled = await case.member(room, receive_buffer=4096)
    listener, talker = await case.members(room, 2)
    frozen = stalled.freeze()
    case.stated(Prompt(listener.name, [room], after=frozen.index), "the others hear each message at once")
    limit, size = case.claims.pace, text_size(case.claims)
    each = limit.burst if limit is not None and limit.burst else 60
    bytes_limit = case.claims.rate_limit if "slowed_bytes" in case.target.capabilities else None
    if bytes_limit is not None:  # half of what passes at once, for what stands around the text
        each = max(1, (bytes_limit.capacity or bytes_limit.allow or size) // (2 * size))
    frames = case.claims.connections.burst
    each = min(each, frames - 10) if frames else each  # who comes in says a few things before
    newcomers = (
        frames is not None or bytes_limit is not None or (limit is not None and limit.scope in ("user", "connection"))
    )
    begin, addressed = case.watch.now(), 0
    while addressed < KERNEL // 2 and case.watch.now() < begin + 4.0:
        if newcomers:
            last = await burst(case, room, size, each)
        else:
            last = [await case.say(talker, room, padded(case, size)) for _ in range(each)][-1]
        await case.until(partial(listener.heard.__contains__, last.text), case.patience)
        addressed += each * size
    case.still_open(listener)
    await case.delivered(await case.say(talker, room), [listener])


@scenario(
    "DISC-7.stalled",
    "DISC-7.no-hole",
    "DISC-8.full-queue",
    "DISC-10.eight-joins",
    needs="native",
    conns=5,
    hostile=True,
    waits=lambda _: 8.0,
    titles={
        "DISC-7.no-hole": "What a client that stopped reading can still read has no hole.",
        "DISC-8.full-queue": "While one member's queue fills up and overflows, messages reach the others within 1 s.",
        "DISC-10.eight-joins": "Eight pipelined joins of rooms full of the largest texts succeed at 2 MB/s.",
    },
)
async def stalled_reader(case: Case) -> None:
    """Who stops reading, but goes on sending, is let go before `queue_bytes` and 8 MiB were addressed to it."""
    limits = case.advertised["limits"]
    size, each = limits["text_bytes"], limits["messages"]["count"]
    rooms = [case.room() for _ in range(8)]
    stalled = await case.client(receive_buffer=4096)
    for room in rooms:
        await case.given_join(stalled, room)
    listener, speaker = await case.members(rooms[0], 2)
    for room in rooms[1:]:
        await case.given_join(listener, room)
    first = await burst(case, rooms[0], size, each, '"')
    await case.delivered(first, [stalled], role="given")
    frozen = stalled.freeze()
    prompt = Prompt(listener.name, rooms, after=frozen.index)
    case.stated(prompt, "the others hear each message at once", check="DISC-8.full-queue")
    bound, addressed, bursts = limits["queue_bytes"] + KERNEL, 0, 1
    full = len(rooms) * -(-limits["history"] // each)
    begin = case.watch.now()
    while case.watch.now() < begin + FILLING and (bursts < full or (addressed < bound and not stalled.ended)):
        await burst(case, rooms[bursts % len(rooms)], size, each, '"')
        bursts += 1
        addressed += each * 2 * size
        stalled.ping()
    case.mark(f"{addressed} bytes were addressed to {stalled.name}")
    back = stalled.thaw()
    if bursts < full:
        await case.given(InTime(frozen.index, back.index, FILLING), "the kit can fill the rooms in time", wait=0)
    for _ in range(8):  # a live message behind the stall shows what was left out; a Ping keeps the client alive
        stalled.ping()
        fence = await case.say(speaker, rooms[0])
        if await case.until(partial(_over, stalled, fence.text), 0.5):
            break
    gone = LetGo(stalled.name, frozen.index, back.index, 4002, enough=addressed >= bound)
    await case.must(gone, "who stopped reading is let go", go_on=True, wait=0.5)
    await stalled.close()
    case.stated(Contiguous(conn=stalled.name), "what it could read has no hole", check="DISC-7.no-hole")
    reader = await case.client(receive_buffer=65536)
    joins = [reader.join(room) for room in rooms]
    await read_slowly(case, reader, lambda: all(op.finished for op in joins))
    whole = {"tree": {"recovered": False, "messages": {"len": limits["history"]}}}
    for op in joins:
        await case.answered(op, whole, check="DISC-10.eight-joins", says="a slow reader is given a room of large texts")


def _over(client: Client, text: str) -> bool:
    return client.ended or text in client.heard


async def read_slowly(case: Case, client: Client, enough: Callable[[], bool]) -> None:
    """Read at `PACE` on average, in small sips, and answer Pings as they come; after a second in which all that was
    asked for piles up, for a server that is slow today would be read as fast as it answers.
    """
    connection = client.connection
    assert connection is not None
    client.slow()
    connection.pause_reading()
    await case.wait(1.0, "answers pile up")
    case.mark(f"{client.name} reads {PACE / 1e6:g} MB/s")
    begin, taken = case.watch.now(), connection.bytes_in
    async with case.parked(4.0, "reading slowly"):
        while not enough() and not client.ended and case.watch.now() < begin + 20:
            connection.resume_reading()
            await case.until(enough, 0.002)
            connection.pause_reading()
            ahead = (connection.bytes_in - taken) / PACE - (case.watch.now() - begin)
            await case.until(enough, max(0.002, ahead))
    connection.resume_reading()


# -- the server's own Close ------------------------------------------------------------------------------------


@scenario("DISC-11.no-answer", hostile=True, waits=lambda _: 10.0)
async def no_answer(case: Case) -> None:
    """A server that has sent Close ends TCP within 10 s, though the client answers nothing and leaves TCP open."""
    client = await case.member(case.room())
    client.ignore_close()
    begin = case.mark("a frame that no server may accept")

    def closed() -> bool:
        return client.ended or any(r.conn == client.name and r.data.get("opcode") == CLOSE for r in case.transcript)

    for payload, opcode, mask in ((b"\xff\xfe", 1, True), (b"", 3, True), (b"", 1, False)):
        client.frame(opcode, payload, mask=mask)
        if await case.until(closed, 1.0):
            break
    await case.given(
        SaysClose(client.name, begin.index), "the server closes for a frame that it may not accept", wait=0
    )
    await case.must(EndsTcp(client.name), "the server ends TCP", wait=12.0)


@scenario("DISC-11.three-ways", needs="native", waits=lambda _: 10.5)
async def three_ways(case: Case) -> None:
    """TCP ends within 10 s of the server's Close, whether the client is silent, goes on sending, or does not read."""
    silent, sending, stalled = clients = [case.stranger() for _ in range(3)]
    for client in clients:
        await client.connect()
        client.ignore_close()
        client.begin("ping")
    stalled.freeze()
    begin = case.watch.now()
    for client in (silent, sending):
        await case.given(SaysClose(client.name, 0), "the first frame was no hello, so the server closes")
    while case.watch.now() < begin + 10.5:
        sending.ping()
        await case.wait(0.5, "the server has sent Close")
    for client in (silent, sending):
        await case.must(EndsTcp(client.name), f"{client.name}'s TCP connection ends", wait=2.0)
    back = stalled.thaw()
    judge = Ends(stalled.name, back.index, tcp=True, latest=1.0)
    await case.must(judge, "the connection of who does not read has ended meanwhile", wait=2.0)
