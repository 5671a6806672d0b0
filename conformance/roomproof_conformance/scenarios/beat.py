"""The heartbeat: the dead are found, the living are kept, and an open socket means membership.

What keeps a client alive is what the target claims: WebSocket pongs, answers to its own kind of
ping, or frames that a client must send by itself.
"""

from __future__ import annotations

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.dialects import Claims, Heartbeat
from roomproof_conformance.judges import Arrives, Ends, Pings, Pongs, Replied, Stays
from roomproof_conformance.judges.membership import Hears, KeptWhileSending, SpreadPings, TicksWhenIdle

SLACK = 2.0
"""Seconds of slack that the protocol grants to bounds on time."""


def beat_of(claims: Claims) -> Heartbeat:
    assert claims.heartbeat is not None
    return claims.heartbeat


def times(claims: Claims) -> tuple[float, float]:
    """Interval and timeout in seconds; 0 where nothing is claimed."""
    beat = claims.heartbeat
    return ((beat.interval or 0.0), (beat.timeout or 0.0)) if beat else (0.0, 0.0)


def one_round(claims: Claims) -> float:
    return sum(times(claims)) + SLACK


def three_rounds(claims: Claims) -> float:
    return 3 * sum(times(claims))


@scenario("BEAT-1.idle", needs="heartbeat server_heartbeat", waits=lambda c: times(c)[0] * 2 + SLACK)
async def pings_come(case: Case) -> None:
    """An idle connection gets the server's sign of life at least every interval."""
    interval, _timeout = times(case.claims)
    client = await case.member(case.room())
    sign = "ping" if beat_of(case.claims).frame == "ping" else "heartbeat"
    begin = case.mark("idle from here")
    await case.wait(interval * 2 + SLACK, "idle")
    end = case.mark("idle until here")
    await case.must(Pings(client.name, begin.index, end.index, interval + SLACK, sign), "signs of life come", wait=0)


@scenario("BEAT-2.pong")
async def pong(case: Case) -> None:
    """A WebSocket Ping is answered by a Pong of equal payload within a second."""
    client = await case.member(case.room())
    for payload in (b"", b"roomproof", bytes(range(125))):
        sent = client.ping(payload)
        await case.must(Pongs(client.name, sent.index), f"a Ping of {len(payload)} bytes is answered")


@scenario("BEAT-2.several", needs="native")
async def several_pings(case: Case) -> None:
    """Of several Pings pending at once the latest is answered."""
    client = await case.member(case.room())
    sent = [client.ping(f"ping {n}".encode()) for n in range(5)]
    await case.must(Pongs(client.name, sent[-1].index), "the latest is answered")


@scenario("BEAT-2.request", needs="native")
async def ping_request(case: Case) -> None:
    """The request `ping` is answered by `pong` within a second, with the server's time."""
    client = await case.client()
    op = client.begin("ping")
    now = {"all_of": [{"is": "integer"}, {"ge": 1}]}
    await case.told(client, {"kind": "pong", "tree": {"type": "pong", "re": op.ref, "now": now}}, after=op, within=1.0)


@scenario("BEAT-3.tick", needs="native", waits=lambda c: times(c)[0] * 2 + SLACK)
async def tick(case: Case) -> None:
    """An idle client gets an application frame at least every interval."""
    interval, _timeout = times(case.claims)
    client = await case.client()
    begin = case.mark("idle from here")
    await case.wait(interval * 2 + SLACK, "idle")
    end = case.mark("idle until here")
    await case.must(Pings(client.name, begin.index, end.index, interval + SLACK, "data"), "ticks come", wait=0)


@scenario("BEAT-3.busy", needs="native", waits=lambda c: times(c)[0] * 2.5)
async def no_tick_while_busy(case: Case) -> None:
    """While other frames flow there is no `tick`."""
    interval, _timeout = times(case.claims)
    room = case.room()
    speaker, listener = await case.members(room, 2)
    begin = case.mark("busy from here")
    deadline = case.watch.now() + 2.5 * interval
    while case.watch.now() < deadline:
        await case.say(speaker, room)
        await case.wait(min(0.3, interval / 4), "a busy room")
    last = await case.say(speaker, room)
    await case.delivered(last, [listener], role="given")
    judge = TicksWhenIdle(listener.name, interval, begin.index, case.mark("busy until here").index)
    await case.must(judge, "no tick in a busy room", wait=0)


