"""History asked for page by page: every edge, against known content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import Replied
from roomproof_conformance.judges.replay import Page

from .history import bound, numbered_from_one, time_to_fill

LARGEST = 2**53 - 1
"""The largest number of the protocol (section 2)."""


@dataclass
class Book:
    """A room whose messages are known: message `n` has text `texts[n - 1]`; the oldest kept is `first`."""

    case: Case
    reader: Client
    room: str
    texts: list[str]
    first: int

    @property
    def head(self) -> int:
        return len(self.texts)

    async def shows(self, low: int, high: int, *, more: bool, check: str | None = None, **cursor: Any) -> None:
        """State that the page asked for by `cursor` is `low`..`high`, and whether there is more."""
        op = self.reader.begin("history", room=self.room, **cursor)
        where = {"tree": {"type": "history", "more": more}}
        page = Page(op.index, where, ok=True, low=low, texts=self.texts[low - 1 : high])
        asked = ", ".join(f"{name}: {value}" for name, value in cursor.items()) or "no cursor"
        shown = f"{low}..{high}" if high >= low else "nothing"
        await self.case.must(page, f"{asked} shows {shown}", check=check, go_on=True)

    async def shows_nothing(self, *, check: str | None = None, **cursor: Any) -> None:
        await self.shows(1, 0, more=False, check=check, **cursor)


async def _opened(case: Case, count: int, first: int) -> Book:
    """A room of `count` messages, which has numbered them from 1 and kept them from `first` on."""
    room = case.room()
    reader = await case.member(room)
    texts = await case.fill(room, count, watcher=reader) if count else []
    if texts:
        await numbered_from_one(case, reader, texts)
    again = await case.client()
    stated = Replied(again.join(room, history=1).index, {"tree": {"head": count, "first": first}}, ok=True)
    await case.given(stated, f"the room keeps {first}..{count}")
    await again.close()
    return Book(case, reader, room, texts, first)


async def small(case: Case, count: int = 12) -> Book:
    """A room of `count` messages, all of them kept."""
    return await _opened(case, count, 1)


async def full(case: Case, over: int = 20) -> Book:
    """A room that has lost its `over` oldest messages."""
    return await _opened(case, await bound(case) + over, over + 1)


@scenario("HIST-3.empty-list", needs="native")
async def empty_list(case: Case) -> None:
    """`history: 0` gives no messages and the right `head` and `first`: in a used room, and in a new one."""
    book = await small(case, 4)
    where = {"tree": {"head": 4, "first": 1}}
    joining = await case.client()
    await case.must(Page(joining.join(book.room, history=0).index, where, ok=True), "head 4, first 1, nothing else")
    nothing_yet = {"tree": {"head": 0, "first": 1}}
    new = Page(joining.join(case.room(), history=0).index, nothing_yet, ok=True)
    await case.must(new, "a new room has head 0 and first 1")


@scenario("HIST-5.before", needs="native")
async def before(case: Case) -> None:
    """`before: s, limit: n` shows the n newest messages below s, ascending; `more` says if there are older ones."""
    book = await small(case)
    await book.shows(10, 12, before=13, limit=3, more=True)
    await book.shows(9, 11, before=12, limit=3, more=True)
    await book.shows(2, 4, before=5, limit=3, more=True)
    await book.shows(1, 4, before=5, limit=4, more=False)
    await book.shows(1, 4, before=5, limit=5, more=False)
    await book.shows(1, 1, before=2, limit=1, more=False)
    await book.shows(2, 2, before=3, limit=1, more=True)
    await book.shows(1, 12, before=13, limit=100, more=False)
    await book.shows(11, 12, before=LARGEST, limit=2, more=True)


@scenario("HIST-5.latest", needs="native")
async def latest(case: Case) -> None:
    """Without a cursor the newest messages are shown."""
    book = await small(case)
    await book.shows(10, 12, limit=3, more=True)
    await book.shows(12, 12, limit=1, more=True)
    await book.shows(1, 12, limit=12, more=False)
    await book.shows(2, 12, limit=11, more=True)
    await book.shows(1, 12, limit=100, more=False)
    await book.shows(1, 12, more=False)
    again = book.reader.begin("history", room=book.room, limit=1)
    await case.answered(again, {"tree": {"head": 12, "first": 1}}, says="and what the room keeps is stated")


@scenario("HIST-5.backwards", needs="native")
async def backwards(case: Case) -> None:
    """Page by page backwards, each page begins where the one before it ended, and the last one says so."""
    book = await small(case)
    await book.shows(8, 12, limit=5, more=True)
    await book.shows(3, 7, before=8, limit=5, more=True)
    await book.shows(1, 2, before=3, limit=5, more=False)


@scenario("HIST-6.after", needs="native")
async def after(case: Case) -> None:
    """`after: s, limit: n` shows the n oldest messages above s, ascending; `more` says if there are newer ones."""
    book = await small(case)
    await book.shows(1, 3, after=0, limit=3, more=True)
    await book.shows(4, 6, after=3, limit=3, more=True)
    await book.shows(10, 12, after=9, limit=3, more=False)
    await book.shows(10, 11, after=9, limit=2, more=True)
    await book.shows(10, 12, after=9, limit=4, more=False)
    await book.shows(12, 12, after=11, limit=1, more=False)
    await book.shows(11, 11, after=10, limit=1, more=True)
    await book.shows(1, 12, after=0, limit=100, more=False)
    await book.shows(1, 12, after=0, more=False)


@scenario("HIST-6.forwards", needs="native")
async def forwards(case: Case) -> None:
    """Page by page forwards, each page begins where the one before it ended, and the last one says so."""
    book = await small(case)
    await book.shows(1, 5, after=0, limit=5, more=True)
    await book.shows(6, 10, after=5, limit=5, more=True)
    await book.shows(11, 12, after=10, limit=5, more=False)


@scenario("HIST-5.same-epoch", "HIST-6.same-epoch", needs="native")
async def same_epoch(case: Case) -> None:
    """A cursor that names the current epoch is the same as one that names none."""
    book = await small(case, 6)
    again = await book.reader.join(book.room)
    epoch = again.field("epoch")
    await book.shows(3, 4, before=5, limit=2, epoch=epoch, more=True)
    await book.shows(3, 4, after=2, limit=2, epoch=epoch, more=True, check="HIST-6.same-epoch")


@scenario(
    "HIST-5.full-room",
    "HIST-6.full-room",
    "HIST-8.full-room",
    "HIST-3.full-room",
    needs="native",
    waits=time_to_fill,
    titles={
        "HIST-5.full-room": "Backwards, a page ends at the oldest message that is kept, and `more` is about kept ones.",
        "HIST-6.full-room": "Forwards through a full room, `more` is false exactly at the head.",
        "HIST-8.full-room": "Cursors at and outside the edges of a full room give nothing, or begin at `first`.",
        "HIST-3.full-room": "`history: 0` in a room that has lost messages states the oldest kept as `first`.",
    },
)
async def full_room(case: Case) -> None:
    """A room that has lost its oldest messages is paged like any other."""
    book = await full(case)
    first, head = book.first, book.head
    await book.shows(head - 49, head, more=True)
    await book.shows(head - 98, head, limit=99, more=True)
    await book.shows(head - 99, head, limit=100, more=False)
    await book.shows(first, first + 1, before=first + 2, limit=5, more=False)
    await book.shows(first + 1, first + 1, before=first + 2, limit=1, more=True)
    forwards_check = "HIST-6.full-room"
    await book.shows(first, first + 49, after=first - 1, more=True, check=forwards_check)
    await book.shows(first, head, after=first - 1, limit=100, more=False, check=forwards_check)
    await book.shows(first + 1, head, after=first, limit=100, more=False, check=forwards_check)
    edges = "HIST-8.full-room"
    for outside in (first, first - 1, 1, 0):
        await book.shows_nothing(before=outside, limit=10, check=edges)
    for beyond in (head, head + 1, LARGEST):
        await book.shows_nothing(after=beyond, limit=10, check=edges)
    for lost in (first - 2, 1, 0):
        await book.shows(first, first, after=lost, limit=1, more=True, check=edges)
    joining = await case.client()
    where = {"tree": {"head": head, "first": first}}
    page = Page(joining.join(book.room, history=0).index, where, ok=True)
    await case.must(page, "head and first without messages", check="HIST-3.full-room")


@scenario("HIST-8.edges", needs="native")
async def edges(case: Case) -> None:
    """Nothing lies before `first` and after `head`: an empty page, and no more."""
    book = await small(case, 5)
    for cursor in (1, 0):
        await book.shows_nothing(before=cursor, limit=10)
    for cursor in (5, 6, LARGEST):
        await book.shows_nothing(after=cursor, limit=10)


@scenario("HIST-8.empty-room", needs="native")
async def empty_room(case: Case) -> None:
    """In a room in which nothing was said every page is empty."""
    book = await small(case, 0)
    await book.shows_nothing()
    for cursor in (0, 1, 2, LARGEST):
        await book.shows_nothing(before=cursor)
        await book.shows_nothing(after=cursor)


@scenario("HIST-8.stale-epoch", needs="native")
async def stale_epoch(case: Case) -> None:
    """A cursor of another epoch gives `invalid_cursor`, whichever way it points, and the next request works."""
    book = await small(case, 3)
    for cursor in ({}, {"before": 2}, {"after": 1}, {"before": 0}, {"after": LARGEST}):
        op = book.reader.begin("history", room=book.room, epoch="not-the-epoch", **cursor)
        await case.refused(op, {"tree": {"type": "error", "code": "invalid_cursor", "fatal": False}})
    await case.answered(book.reader.begin("history", room=book.room), says="the next request works")
