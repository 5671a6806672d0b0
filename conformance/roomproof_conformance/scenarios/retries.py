"""Retries under the same `mid`: a message is stored once, whatever became of connections and answers."""

from __future__ import annotations

from collections.abc import Callable

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.dialects import Claims
from roomproof_conformance.judges import Arrives
from roomproof_conformance.judges.replay import Page
from roomproof_conformance.judges.sending import OneOfThem, RetryTells

from .history import bound, time_to_fill
from .messages import burst

NOT_THERE = {"exists": False}


def new_mid(case: Case) -> str:
    """A `mid` that nobody has used."""
    return case.text("mid")


async def first_sent(case: Case, sender: Client, room: str, mid: str) -> Op:
    """A first send under `mid`, admitted: presupposed by what its repetition is answered with."""
    op = await case.say(sender, room, mid=mid)
    return await case.answered(op, {"tree": {"type": "sent", "duplicate": False}}, role="given")


async def repeated(case: Case, first: Op, again: Op, says: str = "") -> None:
    """State that `again` is answered with the numbers of `first` and as its duplicate."""
    same = {name: first.field(name) for name in ("room", "epoch", "seq", "ts")}
    await case.answered(again, {"tree": {"type": "sent", **same, "duplicate": True}}, says=says)


async def only_once(case: Case, room: str, texts: list[str], listeners: list[Client]) -> None:
    """State that exactly these messages were delivered and stored in `room`; a last one proves it."""
    speaker = await case.member(room)
    fence = await case.say(speaker, room)
    for listener in listeners:
        await case.delivered(fence, [listener], role="given")
        for text in texts:
            await case.delivered(text, [listener])
    newcomer = await case.client()
    kept = [*texts, fence.text]
    page = Page(newcomer.join(room).index, ok=True, texts=kept, numbered=False, ordered=False)
    await case.must(page, "the room keeps each message once")


@scenario("MSG-9.same-connection", needs="native", conns=4)
async def same_connection(case: Case) -> None:
    """A send repeated on its connection gets the first seq and ts as a duplicate, and is not delivered again."""
    room, mid = case.room(), new_mid(case)
    sender, listener = await case.members(room, 2)
    first = await first_sent(case, sender, room, mid)
    for _ in range(2):
        await repeated(case, first, sender.send(room, first.text, mid=mid))
    await only_once(case, room, [first.text], [sender, listener])


@scenario("MSG-9.pipelined", needs="native", conns=4)
async def pipelined_repeats(case: Case) -> None:
    """Sends repeated before the first answer came are one message."""
    room, mid, text = case.room(), new_mid(case), case.text()
    sender, listener = await case.members(room, 2)
    ops = [sender.send(room, text, mid=mid) for _ in range(4)]
    await case.must(OneOfThem([op.index for op in ops]), "one of them is the first")
    await only_once(case, room, [text], [sender, listener])


@scenario("MSG-9.other-connection", needs="native", conns=5)
async def other_connection(case: Case) -> None:
    """A send repeated by the same user on another connection that is a member is a duplicate."""
    room, mid = case.room(), new_mid(case)
    listener = await case.member(room)
    one = await case.member(room, user="twin")
    two = await case.member(room, user="twin")
    first = await first_sent(case, one, room, mid)
    await repeated(case, first, two.send(room, first.text, mid=mid))
    await only_once(case, room, [first.text], [one, two, listener])


@scenario("MSG-9.reconnected", needs="native", conns=4)
async def reconnected(case: Case) -> None:
    """A send repeated after all connections of its user had gone is a duplicate."""
    room, mid = case.room(), new_mid(case)
    listener = await case.member(room)
    sender = await case.member(room, user="twin")
    first = await first_sent(case, sender, room, mid)
    await sender.close()
    again = await case.member(room, user="twin")
    await repeated(case, first, again.send(room, first.text, mid=mid))
    await only_once(case, room, [first.text], [listener])


@scenario("MSG-9.back-in-the-room", needs="native", conns=4)
async def back_in_the_room(case: Case) -> None:
    """A send repeated after leaving and joining again is a duplicate."""
    room, mid = case.room(), new_mid(case)
    sender, listener = await case.members(room, 2)
    first = await first_sent(case, sender, room, mid)
    await case.answered(sender.leave(room), role="given")
    await case.given_join(sender, room)
    await repeated(case, first, sender.send(room, first.text, mid=mid))
    await only_once(case, room, [first.text], [listener])