@scenario("BEAT-4.mute", needs="heartbeat", waits=one_round)
async def mute(case: Case) -> None:
    """A client from which nothing comes any more is closed, not before the timeout and not long after."""
    interval, timeout = times(case.claims)
    beat = beat_of(case.claims)
    client = await case.member(case.room())
    last = client.mute(pongs=beat.frame != "keepalive")
    await case.ended(
        client,
        codes=[beat.code] if beat.code else [],
        tcp=True,
        after=last,
        earliest=timeout if beat.frame != "keepalive" else None,
        latest=interval + timeout + SLACK,
        wait=interval + timeout + SLACK + 1.0,
        says="a dead client is let go",
    )


@scenario("BEAT-4.half-open", needs="heartbeat", waits=lambda c: one_round(c) + 1)
async def half_open(case: Case) -> None:
    """A client that neither reads nor writes any more is let go as well."""
    client = await case.member(case.room())
    client.freeze()
    await case.wait(one_round(case.claims) + 0.5, "nobody is there")
    back = client.thaw()
    judge = Ends(client.name, back.index, tcp=True, latest=1.0)
    await case.must(judge, "it was let go meanwhile", wait=2.0)


def until_shown(claims: Claims) -> float:
    """The most seconds until a room is told of a silent loss (DISC-3)."""
    return one_round(claims) + ((claims.presence.grace if claims.presence else None) or 0.0)


@scenario("BEAT-4.full-buffers", needs="native", conns=4, waits=until_shown)
async def full_buffers(case: Case) -> None:
    """A dead client is let go although everything between it and the server is full."""
    room = case.room()
    watcher = await case.member(room)
    limits = case.advertised["limits"]
    big = "x" * limits["text_bytes"]
    while len(watcher.heard) < limits["history"]:
        sender = await case.member(room, user=f"sender {len(watcher.heard)}")
        texts = [case.text() for _ in range(limits["messages"]["count"])]
        ops = [sender.send(room, text + big[len(text) :]) for text in texts]
        await case.delivered(ops[-1], [watcher], role="given")
        await sender.close()
    dead = await case.client(receive_buffer=4096)
    dead.freeze()
    for _ in range(12):
        dead.join(room)
    who = dead.session.identity
    await case.told(watcher, {"kind": "joined", "from": who}, says="it has joined", role="given")
    last = case.mark("nobody is there, and everything is full")
    bound, gone = until_shown(case.claims), {"kind": "left", "from": who}
    deadline = case.watch.now() + bound + 1

    def told() -> bool:
        later = case.transcript.records[last.index :]
        return any(r.conn == watcher.name and r.data.get("kind") == "left" for r in later)

    async with case.parked(bound + 1, "the room is to be told that it is gone"):
        while not told() and case.watch.now() < deadline:
            watcher.begin("ping")  # by whatever the server knows the living, the watcher is one
            await case.until(told, times(case.claims)[1] / 2)
    judge = Arrives(watcher.name, gone, last.index, within=bound)
    await case.must(judge, "the room is told that it is gone", wait=0)


@scenario("BEAT-5.silent-member", needs="heartbeat", waits=three_rounds)
async def silent_member(case: Case) -> None:
    """A client that only answers the server stays a member: as long as its socket is open it hears the room."""
    interval, timeout = times(case.claims)
    room = case.room()
    silent = await case.member(room)
    begin = silent.mute(pongs=False, reactions=False)
    may_end = beat_of(case.claims).frame == "keepalive"
    texts: list[str] = []
    deadline = case.watch.now() + three_rounds(case.claims)
    while case.watch.now() < deadline and not silent.ended:
        await case.wait(min(max(interval, timeout) / 4, deadline - case.watch.now()), "the member is silent")
        texts.append(await newcomers_talk(case, room))
        await case.must(
            Hears(silent.name, room, list(texts), begin.index, may_end=may_end), "an open socket is a member"
        )
    if not silent.ended:
        await heard_and_hears(case, silent, room)


async def newcomers_talk(case: Case, room: str) -> str:
    """Two clients that have just joined exchange a message in the room, whoever else is in it; its text."""
    speaker, witness = await case.members(room, 2)
    op = await case.say(speaker, room)
    await case.delivered(op, [witness], role="given")
    await speaker.close()
    await witness.close()
    return op.text


