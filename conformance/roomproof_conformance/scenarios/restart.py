"""What a stop, a kill and a new start must leave behind ([hook] rows); each has a server of its own."""

from __future__ import annotations

from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import Arrives, Ends, Opens
from roomproof_conformance.judges.closing import AnsweredWhileOpen, EndsSpread, ToldApart
from roomproof_conformance.judges.survival import Survives

ON_DISK = {"store": "sqlite"}
DRAIN_MS = 2000
KEPT = {"in": ["disk", "engine", "replicated"]}


async def welcomed(case: Case, durability: object) -> None:
    """The server says that it keeps messages so."""
    stranger = case.stranger()
    await stranger.connect()
    await case.answered(case.identify(stranger), {"tree": {"durability": durability}}, role="given")


async def acknowledged(case: Case, room: str, count: int) -> list[Op]:
    """`count` messages of as many users as the limit asks for, each acknowledged."""
    ops: list[Op] = []
    each = (case.claims.rate_limit.allow if case.claims.rate_limit else None) or count
    while len(ops) < count:
        sender = await case.member(room, user=f"sender {len(ops)}")
        for _ in range(min(each, count - len(ops))):
            ops.append(await case.answered(sender.send(room), role="given"))
        await sender.close()
    return ops


@scenario("HIST-10.disk", "MSG-3.restart", own_server=True, settings=ON_DISK, needs="native", titles={
    "MSG-3.restart": "After a restart the numbers of a room that was kept go on where they were.",
})  # fmt: skip
async def history_survives(case: Case) -> None:
    """With a durability other than memory a restart keeps history, numbers and epoch."""
    await welcomed(case, KEPT)
    room = case.room()
    ops = await acknowledged(case, room, 12)
    await case.stop_server()
    await case.start_server()
    restart = case.mark("back again")
    back = await case.member(room)
    await case.must(Survives(room, restart.index, least=12), "history survives")
    await case.answered(
        back.join(room),
        {"tree": {"epoch": {"eq": ops[0].field("epoch")}, "head": 12, "first": 1, "messages": {"len": 12}}},
    )
    await case.answered(back.send(room), {"seq": 13, "epoch": {"eq": ops[0].field("epoch")}}, check="MSG-3.restart")


@scenario("HIST-10.memory", own_server=True, settings={"store": "memory"}, needs="native")
async def epoch_differs(case: Case) -> None:
    """With durability `memory` a restart gives every room a new epoch."""
    await welcomed(case, "memory")
    room = case.room()
    ops = await acknowledged(case, room, 2)
    await case.stop_server()
    await case.start_server()
    stranger = await case.client()
    fresh = {"epoch": {"not": {"eq": ops[0].field("epoch")}}, "head": 0, "messages": {"len": 0}}
    await case.answered(stranger.join(room), {"tree": fresh})


@scenario("RES-5.after-restart", own_server=True, settings={"store": "memory"}, needs="native")
async def resume_after_restart(case: Case) -> None:
    """Who resumes in an epoch that a restart has ended is told `epoch_changed`, without a guess of what is missed."""
    room = case.room()
    ops = await acknowledged(case, room, 2)
    await case.stop_server()
    await case.start_server()
    client = await case.client()
    after = {"epoch": ops[0].field("epoch"), "seq": 1}
    lost = {"recovered": False, "reason": "epoch_changed", "missed": {"exists": False}}
    await case.answered(client.join(room, after=after), {"tree": lost})


async def _one_heard(case: Case, listener: Client, ops: list[Op]) -> None:
    """Wait until the first of these messages is seen, acknowledged or not: its number must not name another text."""
    await case.until(lambda: any(op.text in listener.heard for op in ops), case.patience)


@scenario("MSG-18.kill", own_server=True, settings=ON_DISK, needs="native", conns=6)
async def kill(case: Case) -> None:
    """After a kill nothing acknowledged is missing, and no number that was seen names another text."""
    await welcomed(case, KEPT)
    room = case.room()
    for turn in range(3):
        speakers = await case.members(room, 4)
        await acknowledged(case, room, 2)
        ops = [speaker.send(room) for speaker in speakers for _ in range(4)]
        if turn:
            await _one_heard(case, speakers[0], ops)
        await case.kill_server()
        await case.start_server()
        restart = case.mark("back again")
        await case.member(room)
        await case.must(Survives(room, restart.index, least=2), "nothing acknowledged is lost")


