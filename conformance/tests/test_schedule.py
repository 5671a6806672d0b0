"""`--jobs` and `--timeout-scale`: how many cases work at once, and how patient the kit is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from roomproof_conformance import hooks
from roomproof_conformance.case import Case
from roomproof_conformance.cli.run_command import make_plan
from roomproof_conformance.dialects import load
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner
from roomproof_conformance.target import Quiet
from roomproof_conformance.verdicts import Verdict

CASES = ("ROOM-3*", "MSG-1.*", "MSG-3.from-one", "ROOM-6*")
"""Cases without a wait, in which a case gives its place to another."""


class Seen(Quiet):
    """How many cases worked at the same time, and how patient they were."""

    def __init__(self) -> None:
        self.working: set[str] = set()
        self.most = 0
        self.patience: set[float] = set()

    def started(self, case: Case) -> None:
        self.working.add(case.scenario.name)
        self.most = max(self.most, len(self.working))
        self.patience.add(case.patience)

    def finished(self, case: Case, verdicts: Mapping[str, str]) -> None:
        self.working.discard(case.scenario.name)


async def run(**options: Any) -> Seen:
    seen = Seen()
    plan = Plan(
        load("native"), hooks=hooks.load("reference"), settings=SHORT_TIMERS, only=CASES, progress=seen, **options
    )
    runner = Runner(plan)
    try:
        result = await runner.run()
    finally:
        await runner.stop_all()
    assert not result.having(Verdict.FAIL, Verdict.KIT_ERROR)
    return seen


async def test_with_one_job_nothing_is_at_work_beside_another() -> None:
    # A case is told of as finished when it has given back its place, and the next may have it by then.
    assert (await run(jobs=1)).most <= 2
    assert (await run(jobs=24)).most > 3


async def test_the_scale_multiplies_patience() -> None:
    assert (await run(scale=1.5)).patience == {7.5}


def options(**given: Any) -> dict[str, Any]:
    asked = {"urls": ("ws://127.0.0.1:1",), "hooks": None, "dialect": "native", "timers": "default", "wanted": ()}
    more = {"only": (), "skip": (), "jobs": 24, "scale": 1.0, "longest": None, "quick": False}
    return {**asked, **more, **given}


def test_the_command_line_says_both_and_the_line_that_repeats_a_check_keeps_the_scale() -> None:
    plan = make_plan(options(jobs=3, scale=2.0, quick=True))
    assert (plan.jobs, plan.scale, plan.quick) == (3, 2.0, True)
    assert plan.repeat == "roomproof ws://127.0.0.1:1 --timeout-scale 2"
    assert "timeout-scale" not in make_plan(options()).repeat


def test_a_selection_without_a_check_is_refused() -> None:
    with pytest.raises(ValueError, match=r"--only HIST-2 --skip HIST-[*] leaves no check"):
        make_plan(options(only=("HIST-2",), skip=("HIST-*",)))
    with pytest.raises(ValueError, match=r"did you mean HIST-2\.after-250"):
        make_plan(options(only=("hist-2.aftr-250",)))
