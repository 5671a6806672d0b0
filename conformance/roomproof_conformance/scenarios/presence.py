"""Presence: who is in a room, and how the others learn of it. Users count, not connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.dialects import Claims
from roomproof_conformance.dialects.claims import Presence
from roomproof_conformance.judges import Arrives
from roomproof_conformance.judges.presence import ComesAt, Framed
from roomproof_conformance.judges.prompt import InTime
from roomproof_conformance.transcript import Record

from .one_write import acting, in_one_write

SLACK = 2.0
"""Seconds of slack that the protocol grants to bounds on time."""


def claimed(claims: Claims) -> Presence:
    """What is claimed of presence; nothing where nothing is."""
    return claims.presence or Presence()


def grace(claims: Claims) -> float:
    """Seconds in which a lost user may come back unnoticed."""
    return claimed(claims).grace or 0.0


def long_enough(case: Case) -> float:
    """Seconds after which a leave that was not told will not be told: how soon it comes is another sentence."""
    return grace(case.claims) + SLACK + case.patience


def about(case: Case, client: Client, kind: str) -> dict[str, Any]:
    """The event by which others learn that the user of `client` `joined` or `left`."""
    who = {"from": {"eq": client.session.identity}} if claimed(case.claims).named else {}
    return {"kind": kind, **who}


async def noticed(
    case: Case,
    observer: Client,
    client: Client,
    kind: str,
    *,
    after: Record,
    within: float | None = None,
    **options: Any,
) -> None:
    """`observer` is told once that the user of `client` `joined` or `left`; at least once where no event says who."""
    anybody = not claimed(case.claims).named
    judge = Arrives(observer.name, about(case, client, kind), after.index, at_least=anybody, within=within)
    await case.must(judge, f"{observer.name} is told that {client.name} {kind}", **options)


def roster(count: int, truncated: bool, members: Any) -> dict[str, Any]:
    """What an answer to `presence` says, as a pattern (in which a member called `members` must be quoted so)."""
    return {"tree": {"members": {"count": count, "truncated": truncated, "members": members}}}


def listed(*clients: Client) -> dict[str, Any]:
    """The answer to `presence` when exactly these users are in the room."""
    each = [{"contains": {"id": {"eq": client.session.identity}}} for client in clients]
    return roster(len(clients), False, {"all_of": [{"len": len(clients)}, *each]})


# -- the roster ---------------------------------------------------------------------------------------


@scenario("PRES-1.once", needs="native", conns=5)
async def once(case: Case) -> None:
    """`presence` lists each user once, the caller and one with three connections included."""
    room = case.room()
    caller, other = await case.members(room, 2)
    twin, *_ = [await case.member(room, user="twin") for _ in range(3)]
    await case.answered(caller.begin("presence", room=room), listed(caller, other, twin))
    await case.answered(twin.begin("presence", room=room), listed(caller, other, twin))


@scenario("PRES-1.grace", needs="native", waits=grace)
async def in_grace(case: Case) -> None:
    """A lost user is listed until the grace ends, and not afterwards."""
    room = case.room()
    caller, victim = await case.members(room, 2)
    lost = victim.reset()
    await case.wait(grace(case.claims) / 2, "half the grace")
    meanwhile = await caller.begin("presence", room=room)
    within = InTime(lost.index, case.mark("asked within the grace").index, grace(case.claims))
    await case.given(within, "the kit asked within the grace", wait=0)
    await case.answered(meanwhile, listed(caller, victim))
    bound = grace(case.claims) + SLACK
    await case.told(caller, about(case, victim, "left"), after=lost, role="given", wait=bound, says="the grace ends")
    await case.answered(caller.begin("presence", room=room), listed(caller))


@scenario("PRES-1.truncated", needs="native", conns=6, settings={"presence_max": 3})
async def truncated(case: Case) -> None:
    """Above `presence_max` users the list is cut to that many, and `count` and `truncated` say so."""
    room = case.room()
    most = case.advertised["limits"]["presence_max"]
    callers = await case.members(room, most)
    await case.answered(callers[0].begin("presence", room=room), listed(*callers))
    await case.members(room, 2)
    await case.answered(callers[0].begin("presence", room=room), roster(most + 2, True, {"len": most}))


# -- the events -----------------------------------------------------------------------------------------


@scenario("PRES-2.come-and-go", needs="presence_events", waits=grace)
async def come_and_go(case: Case) -> None:
    """The other members are told once when a user comes, and once when the user goes."""
    room = case.room()
    others = await case.members(room, 2)
    begin = case.mark("somebody comes")
    comer = await case.member(room)
    for other in others if claimed(case.claims).join else ():
        await noticed(case, other, comer, "joined", after=begin)
    gone = case.mark("and goes")
    await comer.close()
    for other in others if claimed(case.claims).leave else ():
        await noticed(case, other, comer, "left", after=gone, wait=long_enough(case))


@scenario("PRES-2.second-connection", needs="presence_events same_user", waits=grace)
async def second_connection(case: Case) -> None:
    """A user's second connection is no event, nor is the end of the first; the end of the last one is."""
    room = case.room()
    watcher, speaker = await case.members(room, 2)
    begin = case.mark("a user comes")
    first = await case.member(room, user="twin")
    came, went = about(case, first, "joined"), about(case, first, "left")
    if claimed(case.claims).join:
        await noticed(case, watcher, first, "joined", after=begin, role="given")
    between = case.mark("a second connection")
    second = await case.member(room, user="twin")
    await first.close()
    fence = await case.say(speaker, room)
    await case.delivered(fence, [watcher], role="given")
    end = case.mark("the last connection ends")
    for where in (came, went):
        case.never(
            watcher, where, fence=fence, after=between, until=end, says="one connection more or less is no event"
        )
    await second.close()
    if claimed(case.claims).leave:
        await noticed(case, watcher, first, "left", after=end, wait=long_enough(case))


