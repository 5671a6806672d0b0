"""What a server must do when it is set so ([cfg] rows); the kit asks for the setting through its start hook."""

from __future__ import annotations

from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import AtMost, Ends, Opens, Replied
from roomproof_conformance.judges.prompt import InTime

COUNTED = 10.0
"""Seconds after which the count of a large room must be right (PRES-5)."""
GUARD_CONNS = 6
GUARD_MESSAGES = 8
GUARD = {
    "conns": GUARD_CONNS,
    "guests": {"count": 12, "window_ms": 600_000},
    "messages": {"count": GUARD_MESSAGES, "window_ms": 60_000},
}


@scenario("RATE-14.off-for-loopback", needs="native")
async def off_for_loopback(case: Case) -> None:
    """By default there is no limit per address for clients of the same machine, and `welcome` says so."""
    stranger = case.stranger()
    await stranger.connect()
    await case.answered(case.identify(stranger), {"tree": {"limits": {"per_address": None}}})


@scenario("RATE-14.messages", own_server=True, settings={"per_address": GUARD}, needs="native")
async def guests_share_a_count(case: Case) -> None:
    """Where limits per address hold, guests cannot be minted to send more: their messages count together."""
    room = case.room()
    one, two = await case.members(room, 2)
    stated = {"tree": {"limits": {"per_address": {"messages": {"eq": GUARD["messages"]}}}}}
    stranger = case.stranger()
    await stranger.connect()
    await case.answered(case.identify(stranger), stated, says="welcome states the limit")
    ops = []
    for _ in range(5):
        for client in (one, two):
            op = client.send(room)
            ops.append(op)
            await op
    judge = AtMost(GUARD_MESSAGES, 60.0, [op.index for op in ops])
    await case.must(judge, "no more than the address may send, by however many guests")
    refusal = {"code": "rate_limited", "tree": {"limit": {"scope": "address"}, "fatal": False}}
    for op in ops[-2:]:
        await case.refused(op, refusal)


@scenario("RATE-14.connections", own_server=True, settings={"per_address": GUARD}, needs="native", conns=8)
async def connections_per_address(case: Case) -> None:
    """Where limits per address hold, one connection too many is refused with 429 or closed 4230; the others stay."""
    room = case.room()
    members = [await case.member(room) for _ in range(GUARD_CONNS)]
    late = case.stranger()
    if await late.connect():
        case.identify(late)
        await case.must(Ends(late.name, codes=[4230]), "one too many is turned away")
    else:
        await case.must(Opens(late.name, [429]), "one too many is turned away", wait=0)
    op = members[0].send(room)
    await case.delivered(op, [members[1]])
    for member in members:
        case.still_open(member)


@scenario("LIMIT-7.forgotten", settings={"room_ttl_ms": 1000}, needs="native", waits=lambda _: 4.0)
async def forgotten(case: Case) -> None:
    """A room that nobody used for `room_ttl_ms` is forgotten, and has a new epoch when it comes back."""
    room = case.room()
    member = await case.member(room)
    op = member.send(room)
    await case.answered(op, role="given")
    await case.answered(member.leave(room), role="given")
    await case.wait(4.0, "nobody is in the room")
    back = member.join(room)
    same = {"eq": op.field("epoch")}
    anew, kept = {"epoch": {"not": same}, "messages": {"len": 0}}, {"epoch": same, "head": op.field("seq")}
    either = {"any_of": [anew, kept]}
    await case.answered(back, {"tree": either}, says="it is what it was, or another one in a new epoch")
    await case.should(Replied(back.index, {"tree": anew}, ok=True), "it is forgotten", wait=0)


@scenario("LIMIT-7.kept", settings={"room_ttl_ms": 1000}, needs="native", waits=lambda _: 3.0)
async def kept(case: Case) -> None:
    """A room with a member is not forgotten, however silent it is."""
    room = case.room()
    member = await case.member(room)
    op = member.send(room)
    await case.answered(op, role="given")
    await case.wait(3.0, "somebody is in the room")
    other = await case.client()
    await case.answered(other.join(room), {"tree": {"head": op.field("seq"), "epoch": {"eq": op.field("epoch")}}})


@scenario("PRES-5.crowd", settings={"presence_max": 3}, needs="native", conns=8)
async def crowd(case: Case) -> None:
    """In a room above `presence_max` the count is right, and the list says that it is cut."""
    room = case.room()
    members = await case.members(room, 6)
    # `members` is a word of the pattern language: the outer one says that the rest are names.
    roster = {"members": {"count": 6, "truncated": True, "members": {"len": 3}}}
    await case.answered(members[0].begin("presence", room=room), {"tree": roster})
    await members[5].close()
    deadline = case.watch.now() + COUNTED
    asked = await members[0].begin("presence", room=room)
    while asked.event is not None and asked.event.tree.get("count") != 5 and case.watch.now() < deadline:
        await case.wait(0.5, "the count is to follow")
        asked = await members[0].begin("presence", room=room)
    await case.answered(asked, {"tree": {"count": 5, "truncated": True}}, says="who has left is not counted for long")


@scenario("AUTH-12.last-use", settings={"guest_ttl_ms": 3000}, needs="native", waits=lambda _: 3.6)
async def guest_last_use(case: Case) -> None:
    """A guest token is valid for `guest_ttl_ms` after its last use, however long ago the first one was."""
    guest = await case.client(user="guest")
    who = guest.session.identity
    for _ in range(2):
        await guest.close()
        unused = await case.wait(1.7, "the token is not used")
        guest = case.stranger(user="guest")
        await guest.connect()
        hello = await case.identify(guest)
        late = InTime(unused.index, case.mark("used again").index, 2.5)
        await case.given(late, "the kit used it again in time", wait=0)
        await case.answered(hello, {"tree": {"user": {"id": {"eq": who}}}}, says="it is the same guest")


@scenario("AUTH-13.expired", settings={"guest_ttl_ms": 1000}, needs="native", waits=lambda _: 2.5)
async def guest_expired(case: Case) -> None:
    """A guest token that was not used for `guest_ttl_ms` closes 4101, and makes no other guest."""
    guest = await case.client(user="guest")
    await guest.close()
    await case.wait(2.5, "the token is not used")
    again = case.stranger(user="guest")
    await again.connect()
    await case.refused(case.identify(again), {"tree": {"fatal": True}})
    await case.ended(again, codes=[4101])
