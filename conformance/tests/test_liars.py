"""The kit catches liars, each for the stated reason, and finds nothing wrong with the honest server.

Ten liars run here, two for each area of the mission; `roomproof selftest` runs the whole table.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from roomproof_conformance import hooks, selftest
from roomproof_conformance.results import CheckResult
from roomproof_conformance.selftest import Liar, Row, TableError
from roomproof_conformance.verdicts import Verdict
from roomproof_protocol import requirements

LIARS = Path(__file__).with_name("liars")
TABLE = LIARS / "table"
HOOKS = LIARS / "hooks.yaml"

TEN = (
    "room-3-every-room",
    "room-6-left-still-hear",
    "hist-2-keeps-101",
    "hist-11-emptied",
    "rate-4-per-connection",
    "rate-1-bucket",
    "beat-4-keeps-dead",
    "beat-5-evicts-silent",
    "err-1-closes",
    "err-14-surrogate-wedges",
)
GROUPS = ("ROOM-*", "HIST-*", "RATE-*", "BEAT-*", "ERR-*")
LONGEST = 6.5
"""Seconds that a check may have to wait to be run here: three rounds of the shortest heartbeat."""


@pytest.fixture(scope="module")
def liars() -> dict[str, Liar]:
    return {liar.name: liar for liar in selftest.read_table(TABLE)}


@pytest.fixture(scope="module")
def rows(liars: dict[str, Liar]) -> dict[str, Row]:
    """The ten, three at a time."""

    chosen = [liars[name] for name in TEN]
    found = {row.liar.name: row for row in selftest.selftest(chosen, HOOKS, jobs=3, longest=LONGEST)}
    print(*selftest.lines(list(found.values())), sep="\n")
    return found


def described(results: list[CheckResult]) -> str:
    """Red checks with what was seen, for a failing test."""
    return "\n".join(f"{r.check}: {r.conclusion.judged and r.conclusion.judged.finding.seen}" for r in results)


@pytest.mark.parametrize("name", TEN)
def test_a_liar_is_caught_for_the_stated_reason(rows: dict[str, Row], name: str) -> None:
    row = rows[name]
    assert row.for_the_reason, row.trouble or row.stated
    assert row.result is not None
    wrong = [r for r in row.result.having(*selftest.RED) if r.requirement in row.unrelated]
    assert len(row.unrelated) <= 1, described(wrong)


def test_nothing_is_wrong_with_the_honest_server() -> None:
    result = asyncio.run(selftest.judge(selftest.HONEST, hooks.load(HOOKS), GROUPS, longest=LONGEST))
    assert not result.having(*selftest.RED), described(list(result.having(*selftest.RED)))
    assert not result.having(Verdict.KIT_ERROR)
    assert len(result.having(Verdict.PASS)) > 100


def test_each_of_the_five_areas_has_its_two(liars: dict[str, Liar]) -> None:
    areas = [liars[name].area for name in TEN]
    assert {area: areas.count(area) for area in areas} == {
        "room isolation": 2,
        "history bounds": 2,
        "rate-limit enforcement": 2,
        "heartbeat timeouts": 2,
        "malformed messages": 2,
    }


def test_the_table_names_every_fault_and_says_what_it_does(liars: dict[str, Liar]) -> None:
    command = [sys.executable, str(LIARS / "serve.py"), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    served = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert served == {liar.name: liar.how for liar in liars.values()}


def test_every_observable_must_and_should_outside_cluster_has_its_liar(liars: dict[str, Liar]) -> None:
    owed = {
        row.id
        for row in requirements()
        if row.observable and not row.reserved and row.group != "CLUSTER" and row.level in ("MUST", "SHOULD")
    }
    assert len(owed) > 130
    assert owed <= {liar.requirement for liar in liars.values()}


def test_a_name_that_no_liar_has_is_refused() -> None:
    command = [sys.executable, str(LIARS / "serve.py"), "hist-2-keeps-102"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("serve.py: ")
    assert len(done.stderr.splitlines()) == 1


ROW = {"name": "hist-2-keeps-99", "requirement": "HIST-2", "area": "history bounds", "how": "One message is missing."}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"how_long": 3}, "hist-2-keeps-99: Additional properties are not allowed"),
        ({"area": "history"}, "hist-2-keeps-99.area: 'history' is not one of"),
        ({"requirement": "HIST-99", "name": "hist-99-keeps"}, "hist-99-keeps: there is no requirement HIST-99"),
        ({"requirement": "HIST-1"}, "hist-2-keeps-99: the name must begin hist-1-"),
        ({"may_also": [{"requirement": "HIST-1"}]}, "hist-2-keeps-99.may_also.0: 'reason' is a required property"),
        (
            {"may_also": [{"requirement": f"HIST-{n}", "reason": "for the same fault"} for n in (1, 3, 4)]},
            "hist-2-keeps-99.may_also: ",
        ),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    file = tmp_path / "table.yaml"
    file.write_text(yaml.safe_dump({"liars": [{**ROW, **change}]}))
    with pytest.raises(TableError) as refused:
        selftest.read_table(file)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_same_liar_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.yaml"
    file.write_text(yaml.safe_dump({"liars": [ROW, ROW]}))
    with pytest.raises(TableError, match="stands twice"):
        selftest.read_table(file)


def test_a_liar_that_does_not_start_is_told_and_not_caught(
    liars: dict[str, Liar], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    nobody = replace(liars["hist-2-keeps-99"], name="hist-2-unheard-of")
    row = selftest.judge_liar(nobody, hooks.load(HOOKS))
    assert not row.caught
    assert "serve.py: expected one name" in row.trouble
    assert selftest.lines([row])[-1] == "1 liars: 0 caught, 0 for the stated reason, 0 unrelated reds"
    assert list(tmp_path.iterdir()) == []
