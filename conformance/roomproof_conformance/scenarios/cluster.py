"""Several nodes as one service: the rows of CLUSTER.

That what holds on one node holds across nodes too is judged by the variants of all the other scenarios (`across`);
here stands what only a cluster can do wrong. Those that need a fault are in `outages`.
"""

from __future__ import annotations

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import AtMost, Contiguous
from roomproof_conformance.judges.cluster import CountsAgree
from roomproof_conformance.judges.numbering import OneOrder, OneStream
from roomproof_conformance.judges.sending import OneOfThem

from .messages import burst, crossfire
from .retries import new_mid

AGREED = 10.0
"""Seconds until all nodes count the same (CL-8)."""
BETWEEN = 0.5
"""Seconds between two looks at what must come about."""


async def one_each(case: Case, room: str, *, user: str | None = None) -> list[Client]:
    """A member on each node: of one user where one is named."""
    return [await case.member(room, node=node, user=user) for node in case.nodes]


@scenario("CL-1.one-stream", "CL-1.one-history", nodes=2, needs="native", conns=40, titles={
    "CL-1.one-history": "The history of a room is the same on every node, as it was delivered.",
})  # fmt: skip
async def one_stream(case: Case) -> None:
    """Clients on all nodes who speak at the same time are seen by all in one order, under one numbering."""
    room = case.room()
    listeners = await one_each(case, room)
    speakers = [*await one_each(case, room), *await one_each(case, room)]
    begin = case.mark("all speak at the same time")
    ops = await crossfire(case, room, speakers, burst(case, 4))
    names = [client.name for client in (*listeners, *speakers)]
    await case.must(OneOrder(room, names, least=len(ops)), "all see one order")
    await case.must(Contiguous(room, least=len(ops) * len(names)), "every view is without holes")
    case.stated(OneStream(), "each number means the same to all")
    for listener in listeners:
        for op in ops:
            await case.told(listener, {"kind": "message", "text": op.text}, after=begin)
    newcomers = []
    for node in case.nodes:
        newcomer = await case.client(node=node)
        await case.given_join(newcomer, room, history=100)
        newcomers.append(newcomer.name)
    history = OneOrder(room, [listeners[0].name, *newcomers], least=len(ops), names=["from", "ts", "seq", "epoch"])
    await case.must(history, "every node tells the same history", check="CL-1.one-history")


@scenario("CL-2.limit", nodes=2, needs="native", conns=10)
async def limit(case: Case) -> None:
    """A user with a connection to every node may send no more in a second than one with a single connection."""
    room, limit = case.room(), case.claims.rate_limit
    assert limit is not None
    twins = await one_each(case, room, user="twin")
    allow, per = limit.allow or 5, limit.per or 1.0
    ops = [twin.send(room) for _ in range(allow) for twin in twins]
    for op in ops:
        await op
    await case.must(AtMost(allow, per, [op.index for op in ops]), f"at most {allow} in {per:g} s over all nodes")


@scenario("CL-2.race", nodes=2, needs="native", conns=20)
async def race(case: Case) -> None:
    """The same send at every node at once is one message, delivered once, and one answer says that it is new."""
    room = case.room()
    listeners = await one_each(case, room)
    twins = await one_each(case, room, user="twin")
    for _ in range(max(1, burst(case, 5) - 2)):
        mid, text = new_mid(case), case.text()
        ops = [twin.send(room, text, mid=mid) for twin in twins]
        await case.must(OneOfThem([op.index for op in ops]), "one of them is the first")
        await case.delivered(text, [*listeners, *twins])
    fence = await case.say(listeners[0], room)
    await case.delivered(fence, [*listeners, *twins])


@scenario("CL-8.come-and-go", nodes=2, needs="native", conns=30, waits=lambda _: 3.0)
async def counts(case: Case) -> None:
    """The count of a room comes to be the same on all nodes when users come, leave, go and are lost."""
    room = case.room()
    watchers = await one_each(case, room)
    comers = [*await one_each(case, room), *await one_each(case, room)]
    twin = await one_each(case, room, user="twin")
    came = case.mark("all have come")
    await _agree(case, watchers, room, len(watchers) + len(comers) + 1, came.index)
    await case.answered(comers[0].leave(room), role="given")
    await comers[1].close()
    comers[-1].reset()
    await twin[0].close()
    gone = case.mark("three have gone, and one connection of a user with several")
    await _agree(case, watchers, room, len(watchers) + len(comers) - 2, gone.index)


async def _agree(case: Case, watchers: list[Client], room: str, count: int, after: int) -> None:
    """State that all `watchers` come to be told `count`, asking until they are or the time is over."""
    since = case.watch.now()
    while case.watch.now() < since + AGREED:
        asked = [await watcher.begin("presence", room=room) for watcher in watchers]
        if all(op.event is not None and op.event.tree.get("count") == count for op in asked):
            break
        await case.wait(BETWEEN, "the nodes are to agree")
    over = case.mark(f"all were asked for the count, {count}")
    judge = CountsAgree(room, count, [watcher.name for watcher in watchers], after, AGREED, over.index)
    await case.must(judge, "all nodes count the same", wait=0)