@scenario("MSG-9.no-longer-kept", needs="native", waits=time_to_fill)
async def no_longer_kept(case: Case) -> None:
    """A send repeated when its message is older than all that the room keeps is a duplicate all the same."""
    room, mid, keeps = case.room(), new_mid(case), await bound(case)
    sender = await case.member(room)
    first = await first_sent(case, sender, room, mid)
    await case.fill(room, keeps, watcher=sender)
    await repeated(case, first, sender.send(room, first.text, mid=mid))
    fence = await case.fence(sender, room)
    again = {"kind": "message", "text": first.text}
    await case.must(Arrives(sender.name, again), f"it does not come again before {fence.text}")


@scenario("MSG-9.quota-used-up", needs="native", conns=4)
async def quota_used_up(case: Case) -> None:
    """A duplicate is answered also when its user may send nothing new at the moment."""
    room, mid, text = case.room(), new_mid(case), case.text()
    sender, listener = await case.members(room, 2)
    first = sender.send(room, text, mid=mid)
    for _ in range(burst(case, 100) - 1):
        sender.send(room)
    refused = sender.send(room)
    again = sender.send(room, text, mid=mid)
    await case.answered(first, {"tree": {"duplicate": False}}, role="given")
    await case.refused(refused, {"kind": "rate_limited"}, role="given", says="the quota is used up")
    await repeated(case, first, again)
    fence = await case.say(await case.member(room), room)
    await case.delivered(fence, [sender, listener], role="given")
    await case.delivered(text, [sender, listener])


@scenario("MSG-10.other-text", needs="native", conns=4)
async def other_text(case: Case) -> None:
    """Another text under a used `mid` gives `mid_conflict`, again and again, and is not delivered."""
    room, mid = case.room(), new_mid(case)
    sender, listener = await case.members(room, 2)
    first = await first_sent(case, sender, room, mid)
    for _ in range(2):
        op = sender.send(room, mid=mid)
        await case.refused(op, {"tree": {"type": "error", "code": "mid_conflict", "fatal": False}})
    await only_once(case, room, [first.text], [sender, listener])


@scenario("MSG-10.almost-the-same", needs="native", conns=4)
async def almost_the_same(case: Case) -> None:
    """A text that differs in a blank, in case or only in its normal form is another text."""
    room, mid = case.room(), new_mid(case)
    sender = await case.member(room)
    text = f"{case.text()} \u00e9"
    op = await case.say(sender, room, text, mid=mid)
    await case.answered(op, {"tree": {"duplicate": False}}, role="given")
    for other in (f"{text} ", f" {text}", text.upper(), text.replace("\u00e9", "e\u0301")):
        await case.refused(sender.send(room, other, mid=mid), {"code": "mid_conflict"}, says=f"{other!a} differs")
    await only_once(case, room, [text], [sender])


@scenario("MSG-11.other-user", needs="native", conns=4)
async def other_user(case: Case) -> None:
    """The same `mid`, with the same text too, by another user is another message."""
    room, mid, text = case.room(), new_mid(case), case.text()
    one, two = await case.members(room, 2)
    for client in (one, two):
        await case.answered(client.send(room, text, mid=mid), {"tree": {"type": "sent", "duplicate": False}})
    for client in (one, two):
        both = Arrives(client.name, {"kind": "message", "text": text}, count=2)
        await case.must(both, f"both come to {client.name}")


@scenario("MSG-11.other-room", needs="native")
async def other_room(case: Case) -> None:
    """The same `mid` in another room is another message, whatever its text."""
    here, there, mid, text = case.room(), case.room(), new_mid(case), case.text()
    sender = await case.member(here)
    await case.given_join(sender, there)
    await case.answered(sender.send(here, text, mid=mid), {"tree": {"room": here, "duplicate": False}})
    await case.answered(sender.send(there, text, mid=mid), {"tree": {"room": there, "duplicate": False}})
    for room in (here, there):
        own = Arrives(sender.name, {"kind": "message", "room": room, "text": text})
        await case.must(own, f"{room} has one of them")
    third = case.room()
    await case.given_join(sender, third)
    await case.answered(sender.send(third, mid=mid), {"tree": {"room": third, "duplicate": False}})


