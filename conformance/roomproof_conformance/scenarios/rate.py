"""The rate limit: exactly so many per window, shared by what is one user, never refused wrongly.

Judged by the interval oracle, so that no latency has to be guessed. The scope that the target
claims is what it is held to; a target whose users are connections is judged by connection.
"""

from __future__ import annotations

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.dialects import Claims, RateLimit
from roomproof_conformance.judges import AtMost, BurstRefused, Ends, MustAdmit, Opens, Paced, Replied
from roomproof_conformance.judges.rate import Late
from roomproof_conformance.judges.replay import Claimed

TRY_EVERY = 0.05
"""Seconds between attempts of the sustained probe (section 6)."""

MINT_GUESTS = 8
"""New guests of one address: more than the kit needs to see that the server is ready."""
MINT = {
    "conns": 20,
    "guests": {"count": MINT_GUESTS, "window_ms": 600_000},
    "messages": {"count": 100, "window_ms": 1000},
}


def limit_of(case: Case) -> RateLimit:
    """The claimed limit; the capability `rate_limit` says that there is one."""
    limit = case.claims.rate_limit
    assert limit is not None
    return limit


def numbers(case: Case, ops: list[Op]) -> tuple[int, float, list[int]]:
    """What the judges want: how many, per how many seconds, and which attempts."""
    limit = limit_of(case)
    return limit.burst or 0, limit.per or 0.0, [op.index for op in ops]


def window(claims: Claims) -> float:
    """Seconds of one window."""
    return (claims.rate_limit.per if claims.rate_limit else None) or 0.0


@scenario("RATE-1.burst", needs="rate_limit counted_limit refusals")
async def burst(case: Case) -> None:
    """Of one message more than allowed, all sent at once by a user silent before, exactly the last is refused."""
    room = case.room()
    speaker, _witness = await case.members(room, 2)
    ops = [speaker.send(room) for _ in range((limit_of(case).burst or 0) + 1)]
    await case.must(BurstRefused(*numbers(case, ops)), "one too many is refused, the others are not")


@scenario(
    "RATE-1.sustained",
    "RATE-2.sustained",
    "RATE-8.rejected-tries",
    needs="rate_limit counted_limit refusals",
    waits=lambda claims: 3 * window(claims),
    titles={
        "RATE-2.sustained": "However fast a user tries, none is refused while fewer than allowed stand in the window.",
        "RATE-8.rejected-tries": "Refused tries do not keep the block alive: who goes on trying gets the full rate.",
    },
)
async def sustained(case: Case) -> None:
    """However long a user keeps trying too fast, no window holds more than allowed."""
    room = case.room()
    speaker, _witness = await case.members(room, 2)
    seconds = 3 * window(case.claims)
    ops: list[Op] = []
    begin = case.watch.now()
    while case.watch.now() < begin + seconds and not speaker.ended:
        ops.append(speaker.send(room))
        await case.wait(TRY_EVERY, "tries go on")
    most, per, attempts = numbers(case, ops)
    await case.must(AtMost(most, per, attempts), "no window holds more than allowed", go_on=True)
    await case.must(
        MustAdmit(most, per, attempts),
        "none is refused without cause",
        check="RATE-2.sustained",
        go_on=True,
        wait=1.0,
    )
    paced = Paced(most, per, attempts, seconds=seconds)
    await case.must(paced, "the full rate gets through", check="RATE-8.rejected-tries", wait=1.0)


@scenario("RATE-1.edge", needs="rate_limit counted_limit refusals", waits=window)
async def edge(case: Case) -> None:
    """A full number late in one second and again early in the next are too many in one: no window begins anew."""
    room = case.room()
    speaker, _witness = await case.members(room, 2)
    most, per = limit_of(case).burst or 0, window(case.claims)
    ops = [speaker.send(room)]
    await case.wait(0.9 * per, "the first window is nearly over")
    ops += [speaker.send(room) for _ in range(most - 1)]
    await case.wait(0.11 * per, "a window that began with the first message is over")
    ops += [speaker.send(room) for _ in range(most)]
    await case.must(AtMost(*numbers(case, ops)), "no more than allowed around the edge")