@scenario("PRES-2.leave-on-one", needs="native")
async def leave_on_one(case: Case) -> None:
    """Leaving on one of two connections is no event, leaving on the other one is."""
    room = case.room()
    watcher = await case.member(room)
    one, two = [await case.member(room, user="twin") for _ in range(2)]
    begin = case.mark("the first leaves")
    await case.answered(one.leave(room), role="given")
    fence = await case.say(two, room)
    await case.delivered(fence, [watcher], role="given")
    last = two.leave(room)
    went = about(case, two, "left")
    case.never(watcher, went, fence=fence, after=begin, until=last.record, says="the user is still there")
    await case.told(watcher, went, after=last, says="the user has left")


@scenario("PRES-2.lost-one", needs="native", waits=lambda claims: grace(claims) + 1.0)
async def lost_one(case: Case) -> None:
    """The loss of one of two connections is no event, after the grace either."""
    room = case.room()
    watcher = await case.member(room)
    one, two = [await case.member(room, user="twin") for _ in range(2)]
    lost = one.reset()
    await case.wait(grace(case.claims) + 1.0, "the grace passes")
    fence = await case.say(two, room)
    await case.delivered(fence, [watcher])
    case.never(watcher, about(case, two, "left"), fence=fence, after=lost, says="the user is still there")


@scenario("PRES-2.not-itself", needs="native")
async def not_itself(case: Case) -> None:
    """No connection is sent an event about its own user."""
    room = case.room()
    watcher = await case.member(room)
    begin = case.mark("a user comes")
    one = await case.member(room, user="twin")
    came = Arrives(watcher.name, about(case, one, "joined"), begin.index, at_least=True)
    await case.given(came, "the others are told who comes")
    two = await case.member(room, user="twin")
    gone = two.leave(room)
    await case.answered(gone, role="given")
    await case.given_join(two, room)
    fence = await case.say(watcher, room)
    own = {"tree": {"type": "presence_event", "user": {"id": one.session.identity}}}
    for client in (one, two):
        await case.delivered(fence, [client], role="given")
        case.never(client, own, fence=fence, after=begin, says="nobody is told of themselves")


# -- when -------------------------------------------------------------------------------------------------


@scenario("PRES-3.at-once", needs="native")
async def at_once(case: Case) -> None:
    """An explicit leave and a close 1000 by the client are told at once."""
    room = case.room()
    watcher, leaver, closer = await case.members(room, 3)
    left, closed = leaver.leave(room), closer.send_close(1000)
    for client, since in ((leaver, left.index), (closer, closed.index)):
        judge = ComesAt(watcher.name, about(case, client, "left"), since, 0.0, 1.0)
        await case.must(judge, f"{client.name} is gone at once")