@scenario("AUTH-12.restart", own_server=True, settings=ON_DISK, needs="native")
async def guest_after_restart(case: Case) -> None:
    """Unless messages are kept in memory only, a guest's token is good over a restart."""
    await welcomed(case, KEPT)
    guest = await case.client(user="guest")
    who = guest.session.identity
    await guest.close()
    await case.stop_server()
    await case.start_server()
    again = case.stranger(user="guest")
    await again.connect()
    await case.answered(case.identify(again), {"tree": {"user": {"id": {"eq": who}, "guest": True}}})


@scenario("AUTH-12.kill", own_server=True, settings=ON_DISK, needs="native")
async def guest_after_kill(case: Case) -> None:
    """A guest's token is good after a kill as well."""
    await welcomed(case, KEPT)
    guest = await case.client(user="guest")
    who = guest.session.identity
    await case.kill_server()
    await case.start_server()
    again = case.stranger(user="guest")
    await again.connect()
    await case.answered(case.identify(again), {"tree": {"user": {"id": {"eq": who}}}})


@scenario(
    "DISC-5.draining",
    "DISC-5.newcomers",
    "DISC-5.served",
    "DISC-5.codes",
    "DISC-5.spread",
    "DISC-5.come-back",
    own_server=True,
    settings={"drain_ms": DRAIN_MS},
    needs="native",
    conns=10,
    waits=lambda _: 2.0,
    titles={
        "DISC-5.newcomers": "A server that drains refuses new handshakes: 503, or nobody listens.",
        "DISC-5.served": "Until they are closed, clients of a draining server are served.",
        "DISC-5.codes": "A draining server closes everybody with 1001 or 1012, within its drain window.",
        "DISC-5.spread": "A draining server does not close all in one moment: it has its drain window for that.",
        "DISC-5.come-back": "The clients of a draining server are not all told to come back at the same time.",
    },
)
async def draining(case: Case) -> None:
    """A graceful stop begins with `notice draining` that says when to come back."""
    room = case.room()
    clients = await case.members(room, 8)
    begin = case.ask_to_stop()
    later = {"all_of": [{"is": "integer"}, {"ge": 0}]}
    for client in clients:
        draining = {"kind": "notice", "code": "draining", "tree": {"type": "notice", "reconnect_after_ms": later}}
        await case.told(client, draining, after=begin)
    newcomer = case.stranger()
    await case.reachable(newcomer)
    await case.must(Opens(newcomer.name, [503], or_nobody=True), "no newcomers", check="DISC-5.newcomers", wait=0)
    asked = [client.begin("ping").index for client in clients]
    for client in clients:
        judge = Ends(client.name, begin.index, [1001, 1012], latest=6.0)
        await case.must(judge, f"{client.name} is let go", check="DISC-5.codes", wait=8.0)
    served = AnsweredWhileOpen(asked)
    await case.must(served, "who is not closed yet is answered", check="DISC-5.served", wait=0, go_on=True)
    names = [client.name for client in clients]
    # Eight times drawn at random from the window lie within a quarter of it once in two thousand stops.
    spread = EndsSpread(names, DRAIN_MS / 4000)
    await case.must(spread, "the ends are spread", check="DISC-5.spread", wait=0, go_on=True)
    await case.must(ToldApart(names), "they come back one by one", check="DISC-5.come-back", wait=0)


@scenario("DISC-6.graceful", own_server=True, settings={**ON_DISK, "drain_ms": 500}, needs="native", conns=8)
async def nothing_lost(case: Case) -> None:
    """What was acknowledged until a graceful stop is in the history afterwards."""
    await welcomed(case, KEPT)
    room = case.room()
    speakers = await case.members(room, 4)
    for speaker in speakers:
        for _ in range(4):
            speaker.send(room)
    leaving = case.ask_to_stop()
    notice = Arrives(speakers[0].name, {"kind": "notice"}, leaving.index, at_least=True)
    await case.given(notice, "the server says that it is going away")
    for speaker in speakers:
        speaker.send(room)
    for speaker in speakers:
        await case.given(Ends(speaker.name), f"{speaker.name} is let go", wait=8.0)
    await case.stop_server()
    await case.start_server()
    restart = case.mark("back again")
    await case.member(room)
    await case.must(Survives(room, restart.index, least=1), "nothing acknowledged is lost")
