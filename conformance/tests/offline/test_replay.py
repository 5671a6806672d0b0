"""A conversation is repeated: the same sends, after the same answers, with what this server gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roomproof_conformance import hooks, selftest
from roomproof_conformance.dialects import load
from roomproof_conformance.offline import differences
from roomproof_conformance.offline.conversation import Conversation, frames_sent
from roomproof_conformance.offline.files import again
from roomproof_conformance.offline.place import Place
from roomproof_conformance.offline.rejudging import rejudge
from roomproof_conformance.offline.replay import Options, Unrepeatable, repeat
from roomproof_conformance.run import SHORT_TIMERS
from roomproof_conformance.transcript import Transcript
from roomproof_conformance.verdicts import Verdict

HOOKS = hooks.load(Path(__file__).parent.parent / "liars" / "hooks.yaml")
CASES = ("ROOM-3.other-room", "RES-1.gap", "ERR-1.not-json", "HIST-1.few", "AUTH-12.kill", "DISC-1.code-1000")


@pytest.fixture(scope="module")
def cases() -> dict[str, Transcript]:
    """Conversations with the honest server: other rooms, a resume by epoch, bad frames, history, a server killed."""
    result = asyncio.run(selftest.judge(selftest.HONEST, HOOKS, CASES, longest=3.0))
    assert not result.having(Verdict.FAIL, Verdict.WARN, Verdict.KIT_ERROR)
    return {name: again(transcript) for name, transcript in result.transcripts.items()}


@pytest.fixture
async def honest() -> AsyncIterator[Place]:
    template = selftest.hooks_for(HOOKS, selftest.HONEST)
    async with Place(load("native"), hooks=template, settings=SHORT_TIMERS) as place:
        yield place


async def repeated(old: Transcript, place: Place) -> Transcript:
    return await repeat(Conversation.of(old), place, Options(tuple(old.records[0].data["checks"])))


async def test_what_is_repeated_at_an_honest_server_is_as_it_was(cases: dict[str, Transcript], honest: Place) -> None:
    assert len(cases) >= 5
    for name, old in cases.items():
        settings = old.records[0].data["settings"]
        if settings != dict(SHORT_TIMERS):
            continue
        new = await repeated(old, honest)
        assert differences.of_conversations(old, again(new)) == [], name
        assert differences.of_verdicts(rejudge({name: old}), rejudge({name: again(new)})) == []
        assert frames_sent(new) == frames_sent(old), name


async def test_a_server_that_is_killed_and_started_again(cases: dict[str, Transcript]) -> None:
    old = cases["AUTH-12.kill"]
    template = selftest.hooks_for(HOOKS, selftest.HONEST)
    async with Place(load("native"), hooks=template, settings=old.records[0].data["settings"]) as place:
        new = await repeated(old, place)
    assert differences.of_verdicts(rejudge({"": old}), rejudge({"": again(new)})) == []


async def test_names_and_tokens_are_those_of_today(cases: dict[str, Transcript], honest: Place) -> None:
    old = cases["RES-1.gap"]
    new = await repeated(old, honest)

    def sent(transcript: Transcript) -> list[str]:
        return [str(record.data["text"]) for record in transcript if record.kind == "sent" and "op" in record.data]

    then, now = old.records[0].data["run"], new.records[0].data["run"]
    assert then != now
    assert not [text for text in sent(new) if then in text]
    epochs = {
        r.data["fields"]["epoch"]
        for r in old
        if r.kind == "event" and r.data["kind"] == "joined" and r.data["fields"].get("epoch")
    }
    assert epochs
    assert not [text for text in sent(new) for epoch in epochs if epoch in text]


async def test_a_repetition_can_be_repeated(cases: dict[str, Transcript], honest: Place) -> None:
    old = cases["HIST-1.few"]
    twice = await repeated(again(await repeated(old, honest)), honest)
    assert differences.of_conversations(old, again(twice)) == []


def test_a_file_that_stops_the_server_needs_one_that_can_be_stopped(cases: dict[str, Transcript]) -> None:
    async def go() -> None:
        template = selftest.hooks_for(HOOKS, selftest.HONEST)
        old = cases["AUTH-12.kill"]
        async with Place(load("native"), hooks=template, settings=old.records[0].data["settings"]) as started:
            url = (await started.target()).base
            async with Place(load("native"), url=url, settings={}) as place:
                with pytest.raises(Unrepeatable, match="--hooks FILE"):
                    await repeated(old, place)

    asyncio.run(go())
