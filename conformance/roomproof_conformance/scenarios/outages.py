"""What a service of several nodes must do while its engine, its bus or one of its nodes fails (rows with a fault).

The hook file's commands put the faults in, so that anybody's cluster can be judged; what each of them means stands in
`shipped_hooks/hooks.schema.json`.
"""

from __future__ import annotations

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import Contiguous, Ends, Opens, Replied
from roomproof_conformance.judges.cluster import Healed, NewEpoch, OneName, TurnsRed, WorksAgain
from roomproof_conformance.judges.replay import Page
from roomproof_conformance.transcript import Record
from roomproof_conformance.transport import Unreachable

from .cluster import BETWEEN, one_each
from .retries import new_mid

REPAIRED = 10.0
"""Seconds until a lost bus message is repaired (CL-4)."""
BACK = 10.0
"""Seconds from the engine's return until sending works (CL-5)."""
AWAY = 4.0
"""Seconds that the engine stays away at least, where no longer time is the point."""
ANSWERED = 15.0
"""Seconds in which a request is refused while the engine is away: no row names a bound, and nobody waits for ever."""
UNREADY = 15.0
"""Seconds until /readyz is red (CL-7)."""
KEPT, CLOSED = 55.0, 80.0
"""Seconds between which a node that is cut off closes its clients (CL-7: after 60).

A node counts from when it last heard of the engine, which it looks for every few seconds, and spreads the closes.
"""
FROZEN = 3.0
"""Seconds that a node stands still."""

RETRYABLE = {"code": "unavailable", "tree": {"fatal": False}}


async def _started(case: Case, room: str, count: int = 3) -> tuple[list[Client], list[Op]]:
    """A member on each node, who have all heard the first `count` messages."""
    members = await one_each(case, room)
    ops = []
    for number in range(count):
        op = await case.say(members[number % len(members)], room)
        ops.append(await case.answered(op, role="given"))
        await case.delivered(op, members, role="given")
    return members, ops


# -- the bus ----------------------------------------------------------------------------------------------


@scenario("CL-4.gap", nodes=2, faults="bus-drop", needs="native", conns=10, waits=lambda _: 2.0)
async def gap(case: Case) -> None:
    """Messages that the bus lost are given to the members of a node in order when a later one shows the gap."""
    room = case.room()
    (speaker, *listeners), _ = await _started(case, room)
    await case.fault("bus-drop")
    ops = [await case.answered(await case.say(speaker, room), role="given") for _ in range(3)]
    begun = await case.fault("bus-drop", on=False)
    ops.append(await case.answered(await case.say(speaker, room), role="given"))
    await _healed(case, room, listeners, ops, begun)


@scenario("CL-4.tail", nodes=2, faults="bus-drop", needs="native", conns=10, waits=lambda _: REPAIRED)
async def tail(case: Case) -> None:
    """The last messages of a room that the bus lost are given to the members of a node though no other follows."""
    room = case.room()
    (speaker, *listeners), _ = await _started(case, room)
    begun = await case.fault("bus-drop")
    ops = [await case.answered(await case.say(speaker, room), role="given") for _ in range(2)]
    await _healed(case, room, listeners, ops, begun)
    await case.fault("bus-drop", on=False)


async def _healed(case: Case, room: str, listeners: list[Client], ops: list[Op], since: Record) -> None:
    last = case.mark("the last was acknowledged")
    for listener in listeners:
        judge = Healed(listener.name, room, [op.text for op in ops], last.index, REPAIRED)
        await case.must(judge, f"{listener.name} is given what was lost", wait=REPAIRED + 1)
    case.stated(Contiguous(room), "no view has a hole")


# -- the engine ---------------------------------------------------------------------------------------------


