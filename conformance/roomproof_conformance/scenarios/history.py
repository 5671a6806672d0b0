"""What a join replays: which messages, how many, in what order, and the seam to live traffic."""

from __future__ import annotations

from collections.abc import Iterable

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario, watch
from roomproof_conformance.dialects import Claims
from roomproof_conformance.judges import Arrives, Replied, Seam
from roomproof_conformance.judges.numbering import SeamNumber
from roomproof_conformance.judges.replay import Claimed, Page, Replayed, Untold

watch("HIST-4.everywhere", needs="numbering")(SeamNumber)


async def bound(case: Case) -> int:
    """The number of messages that the target promises to keep: presupposed by everything about that number."""
    history = case.claims.history
    claimed = history.bound if history is not None else None
    await case.given(Claimed("history.bound", claimed), "the target says how many messages it keeps", wait=0)
    return int(claimed or 0)


def few(case: Case, wanted: int) -> int:
    """At most `wanted` messages, and no more than a room surely keeps although other lines may count too."""
    history = case.claims.history
    if history is None or history.bound is None:
        return wanted
    return max(1, min(wanted, history.bound if history.counts == "messages" else history.bound // 3))


ROUND_TRIP = 0.004
"""Seconds that a message takes at least, where each is seen before the next is sent (`Case.fill`)."""


def time_for(claims: Claims, messages: int) -> float:
    """Seconds that `messages` take: more where many senders are no help against the rate limit."""
    limit = claims.pace
    if limit is None or limit.scope in ("user", "connection") or not limit.allow or not limit.per:
        return messages * ROUND_TRIP
    return max(messages * ROUND_TRIP, messages / limit.allow * limit.per)


def time_to_fill(claims: Claims) -> float:
    """Seconds that it takes to fill a room with as many messages as are kept."""
    return time_for(claims, claimed_bound(claims))


def claimed_bound(claims: Claims) -> int:
    """The bound as far as it is known before a run."""
    return (claims.history.bound if claims.history else None) or 0


async def numbered_from_one(case: Case, listener: Client, texts: list[str]) -> None:
    """Presuppose that these are all messages of a room and that the newest has their number (MSG-3)."""
    newest = {"kind": "message", "text": texts[-1], "seq": len(texts)}
    await case.given(Arrives(listener.name, newest), f"the newest message is number {len(texts)}")


async def newcomer_remembers(case: Case, room: str, texts: list[str], *, check: str) -> None:
    """Who joins now is given exactly these messages: looked at on a connection of its own."""
    client = await case.client(room)
    op = client.join(room)
    await case.given(Replied(op.index, ok=True), f"{client.name} can join {room}")
    await case.remembers(op, texts, check=check, go_on=True)
    await client.close()


@scenario("HIST-1.few", needs="history")
async def a_few(case: Case) -> None:
    """A newcomer is given the messages so far, oldest first, each once."""
    room = case.room()
    watcher = await case.member(room)
    texts = await case.fill(room, few(case, 5), watcher=watcher)
    newcomer = await case.client(room)
    op = await newcomer.join(room)
    await case.remembers(op, texts)
    await case.fence(newcomer, room)


@scenario("HIST-1.new-room", needs="history rooms", conns=3)
async def new_room(case: Case) -> None:
    """The history of a room holds nothing that was said in another one."""
    here, there = case.room(), case.room()
    watcher = await case.member(here)
    texts = await case.fill(here, few(case, 3), watcher=watcher)
    witness = await case.member(here)
    await case.given(Replayed(here, texts, ["text"]), "there is a past to tell")
    await witness.close()
    newcomer = await case.member(there)
    fence = await case.fence(newcomer, there)
    where = {"kind": "message", "text": fence.text}
    await case.must(Untold(newcomer.name, texts, fence=where), "a new room begins without a past")


@scenario("HIST-1.asked-for", needs="native")
async def asked_for(case: Case) -> None:
    """`history: n` gives the newest n, or all where there are fewer, ascending and ending at `head`."""
    room = case.room()
    watcher = await case.member(room)
    texts = await case.fill(room, 12, watcher=watcher)
    await numbered_from_one(case, watcher, texts)
    for wanted in (1, 5, 11, 12, 13, 100):
        client = await case.client()
        op = client.join(room, history=wanted)
        low = max(1, 13 - wanted)
        page = Page(op.index, {"tree": {"head": 12}}, ok=True, low=low, texts=texts[low - 1 :])
        await case.must(page, f"history: {wanted} gives {low}..12")
        await client.close()


@scenario(
    "HIST-2.one-below",
    "HIST-2.at-the-bound",
    "HIST-2.one-over",
    "HIST-2.far-over",
    needs="history",
    conns=3,
    waits=lambda claims: time_for(claims, 2 * claimed_bound(claims)),
    titles={
        "HIST-2.one-below": "One message fewer than the bound: all of them are kept.",
        "HIST-2.at-the-bound": "As many messages as the bound: all of them are kept.",
        "HIST-2.one-over": "One message more than the bound: exactly the oldest is gone.",
        "HIST-2.far-over": "Twice as many messages as the bound: exactly the newest half is kept.",
    },
)
async def around_the_bound(case: Case) -> None:
    """Exactly the last `bound` messages are kept."""
    room, keeps = case.room(), await bound(case)
    watcher = await case.member(room)
    texts: list[str] = []
    steps = {"one-below": keeps - 1, "at-the-bound": 1, "one-over": 1, "far-over": keeps - 1}
    for situation, more in steps.items():
        texts += await case.fill(room, more, watcher=watcher)
        await newcomer_remembers(case, room, texts[-keeps:], check=f"HIST-2.{situation}")


@scenario("HIST-2.after-250", needs="native numbering", conns=3, waits=lambda claims: time_for(claims, 250))
async def after_250(case: Case) -> None:
    """After 250 messages, a join with `history: 100` gives 151..250."""
    room, keeps = case.room(), await bound(case)
    watcher = await case.member(room)
    texts = await case.fill(room, 250, watcher=watcher)
    await numbered_from_one(case, watcher, texts)
    client = await case.client()
    op = client.join(room, history=min(100, keeps))
    low = 251 - keeps
    await case.must(
        Page(op.index, {"tree": {"head": 250}}, ok=True, low=low, texts=texts[-keeps:]), f"{low}..250 are kept"
    )


@scenario("HIST-2.gone", needs="native numbering", conns=3, waits=time_to_fill)
async def gone(case: Case) -> None:
    """What is older than the last 100 messages cannot be had by any request, and `first` says so."""
    room, keeps = case.room(), await bound(case)
    reader = await case.member(room)
    texts = await case.fill(room, keeps + 3, watcher=reader)
    await numbered_from_one(case, reader, texts)
    for cursor in ({"after": 0}, {"after": 2}, {"before": 5}):
        op = reader.begin("history", room=room, limit=1, **cursor)
        page = Page(op.index, {"tree": {"first": 4}}, ok=True, low=4, texts=texts[3:4])
        await case.must(page, "number 4 is the oldest that is kept")
    client = await case.client()
    await case.answered(client.join(room), {"tree": {"first": 4}}, says="number 4 is `first`")


async def _under_fire(case: Case, room: str, speakers: list[Client], joiners: Iterable[Client]) -> list[str]:
    """The joiners join while all speakers speak: some messages surely before, some surely after. Returns the texts."""
    count = few(case, 5 * len(speakers))
    before = after = max(1, count // 5)
    texts = [(await case.say(speakers[n % len(speakers)], room)).text for n in range(before)]
    await case.delivered(texts[-1], [case.clients[0]], role="given")
    joins: list[Op] = []
    waiting = list(joiners)
    for n in range(count - before - after):
        texts.append((await case.say(speakers[n % len(speakers)], room)).text)
        if n % 2 and waiting:
            joins.append(waiting.pop().join(room))
    joins += [client.join(room) for client in waiting]
    for op in joins:
        await case.given(Replied(op.index, ok=True), f"{op.client.name} can join {room}")
    return texts + [(await case.say(speakers[n % len(speakers)], room)).text for n in range(after)]


@scenario("HIST-4.under-fire", needs="history join_request", conns=8, waits=lambda claims: time_for(claims, 15))
async def under_fire(case: Case) -> None:
    """Who joins while others speak sees each message once: as history or live, none lost and none twice."""
    room = case.room()
    reader = await case.member(room)
    speakers = await case.members(room, 3)
    joiners = [await case.client(room) for _ in range(3)]
    texts = await _under_fire(case, room, speakers, joiners)
    for joiner in joiners:
        await case.must(Seam(joiner.name, room, texts), f"{joiner.name} misses nothing")
    fence = await case.say(reader, room)
    await case.delivered(fence, joiners, role="given")


@scenario("HIST-4.connecting", needs="history", conns=8, waits=lambda claims: time_for(claims, 15))
async def connecting(case: Case) -> None:
    """Who connects and joins while others speak sees each message once: as history or live."""
    room = case.room()
    watcher = await case.member(room)
    speakers = await case.members(room, 3)
    count = few(case, 15)
    side = max(1, count // 5)
    texts: list[str] = []
    joiners: list[Client] = []

    async def talk(messages: int) -> None:
        for _ in range(messages):
            texts.append((await case.say(speakers[len(texts) % 3], room)).text)
            await case.until(lambda: texts[-1] in watcher.heard, case.patience)

    async def arrive() -> None:
        for _ in range(3):
            joiners.append(await case.member(room))

    await talk(side)
    await case.together(talk(count - 2 * side), arrive())
    await talk(side)
    for joiner in joiners:
        await case.must(Seam(joiner.name, room, texts), f"{joiner.name} misses nothing")
    fence = await case.say(watcher, room)
    await case.delivered(fence, joiners, role="given")


@scenario("HIST-4.numbered", needs="native", conns=16)
async def numbered_seam(case: Case) -> None:
    """The first live message after `joined` is number `head` + 1, with eight senders at once."""
    room = case.room()
    await case.member(room)
    speakers = await case.members(room, 8)
    joiners = [await case.client() for _ in range(6)]
    texts = await _under_fire(case, room, speakers, joiners)
    for joiner in joiners:
        await case.delivered(texts[-1], [joiner], role="given")
        await case.must(SeamNumber(room, joiner.name), "the seam has no hole and no overlap")


@scenario("HIST-4.join-again", needs="native", conns=5)
async def join_again(case: Case) -> None:
    """Joining again while others speak has the same seam: no hole and no repetition among live messages."""
    room = case.room()
    member = await case.member(room)
    speakers = await case.members(room, 3)
    sent: list[Op] = []
    for speaker in speakers * 4:
        sent.append(await case.say(speaker, room))
        member.join(room, history=1)
    fence = await case.say(member, room)
    await case.delivered(fence, [member], role="given")
    await case.must(SeamNumber(room, member.name), "each time the first message is head + 1")
    for op in sent:
        await case.delivered(op, [member])


@scenario("HIST-7.as-delivered", needs="history", conns=4)
async def as_delivered(case: Case) -> None:
    """What is replayed has the sender, the time and the text of its live delivery."""
    room = case.room()
    watcher = await case.member(room)
    texts = await case.fill(room, few(case, 4), watcher=watcher)
    await case.member(room)
    await case.must(Replayed(room, texts), "history equals what was delivered")


@scenario("HIST-7.any-text", needs="history", conns=3)
async def any_text(case: Case) -> None:
    """Texts are replayed code point for code point: no trimming, normalising or escaping on the way to the past."""
    room = case.room()
    speaker, watcher = await case.members(room, 2)
    token = case.text()
    texts = [f"  {token} <b>&amp;\"'</b>  ", f"{token} e\u0301 \u212b \U0001f469\u200d\U0001f680"][: few(case, 2)]
    for text in texts:
        await case.delivered(await case.say(speaker, room, text), [watcher], role="given")
    await case.member(room)
    await case.must(Replayed(room, texts, ["text"]), "both come again as they were")


@scenario("HIST-7.every-field", needs="native", conns=4)
async def every_field(case: Case) -> None:
    """A replay, by join or by request, has the live message's room, epoch, seq, ts, sender and text."""
    room = case.room()
    watcher = await case.member(room)
    texts = await case.fill(room, 8, watcher=watcher)
    newcomer = await case.member(room)
    await case.given(Replied(newcomer.begin("history", room=room).index, ok=True), "history can be asked for")
    names = ["room", "epoch", "seq", "ts", "from", "name"]
    await case.must(Replayed(room, texts, names), "all fields are equal")


@scenario("HIST-9.outsider", needs="history_request rooms join_request", conns=4)
async def outsider_reads(case: Case) -> None:
    """Who is not in a room is told nothing of its past."""
    room, own = case.room(), case.room()
    member = await case.member(room)
    texts = await case.fill(room, few(case, 3), watcher=member)
    member.begin("history", room=room)
    await case.given(Replayed(room, texts, ["text"]), "a member is told")
    outsider = await case.member(own)
    await outsider.begin("history", room=room)
    fence = await case.fence(outsider, own)
    where = {"kind": "message", "text": fence.text}
    await case.must(Untold(outsider.name, texts, fence=where), "an outsider reads nothing")


@scenario("HIST-9.not-joined", needs="native", conns=4)
async def not_joined(case: Case) -> None:
    """Asking for the history of a room that one has not joined, has left, or nobody knows gives `not_joined`."""
    room = case.room()
    watcher, member = await case.members(room, 2)
    texts = await case.fill(room, 3, watcher=watcher)
    outsider = await case.client()
    await case.refused(outsider.begin("history", room=room), {"code": "not_joined"})
    await case.refused(outsider.begin("history", room=case.room()), {"code": "not_joined"})
    await case.answered(member.leave(room), role="given")
    late = member.begin("history", room=room)
    await case.refused(late, {"code": "not_joined"}, says="who left is an outsider again")
    await case.given_join(outsider, room)
    again = outsider.begin("history", room=room)
    await case.must(Page(again.index, ok=True, texts=texts, numbered=False, ordered=False), "and a member is told")


@scenario("HIST-11.all-left", needs="history leave outlives_members", waits=lambda claims: 2.0)
async def all_left(case: Case) -> None:
    """When the last member has left, the room keeps its messages."""
    room = case.room()
    watcher = await case.member(room)
    texts = await case.fill(room, few(case, 3), watcher=watcher)
    await case.settled(await watcher.leave(room))
    await case.wait(2.0, "nobody is in the room")
    await case.member(room)
    await case.must(Replayed(room, texts, ["text"]), "the messages are still there")


@scenario("HIST-11.all-gone", needs="history outlives_members", waits=lambda claims: 2.0)
async def all_gone(case: Case) -> None:
    """When the last member has disconnected, the room keeps its messages."""
    room = case.room()
    watcher = await case.member(room)
    texts = await case.fill(room, few(case, 3), watcher=watcher)
    await watcher.close()
    await case.wait(2.0, "nobody is connected to the room")
    await case.member(room)
    await case.must(Replayed(room, texts, ["text"]), "the messages are still there")


@scenario("HIST-11.numbering", needs="native", waits=lambda claims: 2.0)
async def numbering_survives(case: Case) -> None:
    """Epoch and seq go on where they were when the room was empty in between, by leaving and by disconnecting."""
    room = case.room()
    watcher = await case.client()
    epoch = (await case.given_join(watcher, room)).field("epoch")
    texts = await case.fill(room, 3, watcher=watcher)
    await numbered_from_one(case, watcher, texts)
    await case.answered(watcher.leave(room), role="given")
    await watcher.close()
    await case.wait(2.0, "nobody is in the room")
    back = await case.client()
    op = back.join(room)
    await case.answered(op, {"tree": {"epoch": epoch, "head": 3}}, says="the same epoch, up to the same head")
    sent = await case.say(back, room)
    await case.answered(sent, {"epoch": epoch, "seq": 4}, says="the next message is number 4 of the same epoch")