@scenario("MSG-12.race", needs="native", conns=5)
async def race(case: Case) -> None:
    """Identical sends racing on two connections are one message, and one answer says `duplicate: false`."""
    room = case.room()
    listener = await case.member(room)
    twins = [await case.member(room, user="twin") for _ in range(2)]
    texts: list[str] = []
    for turn in range(max(1, burst(case, 5) - 1)):
        mid, text = new_mid(case), case.text()
        ops = [client.send(room, text, mid=mid) for client in (twins if turn % 2 else twins[::-1])]
        await case.must(OneOfThem([op.index for op in ops]), "one of the two is the first")
        texts.append(text)
    await only_once(case, room, texts, [*twins, listener])


@scenario("MSG-12.race-of-many", needs="native", conns=8)
async def race_of_many(case: Case) -> None:
    """Five connections of one user sending the same again and again at once make one message."""
    room, mid, text = case.room(), new_mid(case), case.text()
    listener = await case.member(room)
    twins = [await case.member(room, user="twin") for _ in range(5)]
    ops = [client.send(room, text, mid=mid) for _ in range(3) for client in twins]
    await case.must(OneOfThem([op.index for op in ops]), "one of all is the first")
    await only_once(case, room, [text], [*twins, listener])


async def _dropped(case: Case, drop: Callable[[Client], object]) -> None:
    """Sends whose connection is dropped at once, each repeated on a new one; the room shows which were stored."""
    room = case.room()
    listener = await case.member(room)
    texts: list[str] = []
    for _ in range(burst(case, 3)):
        sender = await case.member(room, user="twin")
        mid, text = new_mid(case), case.text()
        lost = sender.send(room, text, mid=mid)
        drop(sender)
        again = await case.member(room, user="twin")
        retry = again.send(room, text, mid=mid)
        says = "the retry tells whether the message had been stored"
        await case.must(RetryTells([lost.index, retry.index], conn=listener.name), says)
        await again.close()
        texts.append(text)
    await only_once(case, room, texts, [listener])


@scenario("MSG-14.reset", needs="native", conns=8)
async def reset_at_once(case: Case) -> None:
    """A connection reset right after a send: the message is stored once or not at all, and the retry tells which."""
    await _dropped(case, Client.reset)


@scenario("MSG-14.half-closed", needs="native", conns=8)
async def half_closed(case: Case) -> None:
    """TCP ended right behind a send: the message is stored once or not at all, and the retry tells which."""
    await _dropped(case, Client.half_close)


@scenario("MSG-14.answer-unread", needs="native", conns=5)
async def answer_unread(case: Case) -> None:
    """A message that reached others before its sender's connection broke is a duplicate when it is sent again."""
    room, mid, text = case.room(), new_mid(case), case.text()
    listener = await case.member(room)
    sender = await case.member(room, user="twin")
    sender.freeze()
    lost = sender.send(room, text, mid=mid)
    await case.delivered(text, [listener], role="given")
    sender.reset()
    again = await case.member(room, user="twin")
    retry = again.send(room, text, mid=mid)
    await case.answered(retry, {"tree": {"type": "sent", "duplicate": True}})
    await case.must(RetryTells([lost.index, retry.index], conn=listener.name), "and it is that message")
    await only_once(case, room, [text], [listener])


@scenario("MSG-15.own-connections", needs="native", conns=6)
async def own_connections(case: Case) -> None:
    """The live message carries its `mid` on all of the sender's connections, and on nobody else's."""
    room, mid = case.room(), new_mid(case)
    others = await case.members(room, 2)
    own = [await case.member(room, user="twin") for _ in range(2)]
    op = await first_sent(case, own[0], room, mid)
    await case.delivered(op, [*own, *others], role="given")
    for client in own:
        with_mid = {"kind": "message", "text": op.text, "tree": {"mid": mid}}
        await case.must(Arrives(client.name, with_mid), f"{client.name} is the sender's and is told the mid")
    for client in others:
        without = {"kind": "message", "text": op.text, "tree": {"mid": NOT_THERE}}
        await case.must(Arrives(client.name, without), f"{client.name} is somebody else's and is not")
    plain = await case.say(own[0], room)
    none = {"kind": "message", "text": plain.text, "tree": {"mid": NOT_THERE}}
    await case.must(Arrives(own[1].name, none), "a message sent without a mid has none")


