"""Texts: what passes unchanged, what is refused, and how it is counted."""

from __future__ import annotations

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import Arrives
from roomproof_conformance.judges.replay import Page

from .history import time_for
from .messages import burst, hearers

REFUSED_CONTROLS = [chr(c) for c in [*range(0x20), 0x7F, *range(0x80, 0xA0)] if c not in (0x09, 0x0A)]
"""C0 and C1 without TAB and LF, and DEL: the 63 code points that MSG-13 refuses by name."""

SURROGATES = ["\ud800", "\udc00", "\udfff\ud800", "\udbff"]

UNCHANGED = {
    "markup": "<b>&amp;&lt;\"'</b><!-- %00 -->",
    "normalisation": "e\u0301 \u212b \ufb01 \u1100\u1161 q\u0307\u0323",
    "outer-blanks": "  two before, two after  ",
    "beyond-the-first-plane": "\U0001f469\u200d\U0001f680 \U0001d11e \U0002070e",
}
"""Portable kinds of text that servers like to change, each with what they change."""

SCALARS = [
    "\t\n !~\u00a0\u00ad\u00ff",
    "\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010fffe\U0010ffff",  # noncharacters
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c",  # bidi controls
    "\ufeffbyte order mark\ufeff",
    "\u0378\u05ff\U000e0080\U0003ffff",  # unassigned
    "e\u0301\u0327 \u212b \u1e9b\u0323 \u0344",  # neither NFC nor NFD
    "\ud7ff\ue000\uf8ff\U000f0000\U00100000",  # the neighbours of the surrogates, private use
    "\u2028line and paragraph\u2029",
    "\u200b\u200c\u200d\u2060\ufe0f\U000e0001\U000e0041\ufff9\ufffb\ufffc\ufffd",  # unseen, replacements
    "\\u0000 \\n &#0; %00 \u2400",  # what only looks like a control
]
"""One text for each family of scalar values that MSG-13 does not refuse."""

