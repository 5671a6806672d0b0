"""Frames that RFC 6455 forbids, all of `malformed.raw`: each on a connection of its own, in a room with others.

`malformed` has one frame of each sort for the answer and what follows from it; here are their variants, and what is
allowed and rarely tried. Must not know a wire syntax: the valid message comes from the dialect.
"""

from __future__ import annotations

from collections.abc import Iterable

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.frames import CONTINUATION, PING, TEXT, Frame
from roomproof_conformance.judges import Reacts
from roomproof_conformance.judges.connection import Pongs
from roomproof_conformance.malformed.raw import GROUPS, Group, RawCase, Wire, too_long_by_length
from roomproof_conformance.transcript import Record

from .drafts import Draft, others_go_on
from .malformed import ENDS, Kind
from .one_write import in_one_write

ENOUGH = 3
"""Connections that do not end after which no more entries are tried: each costs seconds."""


def _write(client: Client, wire: Wire) -> Record:
    """Write frames and bytes; the first record."""
    records = [client.raw_bytes(p) if isinstance(p, bytes) else in_one_write(client, p) for p in wire]
    return records[0]


def _kind(group: Group) -> Kind:
    """It ends the connection and should do so with the code of RFC 6455, or as the dialect promises for bad UTF-8."""
    claim = "bad_utf8" if group.codes == (1007,) else None
    should = tuple(f"close {code}" for code in group.codes)
    return Kind(group.name, group.what, "ERR-9", (), claim, ENDS, should=should)


async def _each_alone(case: Case, kind: Kind, entries: Iterable[RawCase]) -> None:
    """Every entry on a new connection; then the others in the room go on."""
    allowed, tolerated, should = kind.outcomes(case.claims)
    own, others = kind.ids
    room = case.room()
    friend, bystander = await case.members(room, 2)
    first = await case.say(friend, room)
    await case.delivered(first, [bystander], role="given")
    survived = 0
    for entry in entries:
        culprit = await case.member(room)
        sent = _write(culprit, entry.make(Draft.of(case, culprit, room).octets))
        judge = Reacts(culprit.name, sent.index, allowed, tolerated)
        await case.must(judge, entry.id, check=own, wait=case.patience / 2, go_on=True)
        if should:
            await case.should(Reacts(culprit.name, sent.index, should), f"{entry.id}: the code", check=own, wait=0)
        survived += not culprit.ended
        await culprit.close()
        if survived >= ENOUGH:
            break
    await others_go_on(case, room, friend, bystander, kept=[first.text], check=others)


def _register(group: Group) -> None:
    kind = _kind(group)

    async def run(case: Case) -> None:
        await _each_alone(case, kind, group.cases)

    own, others = kind.ids
    run.__doc__ = f"{group.what} ends the connection, in each of {len(group.cases)} variants."
    scenario(own, others, needs="text_frames", conns=5, hostile=True, titles={others: kind.titles[1]})(run)


for _one in GROUPS:
    _register(_one)


@scenario(
    "ERR-8.length-alone",
    "ERR-14.length-alone",
    needs="native",
    conns=5,
    hostile=True,
    titles={"ERR-14.length-alone": "A length over `frame_bytes` that nothing follows harms nobody else."},
)
async def length_alone(case: Case) -> None:
    """The length of a frame is enough to close 1009, also that of the fragment which makes the message too long."""
    kind = Kind("length-alone", "A length that nothing follows", "ERR-8", (), None, ("close 1009",))
    await _each_alone(case, kind, too_long_by_length(case.claims.sizes.frame_bytes or 0))


@scenario(
    "MSG-2.in-fragments",
    "BEAT-2.between-fragments",
    needs="text_frames",
    conns=3,
    titles={
        "BEAT-2.between-fragments": "A Ping between the fragments of a message is answered before the message ends."
    },
)
async def in_fragments(case: Case) -> None:
    """A message in fragments, with Pings between them and a character split by them, arrives once and whole."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    draft = Draft.of(case, speaker, room)
    text = f"{draft.text} \u20ac\U0001f600"
    data = draft.with_text(f'"{text}"').encode()
    cut = data.index("\u20ac".encode()) + 1
    sent = in_one_write(speaker, Frame(TEXT, data[:cut], False, masked=True), Frame(PING, b"between", masked=True))
    ping = sent.index + 1
    pong = Pongs(speaker.name, ping)
    await case.must(
        pong, "a Pong comes although the message has not ended", check="BEAT-2.between-fragments", go_on=True
    )
    in_one_write(
        speaker,
        Frame(CONTINUATION, data[cut : cut + 1], False, masked=True),
        Frame(PING, b"", masked=True),
        Frame(CONTINUATION, data[cut + 1 :], masked=True),
    )
    await case.delivered(text, [listener], check="MSG-2.in-fragments")
    await case.usable(speaker, room, listener, check="MSG-2.in-fragments")
