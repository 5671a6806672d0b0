"""Going on from where a connection ended: all that was missed, or the plain word that it cannot be had."""

from __future__ import annotations

from typing import Any

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import Absent, Arrives, Replied, Seam
from roomproof_conformance.judges.numbering import SeamNumber
from roomproof_conformance.judges.replay import Page

from .history import bound, numbered_from_one, time_to_fill
from .paging import LARGEST

NOT_THERE = {"exists": False}
OTHER_EPOCH = "another-life-of-the-stream"


class Past:
    """A room with known messages, and a place in its stream to come back to."""

    def __init__(self, case: Case, room: str, epoch: str, watcher: Client) -> None:
        self.case = case
        self.room = room
        self.epoch = epoch
        self.watcher = watcher
        self.texts: list[str] = []

    @property
    def head(self) -> int:
        return len(self.texts)

    async def more(self, count: int) -> None:
        """`count` more messages are sent while the watcher is there."""
        self.texts += await self.case.fill(self.room, count, watcher=self.watcher)
        await numbered_from_one(self.case, self.watcher, self.texts)

    async def lost(self, first: int) -> None:
        """Presuppose that the oldest message that is kept is `first`."""
        op = self.watcher.begin("history", room=self.room, limit=1)
        await self.case.given(Replied(op.index, {"tree": {"first": first}}, ok=True), f"{first} is the oldest")

    def at(self, seq: int, epoch: str | None = None) -> dict[str, Any]:
        """The position after message `seq`, as `join` takes it."""
        return {"epoch": epoch or self.epoch, "seq": seq}

    async def back(self, seq: int, user: str | None = None, **join: Any) -> Op:
        """A new connection comes back at `seq`, of a new user or of one who is named."""
        client = await self.case.client(user=user)
        return client.join(self.room, after=self.at(seq), **join)

    async def recovers(self, op: Op, seq: int, *, says: str = "", check: str | None = None) -> None:
        """State that everything after `seq` is recovered, and nothing else comes with it."""
        where = {"tree": {"type": "joined", "recovered": True, "epoch": self.epoch}}
        page = Page(op.index, where, ok=True, low=seq + 1, texts=self.texts[seq:], ordered=False)
        await self.case.must(page, says or f"all after {seq} is recovered", check=check, go_on=True)

    async def begins_anew(self, op: Op, history: int, says: str, **fields: Any) -> None:
        """State that nothing is recovered and the newest `history` messages are given instead; `fields` say why."""
        where = {"tree": {"type": "joined", "recovered": False, **fields}}
        low = max(1, self.head - history + 1)
        page = Page(op.index, where, ok=True, low=low, texts=self.texts[low - 1 :], ordered=False)
        await self.case.must(page, says, go_on=True)


async def past(case: Case, count: int) -> Past:
    """A new room in which `count` messages were sent."""
    room = case.room()
    watcher = await case.client()
    joined = await case.given_join(watcher, room)
    made = Past(case, room, str(joined.field("epoch")), watcher)
    if count:
        await made.more(count)
    return made


@scenario("RES-1.gap", needs="native", conns=6)
async def gap(case: Case) -> None:
    """Who comes back at message s gets exactly s + 1..head, from the very beginning and from one before the end."""
    room = await past(case, 12)
    for seq in (5, 11, 0, 1):
        op = await room.back(seq)
        await room.recovers(op, seq)
        await op.client.close()


@scenario("RES-1.own-place", needs="native", conns=4)
async def own_place(case: Case) -> None:
    """A member whose connection is cut comes back as the same user at the last message it saw, and misses nothing."""
    room = await past(case, 2)
    member = await case.member(room.room, user="twin")
    await room.more(2)
    await case.delivered(room.texts[-1], [member], role="given")
    member.reset()
    await room.more(3)
    again = await case.client(user="twin")
    op = again.join(room.room, after=room.at(4))
    await room.recovers(op, 4)
    fence = await case.say(room.watcher, room.room)
    await case.delivered(fence, [again])


@scenario("RES-1.empty-between", needs="native", conns=3, waits=lambda claims: 1.0)
async def empty_between(case: Case) -> None:
    """A room that everybody had left is recovered all the same."""
    room = await past(case, 6)
    await case.answered(room.watcher.leave(room.room), role="given")
    await room.watcher.close()
    await case.wait(1.0, "nobody is in the room")
    op = await room.back(2)
    await room.recovers(op, 2, says="what was said before the room was empty is recovered")


@scenario("RES-1.full-room", needs="native", waits=time_to_fill)
async def oldest_place(case: Case) -> None:
    """`first` - 1 is the oldest place from which everything can be recovered, in a room that has lost messages."""
    keeps = await bound(case)
    room = await past(case, keeps + 15)
    await room.lost(16)
    for seq in (15, 16):
        op = await room.back(seq)
        await room.recovers(op, seq)
        await op.client.close()


