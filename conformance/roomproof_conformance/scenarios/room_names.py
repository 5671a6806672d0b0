"""Which rooms there are: their names, how many a connection may be in, and joins that are refused."""

from __future__ import annotations

import json

from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario, watch
from roomproof_conformance.judges import InTurn, JoinedFirst

from .native import ask, error, pong, replied, series
from .rate import window

watch("ROOM-4.every-room", needs="join_first")(JoinedFirst)


def _odd_names(room: str) -> dict[str, str]:
    """Names that the grammar refuses, most of which a careless server folds or trims into `room`."""
    return {
        "upper case": room.upper(),
        "a blank behind": f"{room} ",
        "a blank in front": f" {room}",
        "a newline behind": f"{room}\n",
        "a NUL behind": f"{room}\0",
        "a tab": f"{room}\t",
        "a zero-width space": f"{room}\u200b",
        "a soft hyphen": f"\u00ad{room}",
        "full-width letters": room.translate({c: c + 0xFEE0 for c in range(0x21, 0x7F)}),
        "a dot behind": f"{room}.",
        "a hyphen in front": f"-{room}",
        "an underscore behind": f"{room}_",
        "a slash": f"{room}/",
        "a hash in front": f"#{room}",
        "percent encoding": f"{room}%20",
        "a blank inside": f"{room[:3]} {room[3:]}",
        "an accent": f"{room}\u00e9",
        "65 characters": room.ljust(65, "x"),
        "a byte order mark": f"\ufeff{room}",
    }


@scenario("ROOM-1.refused", conns=2)
async def refused_names(case: Case) -> None:
    """A room name that is not of the grammar gives `invalid_room`."""
    room = case.room()
    client = await case.client()
    names = {**_odd_names(room), "nothing": "", "a dot": ".", "a slash alone": "/"}
    frames = {name: json.dumps({"type": "join", "id": "j1", "room": odd}) for name, odd in names.items()}
    await series(case, client, frames, error("invalid_room", re="j1"))
    await case.answered(client.join(room), {"tree": {"room": room}})


@scenario("ROOM-1.not-folded", conns=4)
async def not_folded(case: Case) -> None:
    """A name that is not of the grammar is never taken for the valid name that it resembles, whatever the request."""
    room = case.room()
    speaker, witness = await case.members(room, 2)
    outsider = await case.client()
    odd, text = _odd_names(room), case.text()
    for kind, more in {"join": {}, "leave": {}, "send": {"text": text}, "history": {}, "presence": {}}.items():
        frames = {
            f"{kind} {name}": json.dumps({"type": kind, "id": "o1", "room": odd[name], **more})
            for name in ("upper case", "a blank behind", "a newline behind", "a NUL behind")
        }
        await series(case, outsider, frames, error("invalid_room", re="o1"))
        await series(case, witness, frames if kind != "join" else {}, error("invalid_room", re="o1"))
    secret = await case.say(speaker, room)
    await case.delivered(secret, [witness])
    case.never(witness, {"text": text}, fence=secret, says="nothing was folded into the room")
    own = case.room()
    await case.given_join(outsider, own)
    fence = await case.fence(outsider, own)
    case.never(outsider, {"text": secret.text}, fence=fence, says="nor did anybody come in")


@scenario("ROOM-1.accepted", conns=2)
async def accepted_names(case: Case) -> None:
    """Every name of the grammar is accepted as it stands: one character, 64, dots, hyphens, underscores inside."""
    room = case.room()
    client = await case.client()
    for name in ("0", "z", f"{room}.a_b-c..d--e", f"9-{room}", room.ljust(64, "y"), f"{room}-dm.x"):
        asked = ask(client, type="join", id="j1", room=name, history=0)
        await replied(case, client, asked, {"type": "joined", "re": "j1", "room": {"eq": name}}, f"{name} is a room")


