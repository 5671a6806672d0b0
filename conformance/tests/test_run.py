"""Whole runs against servers that the kit starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roomproof_conformance import hooks
from roomproof_conformance.dialects import load
from roomproof_conformance.results import RunResult
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner
from roomproof_conformance.target import TargetError
from roomproof_conformance.verdicts import Reason, Verdict

GUARD = {
    "conns": 6,
    "guests": {"count": 30, "window_ms": 600_000},
    "messages": {"count": 40, "window_ms": 60_000},
}


async def run(*only: str, hook_file: str | Path = "reference", **settings: Any) -> RunResult:
    runner = Runner(Plan(load("native"), hooks=hooks.load(hook_file), settings=settings, only=only))
    try:
        return await runner.run()
    finally:
        await runner.stop_all()


async def test_limits_per_address_are_kept_or_named_and_never_held_against_the_server() -> None:
    result = await run("ROOM-*", "HIST-1*", "CONN-1*", per_address=GUARD, **SHORT_TIMERS)
    assert not result.having(Verdict.FAIL, Verdict.WARN, Verdict.KIT_ERROR, Verdict.INCONCLUSIVE)
    assert result.having(Verdict.PASS)
    left_out = result.having(Verdict.NOT_JUDGED)
    reasons = {r.conclusion.reason for r in left_out}
    assert reasons <= {Reason.BUDGET, Reason.NOTHING_SEEN}, [(r.check, r.conclusion) for r in left_out]


async def test_a_server_that_never_becomes_ready_is_one_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "hooks.yaml"
    path.write_text("hooks: 1\nstart: [sleep, '60']\nready: 300ms\n")
    runner = Runner(Plan(load("native"), hooks=hooks.load(path), only=("ROOM-3*",)))
    with pytest.raises(TargetError, match=r"is not ready after 0\.3 s"):
        await runner.run()
    await runner.stop_all()


FRAIL = """
import json, os, runpy, sys
from pathlib import Path
state, asked = Path(os.environ["ROOMPROOF_STATE"]), json.loads(os.environ["ROOMPROOF_SETTINGS"])
if asked.get("store") == "memory":
    sys.exit("cannot keep rooms in memory")
state.mkdir(exist_ok=True)
if (state / "started").exists():
    sys.exit("the store is damaged")
(state / "started").touch()
runpy.run_module("roomproof_server.hook", run_name="__main__")
"""


async def test_a_server_that_does_not_come_back_breaks_the_sentence_and_one_that_does_not_start_is_not_judged(
    tmp_path: Path,
) -> None:
    (tmp_path / "frail.py").write_text(FRAIL)
    path = tmp_path / "hooks.yaml"
    path.write_text('hooks: 1\nstart: ["{python}", "{here}/frail.py"]\npath: /ws\n')
    result = await run("HIST-10.*", hook_file=path, **SHORT_TIMERS)
    found = {r.check: r.conclusion for r in result.results}
    assert found["HIST-10.disk"].verdict is Verdict.FAIL
    assert found["HIST-10.disk"].judged is not None
    assert "the store is damaged" in found["HIST-10.disk"].judged.finding.seen
    assert found["HIST-10.memory"].reason is Reason.SETUP_FAILED
    assert "cannot keep rooms in memory" in found["HIST-10.memory"].explanation


async def test_what_a_server_cannot_be_set_to_is_not_judged_with_the_reason() -> None:
    result = await run("BEAT-7*", heartbeat={"interval_ms": 1000, "timeout_ms": 1000})
    assert {r.verdict for r in result.results} == {Verdict.PASS}


async def test_transcripts_give_the_same_verdicts_again() -> None:
    from roomproof_conformance.judging import judge_case

    result = await run("ROOM-3*", "MSG-2*", **SHORT_TIMERS)
    for found in result.results:
        if found.case is not None:
            again = judge_case(result.transcripts[found.case], [found.check], lambda _: "MUST")
            assert again[found.check].verdict is found.verdict
