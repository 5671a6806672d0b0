"""Malformed and boundary-valid frames made from the message schemas: each judged alone, in a room with a bystander.

`malformed` makes the frames; here they are written one after another, inside the limits that the welcome states. A
frame with a defect is followed by its twin without it, on the same connection; only a hello, whose refusal ends the
connection, has its twin on the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case, Stop
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import evaluate
from roomproof_conformance.judges.generated import Handled, OnlyAdmitted, Referenced
from roomproof_conformance.malformed import FAMILIES, Specimen, Values, specimens, unproven
from roomproof_conformance.malformed.jsontext import write
from roomproof_conformance.malformed.specimens import FATAL, FORM_CODES
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding
from roomproof_protocol import Limits, client_types, schema

from .drafts import others_go_on
from .history import time_for

HELLO = "hello"
CLOSES_HELLO = "CONN-13"
"""The row that says how a connection ends whose hello is refused."""

BAD_UTF8 = 1007
"""The code that RFC 6455 names for bytes that are no UTF-8."""

SILENCES = 3
"""Frames without an answer after which no more are tried: each costs the whole patience."""

SHARE = 0.9
"""The part of a connection's allowance that is used."""

WORDS = {
    "types": "values of another type",
    "members": "members that are missing, stand twice or are unknown",
    "numbers": "numbers at and beyond their bounds",
    "strings": "strings at and beyond their lengths and alphabets",
    "spelling": "frames that are no JSON, and JSON in an unusual spelling",
    "carriage": "messages in binary, in fragments, in bad bytes, at and over the size limit",
}
"""What the frames of a family are, for people."""


def check_of(specimen: Specimen, family: str) -> str:
    """The check that judges the answer to a frame."""
    return f"{specimen.requirement}.walk-{'hello-' if specimen.first else ''}{family}"


def _error(specimen: Specimen) -> dict[str, Any]:
    """The pattern of the refusal. Only ERR-4 and ERR-6 speak of `re` where an id was usable; the rest is CONN-11's."""
    either = specimen.any_ref or specimen.requirement not in ("ERR-4", "ERR-6")
    ref = {"in": [specimen.request_id, None]} if either and specimen.request_id else specimen.request_id
    fatal = {} if specimen.first and specimen.requirement != CLOSES_HELLO else {"fatal": specimen.first}
    return {"type": "error", "re": ref, "code": {"in": list(specimen.codes)}, **fatal}


def _success(specimen: Specimen) -> list[dict[str, Any]]:
    """What a frame gets whose form is right: past all checks of the form the quota may still refuse it."""
    meant = {"type": "error", "re": specimen.request_id, "code": {"not": {"in": list(FORM_CODES)}}}
    reply = {"type": specimen.reply, "re": specimen.request_id}
    if specimen.type == "auth":
        return [meant]  # the kit's clients are guests, and there is nothing for them to renew
    if specimen.outcome == "understood":
        return [reply, meant]
    return [reply, {**meant, "code": "rate_limited"}] if specimen.type == "send" else [reply]


def handled(conn: str, sent: Record, specimen: Specimen) -> Handled:
    """The judge of the answer to a frame."""
    judge = Handled(conn, sent.index, specimen.id, specimen.expected)
    error = [_error(specimen)]
    if specimen.outcome == "closed":
        return replace(judge, close=specimen.close, ends="any" if specimen.close == BAD_UTF8 else "tcp")
    if specimen.outcome == "refused":
        if specimen.first and specimen.requirement != CLOSES_HELLO:
            return replace(judge, allowed=error, ends="any")
        return replace(judge, allowed=error, close=FATAL if specimen.first else None)
    ends = "any" if specimen.first and specimen.outcome != "accepted" else ""
    if specimen.outcome == "either":
        return replace(judge, allowed=error, tolerated=_success(specimen), ends=ends)
    tolerated = error if specimen.outcome == "lenient" else []
    return replace(judge, allowed=_success(specimen), tolerated=tolerated, ends=ends)


async def _should(case: Case, judge: Handled, finding: Finding, check: str) -> None:
    """What was tolerated although it SHOULD be otherwise: a member twice taken (ERR-15), another code (ERR-9)."""
    if finding.outcome == "tolerated" and (judge.close == BAD_UTF8 or check.startswith("ERR-15.")):
        strict = replace(judge, tolerated=[], ends="")
        await case.should(strict, judge.specimen, check=check, wait=0)


def _repaired(specimen: Specimen) -> Specimen:
    """The twin as a specimen of its own, under an id of its own: that an id may be used again is another sentence."""
    tree = json.loads(specimen.twin or "{}")
    tree["id"] += "r"
    return replace(
        specimen,
        outcome="accepted",
        operator=f"{specimen.operator} repaired",
        pieces=((1, write(tree).encode(), True),),
        request_id=tree["id"],
        any_ref=False,
        twin=None,
    )


