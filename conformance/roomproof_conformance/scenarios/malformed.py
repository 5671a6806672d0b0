"""Malformed messages: what became of the sender's connection, of the others, of newcomers, of the server.

Most kinds are for JSON alone; a binary frame, the faults of framing and the size are for every server, an operation
that does not exist for those whose dialect writes one. Each kind is a valid send, spoilt in one way. What must follow
is what the target promises for the kind; where it promises nothing, what the requirement says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.dialects import Claims
from roomproof_conformance.judges import Reacts
from roomproof_conformance.transcript import Record

from .drafts import Draft, heard, others_go_on

Write = Callable[[Client, Draft], Record]

STAYS = ("error", "ignore", "accept")
ENDS = ("close", "tcp-close")
DEEP = "[" * 8000 + "]" * 8000
LONG = "9" * 5000
COMMON_LIMIT = 2**20
"""Bytes above which most WebSocket libraries refuse a message unless told otherwise."""


@dataclass(frozen=True)
class Kind:
    """One way to spoil a frame: the situation's name, what it is in words, and how it is written.

    `requirement` is the sentence that says what the sender may expect; `claim` is the dialect's name of the kind
    (None: it has none, and no promise covers it); `allowed` and `tolerated` are outcomes (see `judges.Reacts`) for a
    target that promises nothing, `should` those that it SHOULD have of them (none: all are as good).
    """

    name: str
    what: str
    requirement: str
    writes: tuple[Write, ...]
    claim: str | None = None
    allowed: tuple[str, ...] = ("error",)
    tolerated: tuple[str, ...] = ()
    should: tuple[str, ...] = ()
    needs: str = "json"

    @property
    def ids(self) -> tuple[str, str]:
        """The check on the sender's own connection, and the one on everybody else."""
        return f"{self.requirement}.{self.name}", f"ERR-14.{self.name}"

    @property
    def titles(self) -> tuple[str, str]:
        after = "ends its connection" if not set(self.allowed) & set(STAYS) else "leaves its sender a usable connection"
        if self.allowed == ("error",):
            after = "is answered by an error, and its sender stays connected and a member"
        return f"{self.what} {after}.", f"{self.what} harms nobody else: members, newcomers, history, server."

    def outcomes(self, claims: Claims) -> tuple[list[str], list[str], list[str]]:
        """What is right and what is tolerated on this target, and what should be."""
        promised = claims.malformed_outcome(self.claim) if self.claim else None
        if promised is None:
            return list(self.allowed), list(self.tolerated), list(self.should)
        if promised.kind == "close":
            late = ["tcp-close"] if self.claim == "oversize" else []  # while the client still sends (ERR-8)
            return ["close" if promised.code is None else f"close {promised.code}"], late, []
        return [promised.kind], [], []


def text(make: Callable[[Draft], str]) -> tuple[Write, ...]:
    """A kind that is one text frame."""
    return (lambda client, draft: client.raw_text(make(draft)),)


def texts(*makes: Callable[[Draft], str]) -> tuple[Write, ...]:
    return tuple(write for make in makes for write in text(make))


def frame(opcode: int, make: Callable[[Draft], bytes], **bits: bool | int) -> tuple[Write, ...]:
    """A kind that is one frame of any opcode and bits."""
    fin, rsv, mask = bool(bits.get("fin", True)), int(bits.get("rsv", 0)), bool(bits.get("mask", True))
    return (lambda client, draft: client.frame(opcode, make(draft), fin=fin, rsv=rsv, mask=mask),)


def _oversize(client: Client, draft: Draft) -> Record:
    limit = client.case.claims.sizes.frame_bytes or COMMON_LIMIT
    return client.raw_text(draft.with_text(f'"{draft.text}{"x" * limit}"'))


def _utf8_in_fragments(client: Client, draft: Draft) -> Record:
    before, after = draft.with_text('"\u00e9"').encode().split(b"\xa9")
    client.frame(1, before, fin=False)
    return client.frame(0, after)


def _interleaved(client: Client, draft: Draft) -> Record:
    client.frame(1, draft.octets[:5], fin=False)
    return client.frame(1, draft.octets)


