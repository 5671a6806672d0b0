"""Rooms: isolation, membership, leaving."""

from __future__ import annotations

from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import Arrives


@scenario("ROOM-3.other-room", needs="rooms")
async def other_room(case: Case) -> None:
    """A message to one room does not reach a member of another one."""
    here, there = case.room(), case.room()
    speaker, witness = await case.members(here, 2)
    outsider, neighbour = await case.members(there, 2)
    secret = await case.say(speaker, here)
    await case.delivered(secret, [witness], role="given")
    fence = await case.say(neighbour, there)
    await case.delivered(fence, [outsider], role="given")
    case.never(outsider, {"text": secret.text}, fence=fence, says="the message stays in its room")


@scenario("ROOM-3.before-join", needs="rooms join_request")
async def before_join(case: Case) -> None:
    """A client that has identified itself and joined nothing gets no message of a room."""
    room = case.room()
    speaker, witness = await case.members(room, 2)
    idle = await case.client()
    secret = await case.say(speaker, room)
    await case.delivered(secret, [witness], role="given")
    own = case.room()
    await case.given_join(idle, own)
    fence = await case.fence(idle, own)
    case.never(idle, {"kind": "message", "text": secret.text}, fence=fence, says="nothing is overheard")


@scenario("ROOM-3.outsider-writes", needs="rooms join_request non_member_send")
async def outsider_writes(case: Case) -> None:
    """Who is not a member cannot write into a room either."""
    room = case.room()
    speaker, witness = await case.members(room, 2)
    outsider = await case.member(case.room())
    intrusion = outsider.send(room)
    await intrusion
    fence = await case.say(speaker, room)
    await case.delivered(fence, [witness], role="given")
    case.never(witness, {"text": intrusion.text}, fence=fence, says="an outsider's message is not delivered")


@scenario("ROOM-6.left", needs="leave rooms")
async def left(case: Case) -> None:
    """After leaving, nothing of the room arrives."""
    room, other = case.room(), case.room()
    speaker, witness = await case.members(room, 2)
    leaver = await case.member(room)
    first = await case.say(speaker, room)
    await case.delivered(first, [leaver, witness], role="given")
    gone = leaver.leave(room)
    await gone
    await case.settled(gone)
    secret = await case.say(speaker, room)
    await case.delivered(secret, [witness], role="given")
    await case.given_join(leaver, other)
    fence = await case.fence(leaver, other)
    case.never(leaver, {"kind": "message", "text": secret.text}, fence=fence, after=gone, says="left means left")


@scenario("ROOM-5.twice", needs="join_request")
async def joining_twice(case: Case) -> None:
    """Joining a room again does not make messages arrive twice."""
    room = case.room()
    speaker, member = await case.members(room, 2)
    await case.answered(member.join(room))
    op = await case.say(speaker, room)
    await case.delivered(op, [member])
    fence = await case.say(speaker, room)
    await case.delivered(fence, [member])


@scenario("ROOM-5.already", needs="native")
async def already(case: Case) -> None:
    """Joining again is answered like any join, with `already: true`."""
    room = case.room()
    member = await case.client()
    await case.answered(member.join(room), {"tree": {"type": "joined", "already": False}})
    await case.answered(member.join(room), {"tree": {"type": "joined", "already": True, "room": room}})


@scenario("ROOM-7.not-joined", needs="native")
async def leave_not_joined(case: Case) -> None:
    """Leaving a room that was never joined succeeds, twice too."""
    client = await case.client()
    room = case.room()
    await case.answered(client.leave(room), {"tree": {"type": "left", "room": room}})
    await case.answered(client.leave(room), {"tree": {"type": "left", "room": room}})


@scenario("ROOM-9.other-connection", needs="leave same_user join_request")
async def leave_on_one(case: Case) -> None:
    """Leaving on one connection leaves the same user's other connection in the room."""
    room = case.room()
    speaker = await case.member(room)
    one = await case.member(room, user="twin")
    two = await case.member(room, user="twin")
    await case.settled(await one.leave(room))
    op = await case.say(speaker, room)
    await case.delivered(op, [two])
    back = await case.say(two, room)
    await case.must(
        Arrives(speaker.name, {"kind": "message", "text": back.text}), "the other connection can still send"
    )


@scenario("ROOM-9.other-ends", needs="same_user rooms join_request", waits=lambda _: 0.3)
async def end_of_one(case: Case) -> None:
    """When one connection is closed and another is cut, the same user's third is still in the room."""
    room = case.room()
    speaker = await case.member(room)
    closed, cut, left = [await case.member(room, user="twin") for _ in range(3)]
    await closed.close()
    cut.reset()
    await case.wait(0.3, "the server sees that two of them are gone")
    op = await case.say(speaker, room)
    await case.delivered(op, [left])
    back = await case.say(left, room)
    await case.must(Arrives(speaker.name, {"kind": "message", "text": back.text}), "the third can still send")