@scenario("MSG-15.replayed", needs="native", conns=4)
async def replayed(case: Case) -> None:
    """Replayed messages carry no `mid`, not even for their sender: by join, by request, and in a recovery."""
    room, mid = case.room(), new_mid(case)
    sender = await case.client(user="twin")
    epoch = (await case.given_join(sender, room)).field("epoch")
    first = await first_sent(case, sender, room, mid)
    again = await case.client(user="twin")
    newcomer = await case.client()
    for op in (
        again.join(room),
        again.begin("history", room=room),
        again.join(room, after={"epoch": epoch, "seq": 0}),
        newcomer.join(room),
    ):
        where = {"tree": {"messages": {"items": {"mid": NOT_THERE}}}}
        page = Page(op.index, where, ok=True, texts=[first.text], numbered=False)
        await case.must(page, f"{op.record.data['op']} replays it without its mid")


async def _mid_is_free(case: Case, sender: Client, room: str, mid: str, after: str) -> None:
    """State that `mid` can be used for a new text."""
    op = await case.say(sender, room, mid=mid)
    await case.answered(op, {"tree": {"type": "sent", "duplicate": False}}, says=f"the mid is free after {after}")
    await case.delivered(op, [sender])


@scenario("MSG-16.invalid", needs="native")
async def invalid_claims_nothing(case: Case) -> None:
    """A send refused for its text does not use up its `mid`."""
    room = case.room()
    sender = await case.member(room)
    longest = case.claims.sizes.text_bytes or 4096
    for text, code in (
        ("", "invalid_text"),
        ("a\rb", "invalid_text"),
        ("x" * (longest + 1), "text_too_long"),
    ):
        mid = new_mid(case)
        await case.refused(sender.send(room, text, mid=mid), {"code": code}, role="given")
        await _mid_is_free(case, sender, room, mid, code)


@scenario("MSG-16.not-joined", needs="native")
async def outsider_claims_nothing(case: Case) -> None:
    """A send refused for want of membership does not use up its `mid`."""
    room, mid = case.room(), new_mid(case)
    sender = await case.client()
    await case.refused(sender.send(room, mid=mid), {"code": "not_joined"}, role="given")
    await case.given_join(sender, room)
    await _mid_is_free(case, sender, room, mid, "not_joined")


@scenario("MSG-16.conflict", needs="native", conns=4)
async def conflict_claims_nothing(case: Case) -> None:
    """A text refused for its `mid` leaves that `mid` with the first text."""
    room, mid = case.room(), new_mid(case)
    sender = await case.member(room)
    first = await first_sent(case, sender, room, mid)
    other = sender.send(room, mid=mid)
    await case.refused(other, {"code": "mid_conflict"}, role="given")
    again = sender.send(room, other.text, mid=mid)
    await case.refused(again, {"code": "mid_conflict"}, says="the refused text has not taken it over")
    await case.answered(sender.send(room, first.text, mid=mid), says="the first text still has it")


def _a_window(claims: Claims) -> float:
    return (claims.rate_limit.per if claims.rate_limit else None) or 1.0


@scenario("MSG-16.rate-limited", needs="native", waits=_a_window)
async def refused_rate_claims_nothing(case: Case) -> None:
    """A send refused for its rate does not use up its `mid`: later it is admitted, with another text too."""
    room, mid = case.room(), new_mid(case)
    sender = await case.member(room)
    for _ in range(burst(case, 100)):
        sender.send(room)
    refused = sender.send(room, mid=mid)
    await case.refused(refused, {"kind": "rate_limited"}, role="given", says="the quota is used up")
    await case.wait(_a_window(case.claims) + 0.05, "the quota is there again")
    await _mid_is_free(case, sender, room, mid, "rate_limited")
    stored = Arrives(sender.name, {"kind": "message", "text": refused.text}, count=0)
    await case.must(stored, "the refused text is not delivered")