BLANKS = [" ", "\t", "\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "   \n\t  "]


async def pass_unchanged(case: Case, texts: list[str]) -> None:
    """Each text comes to a listener as it was sent, and is as it was in the history."""
    room = case.room()
    listener = await case.member(room)
    speaker: Client | None = None
    for number, text in enumerate(texts):
        if speaker is None or number % burst(case, 5) == 0:
            speaker = await case.member(room)
        await case.say(speaker, room, text)
        here = {"kind": "message", "text": {"eq": text}}
        await case.must(Arrives(listener.name, here), f"{text!a} comes unchanged")
    newcomer = await case.client()
    await case.must(
        Page(newcomer.join(room).index, ok=True, texts=texts, numbered=False, ordered=False),
        "and they are kept unchanged",
    )


@scenario(
    *(f"MSG-2.{kind}" for kind in UNCHANGED),
    needs="rooms",
    conns=2,
    titles={
        "MSG-2.markup": "Markup, entities, quotes and escapes arrive as they were sent.",
        "MSG-2.normalisation": "Combining characters and compatibility forms arrive as they were sent.",
        "MSG-2.outer-blanks": "Blanks at both ends of a text arrive as they were sent.",
        "MSG-2.beyond-the-first-plane": "Characters beyond U+FFFF and joined ones arrive as they were sent.",
    },
)
async def unchanged(case: Case) -> None:
    """A text arrives code point for code point as it was sent."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    control = await case.say(speaker, room)
    await case.delivered(control, [listener], role="given")
    for kind, example in UNCHANGED.items():
        token = case.text()
        text = f"  {token}  " if kind == "outer-blanks" else f"{token} {example}"
        op = await case.say(speaker, room, text)
        for client in hearers(case, speaker, [listener]):
            here = {"kind": "message", "text": {"eq": text}}
            says = f"{op.text!a} comes to {client.name}"
            await case.must(Arrives(client.name, here), says, check=f"MSG-2.{kind}", go_on=True)


@scenario("MSG-2.long", needs="rooms text_size", conns=2)
async def long_text(case: Case) -> None:
    """A text of two thousand characters, or of as many as the target allows, arrives whole."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    text = case.text().ljust(min(2000, case.claims.sizes.text_bytes or 0), "x")
    await case.delivered(await case.say(speaker, room, text), hearers(case, speaker, [listener]))


async def _nothing_stored(case: Case, room: str, speaker: Client, listener: Client) -> None:
    """State that nothing of what `speaker` sent to `room` was stored or delivered; a last message proves it."""
    fence = await case.say(speaker, room)
    for client in (speaker, listener):
        await case.must(Arrives(client.name, {"kind": "message", "room": room}), "only the last text is delivered")
    newcomer = await case.client()
    page = Page(newcomer.join(room).index, ok=True, texts=[fence.text], numbered=False)
    await case.must(page, "only the last text is stored")


@scenario("MSG-13.controls", needs="native", conns=3, waits=lambda claims: time_for(claims, len(REFUSED_CONTROLS)))
async def controls(case: Case) -> None:
    """C0 and C1 controls other than TAB and LF, and U+007F, give `invalid_text` and are not stored."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    for control in REFUSED_CONTROLS:
        op = speaker.send(room, f"a{control}b")
        await case.refused(op, {"code": "invalid_text"}, says=f"U+{ord(control):04X} is refused")
    await _nothing_stored(case, room, speaker, listener)


@scenario("MSG-13.controls-at-the-ends", needs="native", conns=3)
async def controls_at_the_ends(case: Case) -> None:
    """A control at either end, or alone, is refused too and not trimmed away."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    for control in "\r\0\x0b\x0c\x1c\x1f\x7f\x85":
        for text in (f"{control}a", f"a{control}", control):
            op = speaker.send(room, text)
            await case.refused(op, {"code": "invalid_text"}, says=f"{text!a} is refused")
    await _nothing_stored(case, room, speaker, listener)


@scenario("MSG-13.surrogates", needs="native", conns=3)
async def surrogates(case: Case) -> None:
    """A lone surrogate gives `invalid_text` or `invalid_json`, and is neither replaced nor stored."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    for lone in SURROGATES:
        op = speaker.send(room, f"a{lone}b")
        codes = {"code": {"in": ["invalid_text", "invalid_json"]}, "ref": {"in": [op.exchange.ref, None]}}
        refusal = Arrives(speaker.name, {"kind": "error", **codes}, after=op.index, at_least=True)
        await case.must(refusal, f"{lone!a} is refused")
    await _nothing_stored(case, room, speaker, listener)


@scenario("MSG-13.empty", needs="native", conns=3)
async def empty(case: Case) -> None:
    """An empty text gives `invalid_text`."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    await case.refused(speaker.send(room, ""), {"code": "invalid_text"})
    await _nothing_stored(case, room, speaker, listener)


@scenario("MSG-13.one-byte-too-long", needs="native", conns=3)
async def too_long(case: Case) -> None:
    """A text of `text_bytes` + 1 bytes is refused, in one-byte, two-byte, three-byte and four-byte characters."""
    room = case.room()
    speaker, listener = await case.members(room, 2)
    for longest in _longest(case):
        op = speaker.send(room, longest + "x")
        await case.refused(op, {"code": "text_too_long"}, says=f"{len(longest.encode()) + 1} bytes are too long")
    await _nothing_stored(case, room, speaker, listener)


@scenario("MSG-13.longest", needs="native", conns=3)
async def longest_texts(case: Case) -> None:
    """Texts of one byte and of exactly `text_bytes` bytes pass, however many bytes their characters take."""
    await pass_unchanged(case, ["x", *_longest(case)])


def _longest(case: Case) -> list[str]:
    """Texts of exactly the most bytes, of characters of one to four bytes."""
    most = case.claims.sizes.text_bytes or 4096
    texts = []
    for character in "aé€😀":
        count, rest = divmod(most, len(character.encode()))
        texts.append("a" * rest + character * count)
    return texts


@scenario("MSG-17.every-family", needs="native", conns=4)
async def every_family(case: Case) -> None:
    """Noncharacters, bidi controls, U+FEFF, unassigned, private and unseen characters pass unchanged."""
    await pass_unchanged(case, SCALARS)


@scenario("MSG-17.blanks-alone", needs="native", conns=4)
async def blanks_alone(case: Case) -> None:
    """A text of nothing but blanks passes unchanged."""
    await pass_unchanged(case, BLANKS)


@scenario("MSG-17.plane-ends", needs="native", conns=4)
async def plane_ends(case: Case) -> None:
    """The first and last scalar values of every plane and of every block next to a refused one pass unchanged."""
    ends = [chr((plane << 16) | low) for plane in range(1, 17) for low in (0, 1, 0xFFFD, 0xFFFE, 0xFFFF)]
    near = [chr(c) for c in (0x09, 0x0A, 0x20, 0x7E, 0xA0, 0xD7FF, 0xE000, 0xFFFF)]
    await pass_unchanged(case, ["".join(ends), "".join(near), *near[2:]])