@scenario("RES-2.at-head", needs="native")
async def at_head(case: Case) -> None:
    """Who has missed nothing recovers with no messages, in a room with messages and in one without."""
    room = await past(case, 4)
    await room.recovers(await room.back(4), 4, says="nothing was missed")
    empty = await past(case, 0)
    op = await empty.back(0)
    await empty.recovers(op, 0, says="nothing was ever said")


@scenario("RES-2.live-again", needs="native")
async def live_again(case: Case) -> None:
    """Who has recovered nothing is a member like any other: the next message is head + 1."""
    room = await past(case, 3)
    op = await room.back(3)
    await room.recovers(op, 3)
    sent = await case.say(room.watcher, room.room)
    here = {"kind": "message", "text": sent.text, "seq": 4, "epoch": room.epoch}
    await case.must(Arrives(op.client.name, here), "the next message is number 4")


@scenario("RES-3.history-is-no-bound", needs="native", conns=6)
async def history_is_no_bound(case: Case) -> None:
    """`history` does not cut a recovery: it is all of the gap, with `history: 0`, 3 or 100."""
    room = await past(case, 12)
    for history in (0, 3, 100):
        op = await room.back(2, history=history)
        await room.recovers(op, 2, says=f"history: {history} does not matter")
        await op.client.close()


@scenario("RES-4.too-old", needs="native", conns=6, waits=time_to_fill)
async def too_old(case: Case) -> None:
    """A place before `first` - 1 gives `too_old`, says how many are lost for good, and gives the normal history."""
    keeps = await bound(case)
    room = await past(case, keeps + 15)
    await room.lost(16)
    for seq in (14, 5, 0):
        op = await room.back(seq)
        lost = {"reason": "too_old", "missed": 15 - seq}
        await room.begins_anew(op, keeps, f"from {seq} on, {15 - seq} are lost", **lost)
        await op.client.close()
    op = await room.back(3, history=5)
    lost = {"reason": "too_old", "missed": 12}
    await room.begins_anew(op, 5, "the normal history is what `history` asks for", **lost)


@scenario("RES-5.other-epoch", needs="native", conns=6)
async def other_epoch(case: Case) -> None:
    """A place in another epoch gives `epoch_changed` without `missed`, whatever its number."""
    room = await past(case, 5)
    for seq in (3, 5, 0, LARGEST):
        client = await case.client()
        op = client.join(room.room, after=room.at(seq, OTHER_EPOCH))
        changed = {"reason": "epoch_changed", "missed": NOT_THERE, "epoch": room.epoch}
        await room.begins_anew(op, 100, f"{seq} of another epoch says nothing", **changed)
        await client.close()


@scenario("RES-5.other-room", needs="native")
async def other_rooms_epoch(case: Case) -> None:
    """The epoch of one room is none of another: joining there with it gives `epoch_changed`."""
    here, there = await past(case, 3), await past(case, 4)
    client = await case.client()
    op = client.join(there.room, after=here.at(2))
    changed = {"reason": "epoch_changed", "missed": NOT_THERE}
    await there.begins_anew(op, 100, "each room's stream has its own life", **changed)


@scenario("RES-6.ahead", needs="native", conns=6)
async def ahead(case: Case) -> None:
    """A place after `head` gives `ahead`: by one, by far, and in a room in which nothing was said."""
    room = await past(case, 5)
    for seq in (6, 1000, LARGEST):
        op = await room.back(seq)
        await room.begins_anew(op, 100, f"{seq} is not there yet", reason="ahead")
        await op.client.close()
    empty = await past(case, 0)
    op = await empty.back(1)
    await empty.begins_anew(op, 100, "nothing is there yet", reason="ahead")


@scenario("RES-7.under-fire", needs="native", conns=14)
async def under_fire(case: Case) -> None:
    """Who comes back while others speak gets each missed message once, and then head + 1."""
    room = await past(case, 4)
    speakers = await case.members(room.room, 4)
    returning = [await case.client() for _ in range(4)]
    texts: list[str] = []
    joins: list[Op] = []
    for speaker in speakers * 4:
        texts.append((await case.say(speaker, room.room)).text)
        if len(texts) % 3 == 0 and len(joins) < len(returning):
            joins.append(returning[len(joins)].join(room.room, after=room.at(2)))
    for op in joins:
        await case.given(Replied(op.index, {"tree": {"recovered": True}}, ok=True), "it is recovered")
    texts += [(await case.say(speaker, room.room)).text for speaker in speakers]
    for client in returning:
        await case.must(Seam(client.name, room.room, room.texts[2:] + texts), f"{client.name} misses nothing")
        await case.must(SeamNumber(room.room, client.name), "the first live message is head + 1")