@scenario("RATE-2.after-silence", needs="rate_limit counted_limit refusals", waits=window)
async def after_silence(case: Case) -> None:
    """After a window of silence a user may send the full number again."""
    room = case.room()
    speaker, _witness = await case.members(room, 2)
    most = limit_of(case).burst or 0
    first = [speaker.send(room) for _ in range(most + 1)]
    await case.given(AtMost(*numbers(case, first)), "the first burst is limited")
    await case.wait(window(case.claims) + 0.1, "the window passes in silence")
    again = [speaker.send(room) for _ in range(most)]
    await case.must(MustAdmit(*numbers(case, again)), "the window is free again")


@scenario("RATE-3.two-rooms", needs="rate_limit multi_room counted_limit refusals limit_by_user")
async def two_rooms(case: Case) -> None:
    """Messages to two rooms count together."""
    rooms = [case.room(), case.room()]
    speaker, witness = await case.members(rooms[0], 2)
    for client in (speaker, witness):
        await case.given_join(client, rooms[1])
    ops = [speaker.send(rooms[n % 2]) for n in range((limit_of(case).burst or 0) + 1)]
    await case.must(BurstRefused(*numbers(case, ops)), "the sixth is refused, whichever the room")


@scenario("RATE-4.two-connections", needs="rate_limit same_user counted_limit refusals limit_by_user")
async def two_connections(case: Case) -> None:
    """One user's messages over two connections count together."""
    room = case.room()
    await case.member(room)
    pair = [await case.member(room, user="twin") for _ in range(2)]
    ops = [pair[n % 2].send(room) for n in range(2 * (limit_of(case).burst or 0))]
    await case.must(BurstRefused(*numbers(case, ops)), "two connections of one user share one limit")


@scenario("RATE-5.two-users", needs="rate_limit counted_limit refusals")
async def two_users(case: Case) -> None:
    """Two users from one address each may send the full number at once."""
    room = case.room()
    speakers = await case.members(room, 2)
    await case.member(room)
    ops = [speaker.send(room) for _ in range(limit_of(case).burst or 0) for speaker in speakers]
    for speaker in speakers:
        own = [op for op in ops if op.client is speaker]
        await case.must(MustAdmit(*numbers(case, own)), f"{speaker.name} is not limited by the other")


@scenario("RATE-11.reconnect", needs="rate_limit same_user counted_limit refusals limit_by_user")
async def reconnect(case: Case) -> None:
    """Who reconnects does not find the window refilled."""
    room = case.room()
    await case.member(room)
    first = await case.member(room, user="twin")
    second = await case.member(room, user="twin")
    ops = [first.send(room) for _ in range(limit_of(case).burst or 0)]
    await case.given(MustAdmit(*numbers(case, ops)), "the first connection uses the window up")
    await first.close()
    third = await case.member(room, user="twin")
    ops += [third.send(room), second.send(room)]
    await case.must(BurstRefused(*numbers(case, ops)), "the new connection is refused inside the old window")


async def limited(case: Case) -> tuple[Client, Client, str]:
    """A speaker and a witness in a room where the limit holds; who came first asked for it where one must ask."""
    room = case.room()
    witness, speaker = await case.members(room, 2)
    if witness.offers("rate_limit.setup"):
        await case.given(Replied(witness.begin("rate_limit.setup", room=room).index, ok=True), "the limit can be set")
        await case.wait(0.3, "it takes effect")
    return speaker, witness, room


@scenario(
    "RATE-1.by-effect",
    "RATE-2.by-effect",
    needs="rate_limit counted_limit other_effect",
    conns=3,
    waits=window,
    titles={"RATE-2.by-effect": "As many messages at once as are allowed all reach the others."},
)
async def by_effect(case: Case) -> None:
    """One message more than allowed has the effect that is promised: late or lost, its sender thrown out or gone."""
    limit = limit_of(case)
    count = limit.burst or 0
    speaker, witness, room = await limited(case)
    begin = case.mark("a burst begins")
    ops = [speaker.send(room) for _ in range(count + 1)]
    allowed = [op.text for op in ops[:count]]
    await case.in_order(witness, room, allowed, after=begin, check="RATE-2.by-effect", go_on=True)
    if limit.effect == "delay":
        await case.delivered(ops[-1], [witness])
    elif limit.effect == "kicked":
        await case.told(speaker, {"kind": "kicked", "room": room}, after=begin, says="the sender is thrown out")
    elif limit.effect == "disconnect":
        await case.ended(speaker, after=begin, says="the sender is disconnected")
    if limit.effect != "delay":
        fence = await case.say(await case.member(room), room)
        await case.delivered(fence, [witness], role="given")
        lost = {"kind": "message", "text": ops[-1].text}
        case.never(witness, lost, fence=fence, after=begin, says="what is over the limit is lost")
    await case.must(AtMost(*numbers(case, ops)), "no more than allowed come through at once", wait=0)