@scenario("ROOM-2.limit", conns=3)
async def room_limit(case: Case) -> None:
    """A connection can be in `rooms_per_conn` rooms; one more gives `too_many_rooms` and leaves the rest intact."""
    client = await case.client()
    count = case.claims.rooms.max_joined or case.advertised["limits"]["rooms_per_conn"]
    rooms = [case.room() for _ in range(count)]
    ops = [client.join(room) for room in rooms]
    for op in ops:
        await case.answered(op)
    over = client.join(case.room())
    await case.refused(over, {"code": "too_many_rooms"})
    await case.answered(client.join(rooms[0]), {"tree": {"type": "joined"}}, says="joining one again is no new room")
    other = await case.client()
    for room in (rooms[0], rooms[count // 2], rooms[-1]):
        await case.given_join(other, room)
        op = await case.say(other, room)
        await case.delivered(op, [client])
    await case.answered(client.leave(rooms[1]))
    await case.answered(client.join(case.room()), says="leaving one makes place for another")


@scenario("ROOM-4.busy-room", needs="join_first", conns=8, waits=window)
async def busy_room(case: Case) -> None:
    """In a room where others talk and come at the same time, `joined` comes before anything else of the room."""
    room = case.room()
    speakers = await case.members(room, 3)
    late = [await case.client(room) for _ in range(4)]
    joins = []
    for client in late:
        for speaker in speakers:
            await case.say(speaker, room)
        joins.append(client.join(room))
        await case.say(speakers[0], room)
    for op in joins:
        await case.answered(op, role="given")
    fence = await case.say(speakers[1], room)
    await case.delivered(fence, late, role="given")
    await case.must(JoinedFirst(), "the answer to the join comes first")


@scenario("ROOM-8.pipelined", needs="rooms", conns=3, waits=lambda _: 0.3)
async def leave_then_join(case: Case) -> None:
    """Leaving and joining again in one breath ends in the room."""
    room = case.room()
    speaker, member = await case.members(room, 2)
    leave, join = member.leave(room), member.join(room)
    await case.answered(join, says="the join is answered")
    await case.settled(leave)
    await case.wait(0.3, "what is still under way takes effect")
    op = await case.say(speaker, room)
    await case.delivered(op, [member])
    back = await case.say(member, room)
    await case.delivered(back, [speaker])


@scenario("ROOM-8.one-of-each", needs="native", conns=3)
async def one_of_each(case: Case) -> None:
    """Leave and join pipelined, three times over, are answered by one `left` before one `joined` each time."""
    room = case.room()
    speaker, member = await case.members(room, 2)
    begin = case.mark("leave and join, three times")
    for number in range(3):
        ask(member, type="leave", id=f"l{number}", room=room)
        ask(member, type="join", id=f"j{number}", room=room, history=0)
    wheres = [{"tree": {"type": t, "re": f"{t[0]}{n}"}} for n in range(3) for t in ("left", "joined")]
    both = {"tree": {"type": {"in": ["left", "joined"]}}}
    await case.must(InTurn(member.name, wheres, begin.index, of=both), "one left, then one joined")
    op = await case.say(speaker, room)
    await case.delivered(op, [member])


@scenario("ROOM-11.stays-outside", conns=4)
async def refused_outside(case: Case) -> None:
    """Who was refused a join stays outside: no `joined`, no presence event, nothing of the room."""
    room, own = case.room(), case.room()
    speaker, witness = await case.members(room, 2)
    outsider = await case.member(own)
    begin = case.mark("joins are refused")
    too_much = {
        "a history too long": {"history": case.advertised["limits"]["history"] + 1},
        "a bad position": {"after": {"epoch": "e"}},
    }
    frames = {n: json.dumps({"type": "join", "id": "j1", "room": room, **extra}) for n, extra in too_much.items()}
    await series(case, outsider, frames, error("invalid_message", re="j1"))
    secret = await case.say(speaker, room)
    await case.delivered(secret, [witness], role="given")
    fence = await case.fence(outsider, own)
    end = case.mark("all that could come has come")
    announced = {"kind": {"in": ["joined", "left"]}, "from": {"exists": True}}
    case.never(outsider, {"room": room}, fence=fence, after=begin, until=end, says="nothing of the room comes")
    case.never(witness, announced, fence=secret, after=begin, until=end, says="nobody is announced")
    await case.refused(outsider.send(room), {"code": "not_joined"})


@scenario("ROOM-11.stays-member", conns=3)
async def refused_member(case: Case) -> None:
    """A member whose second join is refused stays a member."""
    room = case.room()
    speaker, member = await case.members(room, 2)
    again = ask(member, type="join", id="j1", room=room, history=-1)
    await replied(case, member, again, error("invalid_message", re="j1"), "the join is refused")
    op = await case.say(speaker, room)
    await case.delivered(op, [member])
    back = await case.say(member, room)
    await case.delivered(back, [speaker])


@scenario("ROOM-13.reserved", conns=2)
async def reserved(case: Case) -> None:
    """A room that begins `dm.` is reserved: every request for one gives `forbidden`."""
    client = await case.client()
    room = f"dm.{case.room()}"
    text = case.text()
    for kind, more in {"join": {}, "send": {"text": text}, "history": {}, "presence": {}, "leave": {}}.items():
        asked = ask(client, type=kind, id="d1", room=room, **more)
        await replied(case, client, asked, error("forbidden", re="d1"), f"{kind} of a reserved room is refused")
    await pong(case, client)
