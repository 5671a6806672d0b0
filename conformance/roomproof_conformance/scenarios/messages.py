"""Messages: delivered once, numbered without holes, seen by everybody in one order."""

from __future__ import annotations

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario, watch
from roomproof_conformance.judges import Arrives, Contiguous, Order
from roomproof_conformance.judges.numbering import OneOrder, OneStream, TimesRise
from roomproof_conformance.judges.replay import Page
from roomproof_conformance.judges.sending import Acknowledged, NoTrace

from .history import few

watch("MSG-1.everywhere")(Acknowledged)
watch("MSG-5.everywhere")(Contiguous)
watch("MSG-6.everywhere", needs="numbering")(OneStream)
watch("MSG-8.everywhere")(TimesRise)


def burst(case: Case, wanted: int) -> int:
    """How many messages one user may send at once: what the target claims, at most `wanted`."""
    limit = case.claims.pace
    return wanted if limit is None or limit.burst is None else max(1, min(wanted, limit.burst))


def hearers(case: Case, speaker: Client, others: list[Client]) -> list[Client]:
    """Who is to hear a message of `speaker`: itself too, unless the target never echoes."""
    return [speaker, *others] if case.target.dialect.echo == "self" else others


async def crossfire(case: Case, room: str, speakers: list[Client], rounds: int) -> list[Op]:
    """All speakers speak at the same time, without waiting for each other or for answers."""
    return [await case.say(speaker, room) for _ in range(rounds) for speaker in speakers]


async def _heard_by(case: Case, ops: list[Op], listener: Client) -> None:
    for op in ops:
        await case.delivered(op, [listener], role="given")