BYTES_TEXT = 500
"""Characters of each message of the burst that is slowed down."""


SECONDS_OVER = 3.0
"""Seconds of the claimed rate by which that burst is larger than what passes at once."""


def slowed(claims: Claims) -> float:
    """Seconds that the burst of `bytes_come_late` takes at the claimed rate."""
    return SECONDS_OVER if claims.rate_limit and claims.rate_limit.allow and claims.rate_limit.per else 0.0


@scenario(
    "RATE-1.bytes",
    "RATE-2.nothing-lost",
    needs="rate_limit slowed_bytes",
    conns=2,
    waits=slowed,
    titles={"RATE-2.nothing-lost": "However many bytes come at once, every message arrives, in order."},
)
async def bytes_come_late(case: Case) -> None:
    """Of more bytes than are allowed at once the last come as late as the claimed rate makes them, and no earlier."""
    limit = limit_of(case)
    rate = (limit.allow or 0) / (limit.per or 1.0)
    speaker, witness, room = await limited(case)
    whole = (limit.capacity or 0) + SECONDS_OVER * rate if rate else 20 * BYTES_TEXT
    texts = [case.text().ljust(BYTES_TEXT, "x") for _ in range(int(whole // BYTES_TEXT) + 1)]
    begin = case.mark("more than is allowed at once")
    for text in texts:
        speaker.send(room, text)
    patience = case.patience + 3 * SECONDS_OVER
    await case.in_order(witness, room, texts, after=begin, check="RATE-2.nothing-lost", go_on=True, wait=patience)
    await case.given(Claimed("rate_limit.allow", limit.allow), "the target says how many bytes", wait=0)
    late = Late(witness.name, texts[-1], begin.index, (len(texts) * BYTES_TEXT - (limit.capacity or 0)) / rate)
    await case.must(late, "the last message comes no earlier than the rate allows", wait=0)


WAITS = 3
"""How often the wait of a refusal is tried: one that is a little too short hides behind a delay of the kit's own."""


@scenario("RATE-6.refusal", "RATE-7.wait", needs="native", waits=lambda claims: WAITS * window(claims), titles={
    "RATE-7.wait": "One message sent `retry_after_ms` after the refusal, with nothing else in between, is admitted.",
})  # fmt: skip
async def refusal(case: Case) -> None:
    """The refusal is a non-fatal `rate_limited` that says how long to wait and what the limit is."""
    room = case.room()
    speaker = await case.member(room)
    limit = case.advertised["limits"]["messages"]
    ops = [speaker.send(room) for _ in range(limit["count"] + 1)]
    refused = ops[-1]
    form = {
        "type": "error",
        "code": "rate_limited",
        "fatal": False,
        "retryable": True,
        "limit": {"eq": limit},
    }
    wait = {"all_of": [{"is": "integer"}, {"ge": 1}, {"le": limit["window_ms"]}]}
    await case.refused(refused, {"kind": "rate_limited", "tree": {**form, "retry_after_ms": wait}})
    for _ in range(WAITS):
        await case.wait(refused.field("retry_after_ms") / 1000 + 0.025, "as long as the refusal says")
        await case.answered(speaker.send(room), check="RATE-7.wait", says="sent after the wait it is admitted")
        refused = [speaker.send(room) for _ in range(limit["count"] + 1)][-1]
        await case.refused(refused, {"kind": "rate_limited"}, role="given")


@scenario("RATE-9.duplicates", needs="native")
async def duplicates(case: Case) -> None:
    """With the quota used up, a repeated `mid` is still answered, and other requests too."""
    room = case.room()
    speaker = await case.member(room)
    count = limit_of(case).burst or 0
    ops = [speaker.send(room, mid=f"duplicate-{n}-{room}") for n in range(count)]
    for op in ops:
        await case.answered(op, {"tree": {"duplicate": False}}, role="given")
    await case.refused(speaker.send(room), {"code": "rate_limited"}, role="given")
    for op in ops:
        again = speaker.send(room, op.text, mid=op.args["mid"])
        await case.answered(again, {"tree": {"duplicate": True, "seq": op.field("seq"), "ts": op.field("ts")}})
    await case.answered(speaker.begin("ping"))
    await case.answered(speaker.begin("presence", room=room))


@scenario("RATE-9.free", needs="native", waits=window)
async def free_requests(case: Case) -> None:
    """Neither duplicates nor other requests use up the quota."""
    room = case.room()
    speaker = await case.member(room)
    first = speaker.send(room, mid=f"free-{room}")
    await case.answered(first, role="given")
    for _ in range(3):
        speaker.send(room, first.text, mid=f"free-{room}")
        speaker.begin("ping")
        speaker.begin("history", room=room)
        speaker.join(room)
    rest = [speaker.send(room) for _ in range((limit_of(case).burst or 1) - 1)]
    await case.must(MustAdmit(*numbers(case, [first, *rest])), "the rest of the quota is still there")


@scenario("RATE-10.refused-are-free", needs="native")
async def refused_are_free(case: Case) -> None:
    """A `send` refused for another reason does not use up the quota."""
    room, elsewhere = case.room(), case.room()
    speaker = await case.member(room)
    for op in (
        speaker.send(room, ""),
        speaker.send(room, "bell\x07"),
        speaker.send(room, "x" * 5000),
        speaker.send(elsewhere),
        speaker.send("NOT a room"),
        speaker.send(room, mid="short"),
    ):
        await case.refused(op, role="given")
    ops = [speaker.send(room) for _ in range(limit_of(case).burst or 0)]
    await case.must(MustAdmit(*numbers(case, ops)), "the full quota is still there")


@scenario(
    "RATE-14.guests", settings={"per_address": MINT, "heartbeat": None, "hello_ms": None}, needs="native", conns=3
)
async def minted_guests(case: Case) -> None:
    """Where limits per address hold, one new guest too many is refused with 429 or closed 4230; a known one is not."""
    known = await case.client(user="guest")
    who = known.session.identity
    for _ in range(MINT_GUESTS - 1):
        newcomer = case.stranger()
        if await newcomer.connect():
            await case.identify(newcomer)
        await newcomer.close()
    late = case.stranger()
    if await late.connect():
        case.identify(late)
        await case.must(Ends(late.name, codes=[4230]), "one new guest too many is turned away")
    else:
        await case.must(Opens(late.name, [429]), "one new guest too many is turned away", wait=0)
    again = case.stranger(user="guest")
    await again.connect()
    await case.answered(case.identify(again), {"tree": {"user": {"id": {"eq": who}}}}, says="who is known comes back")


@scenario("RATE-12.flood", needs="native", hostile=True)
async def flood(case: Case) -> None:
    """A client that sends three times `frames.burst` messages at once is closed 4229."""
    room = case.room()
    flooder, witness = await case.members(room, 2)
    begin = case.mark("the flood begins")
    for _ in range(3 * case.advertised["limits"]["frames"]["burst"]):
        flooder.begin("ping")
    await case.ended(flooder, codes=[4229], after=begin, says="a flood is closed")
    await case.usable(witness, room, await case.member(room))


@scenario("RATE-12.permitted-pace", needs="native", waits=lambda _: 4.0)
async def permitted_pace(case: Case) -> None:
    """A client at half the rate and half the burst is never closed for it."""
    room = case.room()
    client, witness = await case.members(room, 2)
    frames = case.advertised["limits"]["frames"]
    for _ in range(frames["burst"] // 2):
        client.begin("ping")
    steps = 20
    for _ in range(steps):
        await case.wait(4.0 / steps, "half the permitted rate")
        for _ in range(int(4.0 / steps * frames["rate"] / 2)):
            client.begin("ping")
    await case.answered(client.begin("ping"), role="must")
    case.still_open(client)
    await case.usable(client, room, witness)


@scenario("RATE-13.three-hundred-refusals", needs="native", conns=3, waits=lambda _: 10.0)
async def three_hundred_refusals(case: Case) -> None:
    """At the permitted pace nobody is closed for the first 300 `rate_limited` refusals in ten seconds."""
    room = case.room()
    client, witness = await case.members(room, 2)
    frames = case.advertised["limits"]["frames"]
    for _ in range(frames["burst"] // 2):
        client.send(room)
    sent, begin = 0, case.watch.now()
    while sent < 240 and not client.ended:
        await case.wait(0.2, "half the permitted rate")
        due = int((case.watch.now() - begin) * frames["rate"] / 2)
        for _ in range(due - sent):
            client.send(room)
        sent = due
    case.still_open(client)
    await case.wait(1.0, "the window passes")
    await case.usable(client, room, witness)
