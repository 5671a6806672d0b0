"""What members are told when the service loses what it holds, or a part of itself: rows that need a fault hook."""

from __future__ import annotations

from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario, watch
from roomproof_conformance.judges import Absent
from roomproof_conformance.judges.everywhere import ResetIsQuiet

from .presence import listed, noticed

NODE_GONE = 30.0
"""Seconds until the users of a crashed node are gone (PRES-6)."""

watch("ROOM-12.everywhere", needs="native")(ResetIsQuiet)


@scenario("ROOM-12.silence", "ROOM-12.rejoin", "ROOM-12.membership", faults="engine-empty", needs="native",
    titles={
        "ROOM-12.rejoin": "Who joins again after `reset` hears `already: true`, `recovered: false`.",
        "ROOM-12.membership": "After `reset` members are still members: listed, heard, nobody said to have gone.",
    },
)  # fmt: skip
async def reset(case: Case) -> None:
    """After `reset` no message of the room comes until the next `joined`."""
    room = case.room()
    first, second, third = members = await case.members(room, 3)
    said = await case.answered(first.send(room), role="given")
    await case.delivered(said, members, role="given")
    lost = await case.fault("engine-empty")
    for client in members:
        told = {"kind": "notice", "tree": {"type": "reset", "room": room, "reason": "epoch_changed"}}
        await case.told(client, told, after=lost, says=f"{client.name} is told that the numbering begins anew")
    position = {"epoch": said.field("epoch"), "seq": said.field("seq")}
    again = {"tree": {"already": True, "recovered": False, "reason": "epoch_changed"}}
    await case.answered(third.join(room, after=position), again, check="ROOM-12.rejoin")
    # Those who have not joined again may speak, and must not hear.
    said_since = [
        await case.answered(client.send(room), check="ROOM-12.membership", says=f"{client.name} is still a member")
        for client in (third, second)
    ]
    await case.answered(second.begin("presence", room=room), listed(*members), check="ROOM-12.membership")
    current = {"tree": {"already": True, "head": said_since[-1].field("seq")}}
    await case.answered(first.join(room), current, check="ROOM-12.rejoin")
    heard = await case.answered(third.send(room), role="given")
    await case.delivered(heard, [first, third])
    for client in members:
        await case.answered(client.begin("ping"), role="given")
    over = case.mark("everybody has answered")
    case.stated(ResetIsQuiet(), "nothing of the room comes before who was told to joins again")
    for client in members:
        gone = {"tree": {"type": "presence_event", "room": room, "event": "leave"}}
        nobody = Absent(client.name, gone, after=lost.index, until=over.index, fence={"kind": "pong"})
        case.stated(nobody, "nobody is said to have gone", check="ROOM-12.membership")


@scenario(
    "PRES-6.node-killed", nodes=2, faults="node-kill", needs="presence_events", waits=lambda _: NODE_GONE, conns=6
)
async def node_killed(case: Case) -> None:
    """When a node is killed, those who are connected to it are shown gone within 30 s to members on another."""
    room = case.room()
    watcher, stays = [await case.member(room, node=0) for _ in range(2)]
    there = []
    for _ in range(2):
        client = await case.client(node=1)
        before = case.mark(f"{client.name} joins on the other node")
        await case.given_join(client, room)
        await noticed(case, watcher, client, "joined", after=before, role="given")
        there.append(client)
    op = await case.say(there[0], room)
    await case.delivered(op, [watcher, stays, *there], role="given")
    killed = await case.fault("node-kill", node=1)
    for client in there:
        await noticed(case, watcher, client, "left", after=killed, within=NODE_GONE, wait=NODE_GONE + 1)
    await case.usable(watcher, room, stays)