@scenario("CL-5.unavailable", "CL-5.connections", "CL-5.works-again", "CL-5.retry", nodes=2, faults="engine-stop",
    needs="native", conns=12, waits=lambda _: AWAY + BACK,
    titles={
        "CL-5.connections": "While the engine is away connections stay.",
        "CL-5.works-again": "When the engine is back sending works again within 10 s, on every node.",
        "CL-5.retry": "A send that got `unavailable` can be repeated under its `mid`, and is stored once.",
    },
)  # fmt: skip
async def engine_away(case: Case) -> None:
    """While the engine is away `send` and `join` are answered `unavailable`, which is not fatal."""
    room = case.room()
    members, before = await _started(case, room)
    began = case.watch.now()
    await case.fault("engine-stop")
    sends = [member.send(room, mid=new_mid(case)) for member in members]
    joins = [member.join(case.room()) for member in members]
    for op in (*sends, *joins):
        what = op.record.data["op"]
        judge = Replied(op.index, RETRYABLE, ok=False)
        await case.must(judge, f"{what} is answered unavailable", wait=ANSWERED)
    await case.wait(max(0.0, began + AWAY - case.watch.now()), "the engine stays away")
    for member in members:
        case.still_open(member, check="CL-5.connections")
    back = await case.fault("engine-stop", on=False)
    for member in members:
        await _works_again(case, member, room, back)
    for op in sends:
        again = await case.say(op.client, room, op.text, mid=op.args["mid"])
        await case.answered(again, {"tree": {"type": "sent"}}, check="CL-5.retry", says="the repetition is answered")
    await _kept_once(case, room, [*before, *sends])
    case.stated(OneName(), "no number names two texts")


async def _works_again(case: Case, member: Client, room: str, back: Record) -> None:
    until = case.watch.now() + BACK
    while not (await (await case.say(member, room))).ok and case.watch.now() < until and not member.ended:
        await case.wait(BETWEEN, "sending is to work again")
    judge = WorksAgain(member.name, back.index, BACK)
    await case.must(judge, f"{member.name} can send again", check="CL-5.works-again", wait=0)


async def _kept_once(case: Case, room: str, ops: list[Op]) -> None:
    """State that each of these messages is kept once."""
    reader = await case.client()
    joined = await case.answered(reader.join(room, history=100), role="given")
    texts = [str(entry.get("text")) for entry in joined.event.entries] if joined.event is not None else []
    wanted = {op.text for op in ops}
    others = [text for text in texts if text not in wanted]
    page = Page(joined.index, ok=True, texts=[*wanted, *others], numbered=False, ordered=False)
    await case.must(page, "each is kept once", check="CL-5.retry", wait=0)


@scenario("CL-6.empty", "CL-6.told", "CL-6.resume", nodes=2, faults="engine-empty", needs="native", conns=12,
    waits=lambda _: 2.0,
    titles={
        "CL-6.told": "Every member is told of the new epoch.",
        "CL-6.resume": "Who comes back with a position of the lost epoch is told so on every node.",
    },
)  # fmt: skip
async def engine_empty(case: Case) -> None:
    """When the engine comes back empty the next that is said of a room is in a new epoch."""
    room = case.room()
    members, ops = await _started(case, room)
    await _lost(case, room, members, ops[-1], await case.fault("engine-empty"))
    position = {"epoch": ops[-1].field("epoch"), "seq": ops[-1].field("seq")}
    other = {"tree": {"recovered": False, "reason": "epoch_changed", "epoch": {"not": {"eq": position["epoch"]}}}}
    for node in case.nodes:
        client = await case.client(node=node)
        await case.answered(client.join(room, after=position), other, check="CL-6.resume")


@scenario("CL-6.older", "CL-6.older-told", nodes=2, faults="engine-older", needs="native", conns=12,
    waits=lambda _: 2.0,
    titles={"CL-6.older-told": "Every member is told of the new epoch after a tail was lost."},
)  # fmt: skip
async def engine_older(case: Case) -> None:
    """When the engine comes back without the last messages the next that is said of a room is in a new epoch."""
    room = case.room()
    members, _ = await _started(case, room, 2)
    await case.fault("engine-older")
    lost = []
    for member in members:
        op = await case.answered(await case.say(member, room), role="given")
        await case.delivered(op, members, role="given")
        lost.append(op)
    await _lost(case, room, members, lost[-1], await case.fault("engine-older", on=False), "CL-6.older-told")


async def _lost(case: Case, room: str, members: list[Client], last: Op, lost: Record, told: str = "CL-6.told") -> None:
    """State what must be said after the loss, when all speak at once."""
    epoch = str(last.field("epoch"))
    until = case.watch.now() + BACK
    waiting = list(members)
    while waiting and case.watch.now() < until:
        ops = [await case.say(member, room) for member in waiting]
        for op in ops:
            await op
        waiting = [op.client for op in ops if not op.ok and not op.client.ended]
        if waiting:
            await case.wait(BETWEEN, "the engine is to answer again")
    await case.must(NewEpoch(room, epoch, lost.index), "what is said next is in a new epoch", go_on=True)
    await case.must(OneName(), "no number names two texts")
    for member in members:
        judge = NewEpoch(room, epoch, lost.index, member.name)
        await case.must(judge, f"{member.name} is told", check=told, wait=BACK)
    case.stated(OneName(), "no number names two texts, later either")