NOT_JSON = [
    Kind("not-json", "Text that is not JSON", "ERR-1", text(lambda d: "not json"), "not_json"),
    Kind("truncated", "JSON cut off in the middle", "ERR-1", text(lambda d: d.valid[:-2]), "not_json"),
    Kind("empty", "An empty text frame", "ERR-1", text(lambda d: ""), "not_json"),
    Kind("two-documents", "Two JSON documents in one frame", "ERR-1", text(lambda d: d.valid + d.valid), "not_json"),
    Kind("byte-order-mark", "JSON behind a byte order mark", "ERR-1", text(lambda d: "\ufeff" + d.valid), "not_json"),
    Kind("nan", "NaN as a value", "ERR-2", text(lambda d: d.with_extra("NaN")), "not_json"),
    Kind("infinity", "Infinity as a value", "ERR-2", text(lambda d: d.with_extra("-Infinity")), "not_json"),
    Kind("deep-nesting", "Arrays nested 8,000 deep", "ERR-3", text(lambda d: d.with_extra(DEEP)), "default"),
    Kind(
        "long-integer",
        "An integer of 5,000 digits for a text",
        "ERR-3",
        text(lambda d: d.with_text(LONG)),
        "wrong_type",
    ),
]

NOT_A_REQUEST = [
    Kind("null", "The text `null`", "ERR-4", text(lambda d: "null"), "not_object"),
    Kind("array", "An empty array", "ERR-4", text(lambda d: "[]"), "not_object"),
    Kind("string-or-number", "A string, then a number", "ERR-4", texts(lambda d: '"hi"', lambda d: "7"), "not_object"),
    Kind("no-type", "An object that does not say what it wants", "ERR-4", text(Draft.without_kind), "unknown_type"),
    Kind(
        "unknown-type",
        "An operation that does not exist",
        "ERR-6",
        text(lambda d: d.of_kind("frobnicate")),
        "unknown_type",
        needs="unknown_operation",
    ),
    Kind(
        "unhashable-type",
        "A list, then an object, where the operation's name belongs",
        "ERR-4",
        texts(lambda d: d.of_kind(["x"]), lambda d: d.of_kind({})),
        "wrong_type",
    ),
    Kind("no-text", "A message without its text", "ERR-10", text(Draft.without_text), "missing_field"),
    Kind(
        "ill-typed-text",
        "A number, then null, for a text",
        "ERR-10",
        texts(lambda d: d.with_text("7"), lambda d: d.with_text("null")),
        "wrong_type",
    ),
    Kind(
        "binary-json",
        "A valid message in a binary frame",
        "ERR-7",
        frame(2, lambda d: d.octets),
        "binary",
        needs="text_frames",
        tolerated=("accept",),  # many a server does not care; it must only be sure that it meant to
    ),
    Kind(
        "binary-garbage",
        "A binary frame with garbage",
        "ERR-7",
        frame(2, lambda d: b"\x00\xff\xfe\x80\x01"),
        "binary",
        needs="text_frames",
    ),
]

ODD = [
    Kind(
        "long-integer-extra",
        "An integer of 5,000 digits in a member that nobody knows",
        "ERR-16",
        text(lambda d: d.with_extra(LONG)),
        None,
        STAYS,
    ),
    Kind(
        "lone-surrogate-extra",
        "A lone surrogate in a member that nobody knows",
        "ERR-16",
        text(lambda d: d.with_extra(r'"\ud800"')),
        None,
        STAYS,
    ),
    Kind(
        "lone-surrogate",
        "A lone surrogate in the text",
        "ERR-10",
        text(lambda d: d.with_text(rf'"{d.text}\ud800"')),
        "lone_surrogate",
        STAYS,
        ENDS,
    ),
    Kind(
        "nul", "U+0000 in the text", "ERR-10", text(lambda d: d.with_text(rf'"{d.text}\u0000"')), "default", STAYS, ENDS
    ),
    Kind(
        "duplicate-member", "The text given twice", "ERR-10", text(lambda d: d.text_twice("first")), None, STAYS, ENDS
    ),
]

