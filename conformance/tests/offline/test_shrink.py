"""A broken conversation becomes a few frames that still break the same check, and nothing else does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from roomproof_conformance import hooks, selftest
from roomproof_conformance.dialects import load
from roomproof_conformance.offline.files import again
from roomproof_conformance.offline.place import Place
from roomproof_conformance.offline.rejudging import BROKEN, broken
from roomproof_conformance.offline.shrink import NotShrunk, Shrunk, shrink
from roomproof_conformance.run import SHORT_TIMERS
from roomproof_conformance.transcript import Transcript

HOOKS = hooks.load(Path(__file__).parent.parent / "liars" / "hooks.yaml")


def caught(liar: str, check: str) -> Transcript:
    """The conversation in which the check is broken."""
    result = asyncio.run(selftest.judge(liar, HOOKS, (check.partition(".")[0] + ".*",), longest=3.0))
    found = next(r for r in result.having(*BROKEN) if r.check == check)
    assert found.case is not None
    return again(result.transcripts[found.case])


def place(name: str) -> Place:
    return Place(load("native"), hooks=selftest.hooks_for(HOOKS, name), settings=SHORT_TIMERS)


async def shrunk(transcript: Transcript, liar: str, check: str, *, control: bool = True) -> Shrunk:
    async with place(liar) as there, place(selftest.HONEST) as right:
        return await shrink(transcript, there, check=check, control=right if control else None, seconds=20)


@pytest.fixture(scope="module")
def newest_first() -> Transcript:
    return caught("hist-1-newest-first", "HIST-1.few")


def test_a_statement_stays_broken_with_few_frames(newest_first: Transcript) -> None:
    small = asyncio.run(shrunk(newest_first, "hist-1-newest-first", "HIST-1.few"))
    assert small.before == (14, 3)
    assert small.frames <= 8
    assert small.connections <= 2
    judged = broken(again(small.transcript))["HIST-1.few"].judged
    assert judged is not None
    assert judged.sentence == "c is given the last 5 messages"
    assert "newest first" in judged.finding.seen  # two messages are left: of one, no order could be told


def test_without_a_control_nothing_goes_that_came_before(newest_first: Transcript) -> None:
    small = asyncio.run(shrunk(newest_first, "hist-1-newest-first", "HIST-1.few", control=False))
    assert small.frames == 12  # all but who took leave afterwards
    assert "HIST-1.few" in broken(again(small.transcript))


def test_a_watch_needs_no_control() -> None:
    transcript = caught("room-6-left-still-hear", "ROOM-6.everywhere")
    small = asyncio.run(shrunk(transcript, "room-6-left-still-hear", "ROOM-6.everywhere", control=False))
    assert small.frames <= 7
    assert small.connections <= 2
    assert "ROOM-6.everywhere" in broken(again(small.transcript))


def test_what_an_honest_server_does_not_break_is_not_shrunk(newest_first: Transcript) -> None:
    with pytest.raises(NotShrunk, match=r"^HIST-1.few: repeated, the conversation does not break it$"):
        asyncio.run(shrunk(newest_first, selftest.HONEST, "HIST-1.few"))


def test_what_is_not_broken_in_the_file_is_not_shrunk(newest_first: Transcript) -> None:
    with pytest.raises(NotShrunk, match=r"does not break HIST-2\.gone"):
        asyncio.run(shrunk(newest_first, "hist-1-newest-first", "HIST-2.gone"))