@scenario("CL-7.readyz", "CL-7.closed", nodes=2, faults="engine-stop", needs="native", conns=12,
    waits=lambda _: CLOSED, titles={"CL-7.closed": "A node that has not reached the engine for 60 s closes 4003."},
)  # fmt: skip
async def cut_off(case: Case) -> None:
    """A node that cannot reach the engine turns /readyz red within 15 s."""
    members, _ = await _started(case, case.room())
    for node in case.nodes:
        probe = await _ready(case, node)
        await case.given(Opens(probe.name, [200]), "/readyz is green", wait=0)
    away = await case.fault("engine-stop")
    began = case.watch.now()
    red: set[int] = set()
    while len(red) < len(case.nodes) and case.watch.now() < began + UNREADY + 1:
        for node in case.nodes:
            probe = await _ready(case, node)
            if probe.handshake is not None and probe.handshake.status != 200:
                red.add(node)
        await case.wait(BETWEEN, "/readyz is to turn red")
    for node in case.nodes:
        judge = TurnsRed("/readyz", node + 1, away.index, UNREADY)
        await case.must(judge, f"node {node + 1} says that it is not ready", wait=0)
    for member in members:
        judge_closed = Ends(member.name, away.index, codes=[4003], earliest=KEPT, latest=CLOSED)
        await case.must(judge_closed, f"{member.name} is sent away", check="CL-7.closed", wait=CLOSED + 1)


async def _ready(case: Case, node: int) -> Client:
    """Ask a node's /readyz."""
    probe = case.stranger(node=node, user="probe")
    try:
        await probe.get("/readyz")
    except Unreachable as error:
        case.mark(f"{probe.name}: {error}")
    return probe


# -- a node ---------------------------------------------------------------------------------------------------


@scenario("CL-3.node-killed", nodes=2, faults="node-kill", needs="native", conns=12)
async def node_killed(case: Case) -> None:
    """Who was connected to a node that is killed under traffic comes back on another and misses nothing."""
    room = case.room()
    watcher, speaker = [await case.member(room, node=0) for _ in range(2)]
    victim = await case.member(room, node=1, user="victim")
    seen = await case.answered(await case.say(speaker, room), role="given")
    await case.delivered(seen, [watcher, victim], role="given")
    sends = [victim.send(room) for _ in range(2)]
    await case.fault("node-kill", node=1)
    more = [await case.answered(await case.say(speaker, room), role="given") for _ in range(2)]
    back = await case.client(node=0, user="victim")
    joined = back.join(room, after={"epoch": seen.field("epoch"), "seq": seen.field("seq")})
    await case.answered(joined, {"tree": {"recovered": True}}, says="all that was missed is recovered")
    kept = [op.text for op in sends if op.ok] + [op.text for op in more]
    given = [str(entry.get("text")) for entry in joined.event.entries] if joined.event is not None else []
    unsure = [op.text for op in sends if not op.ok and op.text in given]  # stored, and nobody was left to be told
    page = Page(joined.index, ok=True, texts=[*kept, *unsure], numbered=False, ordered=False)
    await case.must(page, "nothing that was acknowledged is missing", wait=0)
    await case.usable(back, room, watcher)
    case.stated(OneName(), "no number names two texts")


@scenario("CL-1.frozen-node", nodes=2, faults="node-stop", settings={"heartbeat": None}, needs="native", conns=12,
    waits=lambda _: FROZEN)  # fmt: skip
async def node_frozen(case: Case) -> None:
    """A node that stood still for some seconds gives its members what they missed, in order, or `reset`."""
    room = case.room()
    (speaker, listener, *_), _ = await _started(case, room)
    await case.fault("node-stop", node=1)
    ops = [await case.answered(await case.say(speaker, room), role="given") for _ in range(4)]
    await case.wait(FROZEN, "the node stands still")
    await case.fault("node-stop", on=False, node=1)
    await _healed(case, room, [listener], ops, ops[0].record)