def _answered(case: Case, judge: Handled) -> bool:
    """Whether the frame has its answer; nothing is stated of it."""
    return evaluate(replace(judge), case.transcript.records).outcome == "holds"


def _write(client: Client, specimen: Specimen) -> Record:
    records = [client.frame(opcode, payload, fin=fin) for opcode, payload, fin in specimen.pieces]
    return records[0]


@dataclass
class Ration:
    """What one connection may still do within the limits that the target states."""

    frames: int
    errors: int
    sends: int

    @classmethod
    def of(cls, case: Case) -> Ration:
        limits, rate = case.advertised["limits"], case.claims.rate_limit
        sends = rate.allow if rate is not None and rate.allow else 5
        # Half of the burst at once is never too much (RATE-12).
        return cls(int(limits["frames"]["burst"] / 2 * SHARE), int(limits["errors"]["count"] * SHARE), sends)

    @property
    def used_up(self) -> bool:
        return self.frames < 3 or self.errors < 2 or self.sends < 1


class _Culprits:
    """One client after another that writes what it should not."""

    def __init__(self, case: Case, room: str, family: str) -> None:
        self._case, self._room, self._family = case, room, family
        self._client: Client | None = None
        self._ration = Ration.of(case)
        self._silences = 0
        self.asked: list[tuple[int, str]] = []  # frames with an id, and the record of each

    async def meet(self, specimen: Specimen) -> None:
        """Write the frame and its twin, and state what must follow. Raises Stop after too much silence."""
        if specimen.outcome == "closed":
            await self.leave()  # an end must not be taken for that of an earlier frame's connection
        client = await self._ready()
        if specimen.requirement == "ERR-10" and not specimen.negative:
            await self._one_error(client)
        answered = await self._state(client, specimen, check_of(specimen, self._family))
        if answered and specimen.twin is not None and specimen.outcome != "closed":
            await self._state(client, _repaired(specimen), f"ERR-10.walk-{self._family}-repaired", moot=True)

    async def leave(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _ready(self) -> Client:
        if self._client is not None and (self._client.ended or self._ration.used_up):
            await self.leave()
        if self._client is None:
            self._client, self._ration = await self._case.member(self._room), Ration.of(self._case)
        return self._client

    async def _one_error(self, client: Client) -> None:
        """An error right before, so that what follows is the next valid request after one."""
        sent = client.raw_text("x")
        self._ration.frames -= 1
        self._ration.errors -= 1
        error = Handled(client.name, sent.index, "x", "an error")
        await self._case.until(lambda: client.ended or _answered(self._case, error), self._case.patience)

    async def _state(self, client: Client, specimen: Specimen, check: str, *, moot: bool = False) -> bool:
        """Write it and state what must follow; whether anything did within the patience."""
        case, began = self._case, self._case.watch.now()
        sent = _write(client, specimen)
        self._ration.frames -= 1
        self._ration.errors -= specimen.negative
        self._ration.sends -= specimen.type == "send" and specimen.outcome not in ("refused", "closed")
        if specimen.request_id and not specimen.any_ref:
            self.asked.append((sent.index, specimen.request_id))
        judge = replace(handled(client.name, sent, specimen), moot=moot)
        finding = await case.must(judge, specimen.id, check=check, go_on=True)
        await _should(case, judge, finding, check)
        if finding.outcome != "broken" or case.watch.now() - began < case.patience:
            return True
        await self.leave()  # what comes late must not be taken for the next answer
        self._silences += 1
        if self._silences >= SILENCES:
            raise Stop("too many frames without an answer")
        return False


def _checked(chosen: Iterable[Specimen], limits: Limits) -> Iterator[Specimen]:
    """The frames, each proven. Raises ValueError for one that is not what it says it is."""
    for specimen in chosen:
        if fault := unproven(specimen, limits):
            raise ValueError(fault)
        yield specimen


def _walked(case: Case, family: str, types: Iterable[str], **given: Any) -> Iterator[Specimen]:
    """The frames of a family and of these messages; `given` is what means something to the target."""
    limits = Limits.from_mapping(case.advertised["limits"])
    schemas = {type_: schema("client", type_, limits) for type_ in types}
    fresh = {"id": case.target.names.fresh, "text": lambda: case.text("g"), "mid": lambda: case.text("mid")}
    return _checked(specimens((family,), schemas=schemas, values=Values(given, fresh), limits=limits), limits)


async def _requests(case: Case, family: str) -> None:
    """All requests of a family, after hello."""
    room = case.room()
    friend = await case.member(room)
    bystander = await case.client()
    joined = await case.given_join(bystander, room)
    first = await case.say(friend, room)
    await case.delivered(first, [bystander], role="given")
    begin = case.mark("generated frames are written")
    culprits = _Culprits(case, room, family)
    epoch = joined.field("epoch")
    try:
        for type_ in client_types():
            where = case.room() if type_ == "leave" else room  # who leaves has to be in no room (ROOM-7)
            for specimen in _walked(case, family, {type_} - {HELLO}, room=where, epoch=epoch, token="x"):
                await culprits.meet(specimen)
            await culprits.leave()  # ids at their bounds are the same for every message
        case.stated(Referenced(culprits.asked), "each reply names its frame", check=f"CONN-11.walk-{family}")
    finally:
        await culprits.leave()
        await _unnoticed(case, family, room, friend, bystander, begin, first.text)


async def _unnoticed(
    case: Case, family: str, room: str, friend: Client, bystander: Client, begin: Record, kept: str
) -> None:
    """The bystander has noticed nothing, and the room works on."""
    fence = await case.say(friend, room)
    await case.delivered(fence, [bystander], role="given")
    case.never(
        bystander, {"kind": "error"}, fence=fence, after=begin, says="no error reaches others",
        check=f"ERR-11.walk-{family}",
    )  # fmt: skip
    case.stated(
        OnlyAdmitted(bystander.name, room, begin.index), "nothing refused is delivered", check=f"MSG-4.walk-{family}"
    )
    case.still_open(bystander, check=f"ERR-14.walk-{family}")
    await others_go_on(case, room, friend, bystander, kept=[kept], check=f"ERR-14.walk-{family}")


async def _hellos(case: Case, family: str) -> None:
    """All hellos of a family, each as the first frame of a connection."""
    spare = await case.client()
    token = spare.session.variables["token"]
    repaired: set[str] = set()
    for specimen in _walked(case, family, {HELLO}, scheme="resume_guest", token=token):
        await _first_frame(case, specimen, family, check_of(specimen, family))
        if specimen.twin is not None and specimen.place not in repaired:
            repaired.add(specimen.place)
            await _first_frame(case, _repaired(specimen), family, f"CONN-6.walk-hello-{family}")


async def _first_frame(case: Case, specimen: Specimen, family: str, check: str) -> None:
    client = case.stranger()
    await client.connect()
    sent = _write(client, specimen)
    judge, began = handled(client.name, sent, specimen), case.watch.now()
    finding = await case.must(judge, specimen.id, check=check, go_on=True)
    await _should(case, judge, finding, check)
    if finding.outcome == "holds" and specimen.outcome == "refused" and specimen.requirement != CLOSES_HELLO:
        fatal = replace(judge, allowed=[{"type": "error", "fatal": True}], close=FATAL, ends="")
        await case.must(fatal, f"{specimen.id}: the end", check=f"{CLOSES_HELLO}.walk-hello-{family}", go_on=True)
    await client.close()
    if case.watch.now() - began >= case.patience:
        raise Stop("a hello without an answer, or without the end that must follow")


TITLES = {
    "ERR-10.repaired": "the same frame without the defect succeeds, right after the error",
    "CONN-11": "each reply names the frame that it answers",
    "ERR-11": "no error of theirs reaches a bystander in the room",
    "MSG-4": "none that was refused is delivered to a bystander in the room",
    "ERR-14": "a bystander, a newcomer and the history of the room are none the worse",
}


def _register(family: str, plan: list[Specimen]) -> None:
    what = f"Generated from the schemas, {WORDS[family]}"
    each = "each frame that the sentence speaks of gets the answer that is due"
    own = dict.fromkeys(check_of(s, family) for s in plan if not s.first)
    titles = dict.fromkeys(own, f"{what}: {each}.")
    titles[f"ERR-10.walk-{family}-repaired"] = f"{what}: {TITLES['ERR-10.repaired']}."
    for row in ("CONN-11", "ERR-11", "MSG-4", "ERR-14"):
        titles[f"{row}.walk-{family}"] = f"{what}: {TITLES[row]}."

    async def requests(case: Case) -> None:
        await _requests(case, family)

    requests.__doc__ = next(iter(titles.values()))
    frames = sum(not s.first for s in plan)
    scenario(*titles, needs="native", conns=6, titles=titles, waits=lambda claims: time_for(claims, frames))(requests)
    if not any(s.first for s in plan):
        return
    firsts = dict.fromkeys(
        [
            *(check_of(s, family) for s in plan if s.first),
            f"CONN-6.walk-hello-{family}",
            f"{CLOSES_HELLO}.walk-hello-{family}",
        ]
    )
    titles = dict.fromkeys(firsts, f"{what}, in a hello: {each}.")

    async def hellos(case: Case) -> None:
        await _hellos(case, family)

    hellos.__doc__ = next(iter(titles.values()))
    trips = 3 * (len(plan) - frames)  # handshake, hello, farewell
    scenario(*titles, needs="native", conns=3, titles=titles, waits=lambda claims: time_for(claims, trips))(hellos)


for _family in FAMILIES:
    _register(_family, list(specimens((_family,))))