async def heard_and_hears(case: Case, client: Client, room: str) -> None:
    """The client and a newcomer hear each other."""
    newcomer = await case.member(room)
    await case.usable(client, room, newcomer)


@scenario("BEAT-5.claimed-heartbeat", needs="heartbeat", waits=three_rounds)
async def claimed_heartbeat(case: Case) -> None:
    """A client that does exactly what the server asks for to stay alive stays connected and a member."""
    room = case.room()
    client = await case.member(room)
    if beat_of(case.claims).frame != "keepalive":
        client.mute(pongs=False, reactions=False)
    wait = three_rounds(case.claims)
    async with case.parked(wait, "a heartbeat and nothing else"):
        await case.until(lambda: client.ended, wait)
    case.still_open(client)
    await heard_and_hears(case, client, room)


@scenario("BEAT-6.frames-only", needs="native", waits=lambda c: 2 * sum(times(c)) + SLACK)
async def frames_only(case: Case) -> None:
    """A client that ignores Pings but sends application frames in time is kept."""
    _interval, timeout = times(case.claims)
    room = case.room()
    client, witness = await case.members(room, 2)
    begin = client.mute()
    deadline = case.watch.now() + 2 * sum(times(case.claims)) + SLACK
    while case.watch.now() < deadline and not client.ended:
        client.begin("ping")
        await case.wait(timeout * 0.5, "application frames, no pongs")
    client.begin("ping")
    judge = KeptWhileSending(client.name, timeout, begin.index, case.mark("until here").index)
    await case.must(judge, "application frames keep it", wait=0)
    await case.given(Stays(witness.name), f"{witness.name}, who answers Pings, is there", wait=0)
    await case.usable(client, room, witness)


@scenario("BEAT-7.one-second", needs="native", settings={"heartbeat": {"interval_ms": 1000, "timeout_ms": 1000}})
async def one_second(case: Case) -> None:
    """The heartbeat can be set to one second, and `welcome` says so."""
    stranger = case.stranger()
    await stranger.connect()
    heartbeat = {"interval_ms": 1000, "timeout_ms": 1000}
    await case.answered(case.identify(stranger), {"tree": {"type": "welcome", "heartbeat": {"eq": heartbeat}}})


@scenario("BEAT-7.default", needs="native", settings={"heartbeat": None})
async def default_interval(case: Case) -> None:
    """A server that is not told its heartbeat has an interval of at most twenty seconds."""
    stranger = case.stranger()
    await stranger.connect()
    hello = await case.answered(case.identify(stranger), role="given")
    at_most = {"tree": {"heartbeat": {"interval_ms": {"le": 20_000}}}}
    await case.should(Replied(hello.index, at_most, ok=True), "its interval is twenty seconds or less", wait=0)


@scenario("BEAT-8.busy-room", needs="heartbeat server_heartbeat", conns=8, waits=lambda c: one_round(c) + 1)
async def busy_room(case: Case) -> None:
    """In a busy room signs of life keep flowing, and a client that reads is not closed."""
    interval, _timeout = times(case.claims)
    room = case.room()
    reader = await case.member(room)
    speakers = await case.members(room, 6)
    sign = "ping" if beat_of(case.claims).frame == "ping" else "heartbeat"
    begin = case.mark("busy from here")
    deadline = case.watch.now() + one_round(case.claims) + 1
    while case.watch.now() < deadline and not reader.ended:
        for speaker in speakers:
            await case.say(speaker, room)
        await case.wait(0.3, "a busy room")
    end = case.mark("busy until here")
    case.still_open(reader)
    await case.must(
        Pings(reader.name, begin.index, end.index, interval + SLACK, sign),
        "signs of life keep coming",
        wait=0,
    )


@scenario("BEAT-9.spread", needs="native", conns=20, waits=lambda c: times(c)[0] + 0.5)
async def spread(case: Case) -> None:
    """The first Pings of many connections that came together are spread over half the interval to the whole."""
    interval, _timeout = times(case.claims)
    clients = [await case.client() for _ in range(20)]
    await case.wait(interval + 0.3, "the first Pings")
    judge = SpreadPings([c.name for c in clients], interval)
    await case.must(judge, "first Pings are spread", wait=0)