@scenario("MSG-1.acknowledged", needs="native")
async def acknowledged(case: Case) -> None:
    """`sent` carries the epoch, seq and ts that the message itself has, and answers each of several in flight."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    ops = [speaker.send(room, mid=f"mid-{n}-{case.text()}" if n % 2 else None) for n in range(burst(case, 5))]
    for op in ops:
        numbers = {"seq": {"is": "integer"}, "ts": {"is": "integer"}, "epoch": {"is": "string"}}
        await case.answered(op, {"tree": {"type": "sent", "re": op.exchange.ref, "room": room, **numbers}})
        await case.delivered(op, [listener, speaker], role="given")
    await case.must(Acknowledged([op.index for op in ops]), "each sent is about its message")


@scenario("MSG-2.once", needs="rooms", conns=4)
async def once(case: Case) -> None:
    """Every member, the sender where the server echoes included, gets a message exactly once."""
    room = case.room()
    speaker, *others = await case.members(room, 4)
    op = await case.say(speaker, room)
    await case.delivered(op, hearers(case, speaker, others))
    fence = await case.say(others[0], room)
    await case.delivered(fence, list(others[1:]), role="given")


@scenario("MSG-2.many", needs="rooms", conns=6)
async def many(case: Case) -> None:
    """When several speak at the same time every member gets every message, each exactly once."""
    room = case.room()
    speakers = await case.members(room, 4)
    listeners = await case.members(room, 2)
    for op in await crossfire(case, room, speakers, burst(case, 4)):
        others = [speaker for speaker in speakers if speaker is not op.client]
        await case.delivered(op, hearers(case, op.client, others + listeners))
    fence = await case.say(speakers[0], room)
    await case.delivered(fence, listeners, role="given")


@scenario("MSG-2.each-connection", needs="rooms same_user", conns=4)
async def each_connection(case: Case) -> None:
    """Each connection of a user that is in the room gets the message, not only one of them."""
    room = case.room()
    speaker = await case.member(room)
    twins = [await case.member(room, user="twin") for _ in range(2)]
    op = await case.say(speaker, room)
    await case.delivered(op, twins)
    own = await case.say(twins[0], room)
    await case.delivered(own, [*hearers(case, twins[0], [twins[1]]), speaker])
    fence = await case.say(speaker, room)
    await case.delivered(fence, twins, role="given")


@scenario("MSG-3.from-one", needs="native")
async def from_one(case: Case) -> None:
    """The messages of a new room are numbered 1, 2, 3, …, whoever sends them, in one epoch."""
    room = case.room()
    watcher = await case.client()
    epoch = (await case.given_join(watcher, room)).field("epoch")
    texts = await case.fill(room, 12, watcher=watcher)
    for number, text in enumerate(texts, 1):
        here = {"kind": "message", "text": text, "seq": number, "epoch": epoch}
        await case.must(Arrives(watcher.name, here), f"message {number} is numbered so")


@scenario("MSG-3.rooms-apart", needs="native")
async def rooms_apart(case: Case) -> None:
    """Each room counts for itself: messages of one take no numbers of another."""
    one, two = case.room(), case.room()
    speaker = await case.member(one)
    await case.given_join(speaker, two)
    for number in (1, 2):
        for room in (one, two):
            await case.answered(await case.say(speaker, room), {"room": room, "seq": number})


async def _begun(case: Case, **first: str) -> tuple[Op, Client]:
    """A room with one message, acknowledged, and a member who has seen it."""
    room = case.room()
    speaker, watcher = await case.members(room, 2)
    op = await case.answered(await case.say(speaker, room, **first), role="given")
    await case.delivered(op, [watcher], role="given")
    return op, watcher


async def _without_trace(case: Case, first: Op, watcher: Client, refused: list[Op]) -> None:
    """State that the refused sends took no number and are nowhere; `first` was sent before them."""
    room = str(first.args["room"])
    second = await case.say(first.client, room)
    here = {"kind": "message", "text": second.text, "seq": first.field("seq", 0) + 1}
    await case.must(Arrives(watcher.name, here), "the next message has the next number")
    newcomer = await case.client()
    page = Page(newcomer.join(room).index, ok=True, texts=[first.text, second.text], numbered=False, ordered=False)
    await case.must(page, "the room keeps these two messages")
    judge = NoTrace([op.index for op in refused], least=len(refused))
    await case.must(judge, "what was refused came to nobody")


@scenario("MSG-4.invalid", needs="native", conns=4)
async def invalid(case: Case) -> None:
    """What is refused as an invalid or too long text, or for another member, takes no number and is nowhere."""
    first, watcher = await _begun(case)
    room = str(first.args["room"])
    bad = await case.member(room)
    longest = case.claims.sizes.text_bytes or 4096
    texts = ["", f"{case.text()}\x07", f"{case.text()}\r", case.text().ljust(longest + 1, "x")]
    ops = [bad.send(room, text) for text in texts] + [bad.send(room, mid="short")]
    for op in ops:
        codes = {"in": ["invalid_text", "text_too_long", "invalid_message"]}
        await case.refused(op, {"code": codes}, role="given")
    await _without_trace(case, first, watcher, ops)


@scenario("MSG-4.not-joined", needs="native", conns=4)
async def not_joined(case: Case) -> None:
    """What an outsider sends, or one who has left, takes no number and is nowhere."""
    first, watcher = await _begun(case)
    room = str(first.args["room"])
    outsider = await case.client()
    ops = [outsider.send(room)]
    await case.given_join(outsider, room)
    await case.answered(outsider.leave(room), role="given")
    ops.append(outsider.send(room, mid=f"mid-{case.text()}"))
    for op in ops:
        await case.refused(op, {"code": "not_joined"}, role="given")
    await _without_trace(case, first, watcher, ops)


@scenario("MSG-4.conflict", needs="native", conns=3)
async def conflict(case: Case) -> None:
    """What is refused for its `mid` takes no number and is nowhere."""
    mid = f"mid-{case.text()}"
    first, watcher = await _begun(case, mid=mid)
    op = first.client.send(str(first.args["room"]), mid=mid)
    await case.refused(op, {"code": "mid_conflict"}, role="given")
    await _without_trace(case, first, watcher, [op])


@scenario("MSG-4.rate-limited", needs="native", conns=4)
async def rate_limited(case: Case) -> None:
    """What is refused for its rate takes no number and is nowhere: those admitted follow each other."""
    room = case.room()
    speaker, watcher, other = await case.members(room, 3)
    ops = [speaker.send(room) for _ in range(burst(case, 100) + 3)]
    await case.refused(ops[-1], {"kind": "rate_limited"}, role="given", says="a burst is refused in part")
    fence = await case.say(other, room)
    await case.delivered(fence, [watcher], role="given")
    await case.must(Contiguous(room, watcher.name), "no number is left out")
    newcomer = await case.member(room)
    await case.delivered(await case.say(other, room), [newcomer], role="given")
    await case.must(NoTrace([op.index for op in ops]), "what was refused came to nobody, live or later")


@scenario("MSG-5.many-speakers", needs="native", conns=12)
async def many_speakers(case: Case) -> None:
    """On each connection the numbers rise by one, with many speakers at once and members who come late."""
    room = case.room()
    speakers = await case.members(room, 6)
    late: list[Client] = []
    ops: list[Op] = []
    for _ in range(3):
        ops += await crossfire(case, room, speakers, 1)
        late.append(await case.member(room))
    ops += await crossfire(case, room, speakers, 2)
    await _heard_by(case, ops, speakers[0])
    for listener in [*speakers, *late]:
        await case.delivered(ops[-1], [listener], role="given")
        await case.must(Contiguous(room, listener.name), f"no hole and no step back on {listener.name}")


@scenario("MSG-6.one-order", needs="rooms", conns=6)
async def one_order(case: Case) -> None:
    """When several speak at the same time all members see the same order, and the same sender of each message."""
    room = case.room()
    listeners = await case.members(room, 3)
    speakers = await case.members(room, 3)
    ops = await crossfire(case, room, speakers, burst(case, 5))
    for listener in listeners:
        await _heard_by(case, ops, listener)
    conns = [client.name for client in hearers(case, listeners[0], listeners[1:])]
    await case.must(OneOrder(room, conns, least=len(ops)), "one order for all")


@scenario("MSG-6.in-history", needs="rooms history", conns=6)
async def in_history(case: Case) -> None:
    """Who comes late is given the messages in the order in which the others saw them."""
    room = case.room()
    watcher = await case.member(room)
    speakers = await case.members(room, 3)
    ops = await crossfire(case, room, speakers[: few(case, 3)], few(case, burst(case, 12) * 3) // 3 or 1)
    await _heard_by(case, ops, watcher)
    late = await case.client(room)
    op = await late.join(room)
    history = case.claims.history
    newest_first = history is not None and history.order == "newest-first"
    conns = [watcher.name, op.client.name]
    judge = OneOrder(room, conns, least=len(ops), newest_first=newest_first, names=["from"])
    await case.must(judge, "the past has the order in which it happened")


@scenario("MSG-6.one-view", needs="native", conns=12)
async def one_view(case: Case) -> None:
    """Every number names one text, sender and time: for those who were there, who came late, and who asked."""
    room = case.room()
    speakers = await case.members(room, 5)
    ops = await crossfire(case, room, speakers, 2)
    late = await case.member(room)
    ops += await crossfire(case, room, speakers, 2)
    for listener in [*speakers, late]:
        await case.delivered(ops[-1], [listener], role="given")
    await case.answered(late.begin("history", room=room), role="given")
    await case.must(OneStream(), "one view of the room")


@scenario("MSG-7.pipelined", needs="rooms", conns=3)
async def pipelined(case: Case) -> None:
    """What one connection sends without waiting arrives in the order sent."""
    room = case.room()
    speaker, *listeners = await case.members(room, 3)
    texts = [(await case.say(speaker, room)).text for _ in range(burst(case, 8))]
    for listener in hearers(case, speaker, listeners):
        await case.in_order(listener, room, texts)


@scenario("MSG-7.interleaved", needs="rooms", conns=5)
async def interleaved(case: Case) -> None:
    """When several connections send without waiting, each one's messages keep their order among the others'."""
    room = case.room()
    listener = await case.member(room)
    speakers = await case.members(room, 4)
    ops = await crossfire(case, room, speakers, burst(case, 5))
    await _heard_by(case, ops, listener)
    for speaker in speakers:
        own = [op.text for op in ops if op.client is speaker]
        await case.must(Order(listener.name, room, own), f"what {speaker.name} sent is in order")


@scenario("MSG-7.numbered", needs="native", conns=3)
async def numbered(case: Case) -> None:
    """What one connection sends in one write, with other requests between, gets rising numbers in sending order."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    ops: list[Op] = []
    for _ in range(burst(case, 5)):
        ops.append(await case.say(speaker, room))
        speaker.begin("ping")
        speaker.join(room, history=1)
    await case.answered(ops[0], {"seq": {"is": "integer"}}, role="given")
    for number, op in enumerate(ops, int(ops[0].field("seq"))):
        await case.answered(op, {"seq": number}, says=f"number {number} in sending order")
    await case.in_order(listener, room, [op.text for op in ops])


@scenario("MSG-8.rising", needs="timestamps", conns=5)
async def rising(case: Case) -> None:
    """The server's time never goes back from one message of a room to the next."""
    room = case.room()
    listener = await case.member(room)
    speakers = await case.members(room, 3)
    ops = await crossfire(case, room, speakers, burst(case, 4))
    await _heard_by(case, ops, listener)
    await case.must(TimesRise(room, listener.name), "times do not decrease")