@scenario("PRES-3.grace", needs="native", conns=5, waits=grace)
async def after_grace(case: Case) -> None:
    """A reset, a FIN, a close 1001 and one without a code are told when the grace has passed, not before."""
    room = case.room()
    watcher, *lost = await case.members(room, 5)
    ends: tuple[Callable[[Client], object], ...] = (
        Client.reset,
        Client.half_close,
        lambda client: client.send_close(1001),
        lambda client: client.send_close(None),
    )
    since = []
    for client, end in zip(lost, ends, strict=True):
        since.append(case.mark(f"{client.name} is lost").index)
        end(client)
    earliest, latest = grace(case.claims) - 0.05, grace(case.claims) + SLACK
    for client, index in zip(lost, since, strict=True):
        judge = ComesAt(watcher.name, about(case, client, "left"), index, earliest, latest)
        await case.must(judge, f"{client.name} is gone after the grace", wait=latest + 1.0)


@scenario("PRES-3.back", needs="native", waits=lambda claims: grace(claims) + 1.0)
async def back_in_time(case: Case) -> None:
    """A user who was lost and is back in the room within the grace was never gone for the others."""
    room = case.room()
    watcher = await case.member(room)
    lost = await case.member(room, user="twin")
    await case.told(watcher, about(case, lost, "joined"), says="the user is seen to come", role="given")
    begin = lost.reset()
    back = await case.member(room, user="twin")
    await case.wait(grace(case.claims) + 1.0, "the grace passes")
    fence = await case.say(back, room)
    await case.delivered(fence, [watcher])
    for kind in ("left", "joined"):
        case.never(watcher, about(case, back, kind), fence=fence, after=begin, says="the user was never gone")


# -- beside the messages ------------------------------------------------------------------------------------


@scenario("PRES-4.between-messages", needs="native")
async def between_messages(case: Case) -> None:
    """Who comes and goes between two messages uses no number, and the events carry none."""
    room = case.room()
    speaker, watcher = await case.members(room, 2)
    before = await case.answered(await case.say(speaker, room), role="given")
    comer = await case.member(room)
    await case.answered(comer.leave(room), role="given")
    for kind in ("joined", "left"):
        await case.told(watcher, about(case, comer, kind), after=before, says="it is told", role="given")
    after = await case.say(speaker, room)
    await case.answered(after, {"tree": {"seq": before.field("seq") + 1}}, says="the next message has the next number")
    await case.delivered(after, [watcher])
    numbered = {"tree": {"type": "presence_event", "seq": {"exists": True}}}
    case.never(watcher, numbered, fence=after, after=before, says="the events carry no number")


def framing(case: Case, watcher: Client, comer: Client, texts: list[str], after: int) -> Framed:
    """The judge of PRES-7, as far as events are claimed."""
    presence = claimed(case.claims)
    came = about(case, comer, "joined") if presence.join else None
    went = about(case, comer, "left") if presence.leave else None
    return Framed(watcher.name, texts, came, went, after)


@scenario("PRES-7.visit", needs="presence_events", waits=grace)
async def visit(case: Case) -> None:
    """A user's join event comes before the first message, the leave event after the last."""
    room = case.room()
    watcher = await case.member(room)
    begin = case.mark("a visit")
    comer = await case.member(room)
    ops = [await case.say(comer, room) for _ in range(2)]
    await case.delivered(ops[-1], [watcher], role="given")
    await comer.close()
    judge = framing(case, watcher, comer, [op.text for op in ops], begin.index)
    await case.must(judge, "events frame the messages", wait=long_enough(case))


@scenario("PRES-7.one-write", needs="native")
async def one_write(case: Case) -> None:
    """Join, messages and leave in one write: still the join event first, and the leave event last."""
    room = case.room()
    watcher = await case.member(room)
    comer = await case.client()
    texts = [case.text() for _ in range(3)]
    frames = acting(comer, "join", room=room)
    for text in texts:
        frames += acting(comer, "send", room=room, text=text)
    sent = in_one_write(comer, *frames, *acting(comer, "leave", room=room))
    await case.must(framing(case, watcher, comer, texts, sent.index), "events frame the messages")