FRAMING = [
    Kind(
        "bad-utf8",
        "Text that is not UTF-8",
        "ERR-9",
        frame(1, lambda d: d.octets.replace(b"bad", b"b\xff\xc3(")),
        "bad_utf8",
    ),
    Kind(
        "bad-utf8-fragments", "Text whose fragments together are not UTF-8", "ERR-9", (_utf8_in_fragments,), "bad_utf8"
    ),
    Kind("unmasked", "A frame that is not masked", "ERR-9", frame(1, lambda d: d.octets, mask=False)),
    Kind("reserved-bit", "A frame with a reserved bit", "ERR-9", frame(1, lambda d: d.octets, rsv=2)),
    Kind("reserved-opcode", "A frame of a reserved opcode", "ERR-9", frame(3, lambda d: d.octets)),
    Kind("long-ping", "A Ping of 126 bytes", "ERR-9", frame(9, lambda d: b"p" * 126)),
    Kind("fragmented-ping", "A Ping in fragments", "ERR-9", frame(9, lambda d: b"p", fin=False)),
    Kind("stray-continuation", "A continuation of nothing", "ERR-9", frame(0, lambda d: d.octets)),
    Kind("interleaved", "A new message inside a fragmented one", "ERR-9", (_interleaved,)),
]


async def _spoil(case: Case, kind: Kind) -> None:
    allowed, tolerated, should = kind.outcomes(case.claims)
    own, others = kind.ids
    room = case.room()
    culprit, friend, bystander = await case.members(room, 3)
    first = await case.say(friend, room)
    await case.delivered(first, [culprit, bystander], role="given")
    second = await case.say(culprit, room)
    await case.delivered(second, [bystander], role="given")
    draft = Draft.of(case, culprit, room)
    for write in kind.writes:
        sent = write(culprit, draft)
        judge = Reacts(culprit.name, sent.index, allowed, tolerated, draft.text)
        await case.must(
            judge, f"{kind.what}: the server's answer to {culprit.name}", check=own, wait=case.patience / 5, go_on=True
        )
        if should:
            named = Reacts(culprit.name, sent.index, should, text=draft.text)
            await case.should(named, f"{kind.what}: how the connection should end", check=own, wait=0)
        if culprit.ended:
            break
    if set(allowed) & set(STAYS):
        await _within_the_rate(case, len(kind.writes) + 2)
        lenient = bool(set(tolerated) & set(ENDS))
        if await heard(case, culprit, room, bystander, check=own, unless_ended=lenient):
            await heard(case, friend, room, culprit, check=own, unless_ended=lenient)
    await others_go_on(case, room, friend, bystander, kept=[first.text, second.text], check=others)


async def _within_the_rate(case: Case, sent: int) -> None:
    """Bad frames count as messages on some servers: the next one must not be refused for that."""
    limit = case.claims.pace
    if limit is not None and limit.allow and sent > limit.allow and limit.per:
        await case.wait(limit.per, "bad frames may count as messages")


def _register(kind: Kind) -> None:
    async def run(case: Case) -> None:
        await _spoil(case, kind)

    titles = dict(zip(kind.ids, kind.titles, strict=True))
    run.__doc__ = kind.titles[0]
    scenario(*kind.ids, needs=kind.needs, conns=5, hostile=True, titles=titles)(run)


def _ending(kind: Kind) -> Kind:
    """It ends the connection, and should do so with the code that RFC 6455 names (ERR-9)."""
    code = "close 1007" if kind.claim == "bad_utf8" else "close 1002"
    return replace(kind, allowed=ENDS, should=(code,), needs="text_frames")


for _kind in [*NOT_JSON, *NOT_A_REQUEST, *ODD, *map(_ending, FRAMING)]:
    _register(_kind)


@scenario(
    "ERR-8.oversize",
    "ERR-14.oversize",
    needs="text_frames",
    conns=5,
    hostile=True,
    titles={"ERR-14.oversize": "A message over the size limit harms nobody else: members, newcomers, history, server."},
)
async def oversize(case: Case) -> None:
    """A message over the size limit is refused as promised: close 1009, or an error where only texts are limited."""
    sizes = case.claims.sizes
    allowed: tuple[str, ...] = ("close 1009",)
    tolerated: tuple[str, ...] = ("tcp-close",)
    if sizes.frame_bytes is None:
        allowed, tolerated = ("error", "close 1009"), ENDS
    kind = Kind("oversize", "A message over the size limit", "ERR-8", (_oversize,), "oversize", allowed, tolerated)
    await _spoil(case, kind)