@scenario("RES-8.twice", needs="native")
async def twice(case: Case) -> None:
    """Coming back a second time without new messages replays nothing: on a new connection and on the same one."""
    room = await past(case, 6)
    first = await room.back(2, user="twin")
    await room.recovers(first, 2)
    await room.recovers(await room.back(6, user="twin"), 6, says="a second connection replays nothing")
    again = first.client.join(room.room, after=room.at(6))
    await room.recovers(again, 6, says="joining again replays nothing")
    fence = await case.say(room.watcher, room.room)
    await case.delivered(fence, [first.client], role="given")
    for text in room.texts[2:]:
        live = Absent(first.client.name, {"kind": "message", "text": text}, fence={"text": fence.text})
        case.stated(live, "and none comes as a live message either")


@scenario("RES-10.one-reconnect", needs="native", conns=6, waits=time_to_fill)
async def one_reconnect(case: Case) -> None:
    """In one reconnect each room has its own answer: recovered, too old, another epoch, ahead."""
    keeps = await bound(case)
    whole, lost = await past(case, 4), await past(case, keeps + 2)
    await lost.lost(3)
    renewed, short = await past(case, 3), await past(case, 2)
    client = await case.client()
    ops = [
        client.join(whole.room, after=whole.at(1)),
        client.join(lost.room, after=lost.at(0)),
        client.join(renewed.room, after=renewed.at(1, OTHER_EPOCH)),
        client.join(short.room, after=short.at(3)),
    ]
    await whole.recovers(ops[0], 1, says="the first room is recovered")
    await lost.begins_anew(ops[1], keeps, "the second is too old", reason="too_old", missed=2)
    await renewed.begins_anew(ops[2], 100, "the third has another epoch", reason="epoch_changed")
    await short.begins_anew(ops[3], 100, "the fourth is not that far", reason="ahead")


@scenario("RES-10.same-numbers", needs="native")
async def same_numbers(case: Case) -> None:
    """A place in one room is none in another: each room goes on from its own number."""
    one, two = await past(case, 5), await past(case, 5)
    client = await case.client()
    ops = [client.join(one.room, after=one.at(4)), client.join(two.room, after=two.at(1))]
    await one.recovers(ops[0], 4)
    await two.recovers(ops[1], 1)


@scenario("RES-11.lingering", needs="native", conns=5)
async def lingering(case: Case) -> None:
    """Who comes back while the dead connection lingers is let in, and is not announced a second time."""
    room = case.room()
    observer = await case.member(room)
    dead = await case.member(room, user="twin")
    twin = {"kind": "joined", "from": dead.session.identity}
    await case.given(Arrives(observer.name, twin), "the first join is announced")
    dead.freeze()
    again = await case.client(user="twin")
    await case.answered(again.join(room), {"tree": {"count": 2, "already": False}})
    newcomer = await case.member(room)
    fence = {"kind": "joined", "from": newcomer.session.identity}
    await case.must(Arrives(observer.name, {**fence, "count": 3}), "a newcomer is the third user, not the fourth")
    await case.must(Arrives(observer.name, twin), "who came back is announced once in all")
    gone = Absent(observer.name, {**twin, "kind": "left"}, fence=fence)
    case.stated(gone, "nor was anybody announced as gone")
    await case.usable(again, room, observer)


@scenario("RES-11.many", needs="native", conns=8)
async def many_dead(case: Case) -> None:
    """With fewer dead connections than `conns_per_user` the next one is let in, and all of its rooms too."""
    room, other = case.room(), case.room()
    observer = await case.member(room)
    for _ in range(min(3, (case.claims.connections.per_user or 4) - 1)):
        dead = await case.member(room, user="twin")
        dead.freeze()
    again = await case.client(user="twin")
    await case.answered(again.join(room), {"tree": {"type": "joined", "count": 2}})
    await case.answered(again.join(other), {"tree": {"type": "joined", "count": 1}})
    await case.usable(again, room, observer)


@scenario("RES-12.plain-join", needs="native")
async def plain_join(case: Case) -> None:
    """A join without `after` is not recovered and gives neither `reason` nor `missed`."""
    plain = {"recovered": False, "reason": NOT_THERE, "missed": NOT_THERE}
    room = await past(case, 3)
    client = await case.client()
    await case.answered(client.join(room.room), {"tree": plain}, says="a room with messages")
    await case.answered(client.join(room.room), {"tree": plain}, says="the same room again")
    await case.answered(client.join(case.room()), {"tree": plain}, says="a new room")
    none = client.join(room.room, history=0)
    await case.answered(none, {"tree": plain}, says="without a history")
