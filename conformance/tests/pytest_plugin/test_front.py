"""What becomes of each verdict in pytest; the runs are made up, so that every verdict there is can be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import junitparser
import pytest

CONFTEST = '''
"""Takes the place of the kit's run: the verdicts that RESULTS names, all others pass."""
import json, os
from datetime import UTC, datetime
from roomproof_conformance.pytest_plugin import front
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.run import TargetError
from roomproof_conformance.verdicts import Conclusion, Finding, Judged, Reason, Verdict

WANTED = json.loads(os.environ.get("RESULTS", "{}"))

def pytest_addoption(parser):
    parser.addoption("--numprocesses", type=int, help="like pytest-xdist")

class Made:
    def __init__(self, plan, finish):
        self.plan, self.finish, self.result = plan, finish, None
    def start(self):
        print("selected:", *sorted(self.plan.ids))
    def stop(self):
        print("stopped")
    def wait_for(self, check, *, end=False):
        if "unreachable" in WANTED:
            raise TargetError("ws://127.0.0.1:1: connection refused")
        if self.result is None:
            made = [self.made(i) for i in sorted(self.plan.ids)]
            self.result = self.finish(RunResult("ws://x", "d", "1", datetime.now(UTC), made))
        found = next(r for r in self.result.results if r.check == check)
        return None if found.state == "pass" else found
    def made(self, check):
        verdict = Verdict(WANTED.get(check, "pass"))
        reason = {Verdict.NOT_APPLICABLE: Reason.NOT_CLAIMED, Verdict.NOT_JUDGED: Reason.NEEDS_HOOK,
                  Verdict.INCONCLUSIVE: Reason.NOISE, Verdict.KIT_ERROR: Reason.CRASH}.get(verdict)
        said = Judged(check, "must", "the statement", Finding("broken", "what is right", "what came"))
        judged = said if verdict in (Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE) else None
        end = Conclusion(verdict, reason, "why it is so", judged)
        return CheckResult(check, check.partition(".")[0], "G", "MUST", "a title", "The sentence.", end,
                           repeat=f"roomproof ws://x --only {check}")

front.Background = Made
'''


def run_pytest(folder: Path, *words: str, results: str = "{}") -> subprocess.CompletedProcess[str]:
    """pytest as a person runs it, but without the other plugins that are installed here: they take long to load."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    named = ["-p", "roomproof_conformance.pytest_plugin", "--pyargs", "roomproof_conformance"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *named, *words],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**os.environ, "RESULTS": results, "COLUMNS": "160", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )


TARGET = ("--target", "ws://127.0.0.1:1/ws")


def test_one_item_for_each_check_and_nobody_is_contacted(tmp_path: Path) -> None:
    from roomproof_conformance.checks import all_checks

    done = run_pytest(tmp_path, "--collect-only", "-q")
    items = [line for line in done.stdout.splitlines() if line.startswith("roomproof_conformance::")]
    assert sorted(items) == sorted(f"roomproof_conformance::{check.id}" for check in all_checks())
    assert done.returncode == 0


def test_only_what_is_selected_is_run(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, *TARGET, "-s", "-k", "RATE-1.burst or ROOM-3.other", "--deselect", "nothing")
    assert "selected: RATE-1.burst ROOM-3.other-room\n" in done.stdout
    assert "stopped" in done.stdout
    assert done.returncode == 0


def test_each_verdict_has_its_outcome(tmp_path: Path) -> None:
    results = """{"ROOM-3.other-room": "fail", "ROOM-3.before-join": "inconclusive", "ROOM-3.outsider-writes": "warn",
        "RATE-1.burst": "not-judged", "RATE-1.edge": "not-applicable", "RATE-1.sustained": "kit-error"}"""
    done = run_pytest(
        tmp_path, *TARGET, "-rsE", "-k", "ROOM-3. or RATE-1. or HIST-1.", "--junitxml", "j.xml", results=results
    )
    assert done.returncode == 1
    for words in ("The sentence.", "what came", "what is right", "roomproof ws://x --only ROOM-3.other-room"):
        assert words in done.stdout
    assert "inconclusive: ROOM-3.before-join" in done.stdout
    assert "not-judged (needs-hook): why it is so" in done.stdout
    assert "not-applicable (not-claimed): why it is so" in done.stdout
    assert "ConformanceWarning: warn: ROOM-3.outsider-writes" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    cases = {case.name: case for suite in junitparser.JUnitXml.fromfile(str(tmp_path / "j.xml")) for case in suite}
    kinds = {name: type(case.result[0]).__name__ if case.result else "" for name, case in cases.items()}
    assert kinds["ROOM-3.other-room"] == kinds["ROOM-3.before-join"] == "Failure"
    assert kinds["RATE-1.burst"] == kinds["RATE-1.edge"] == "Skipped"
    assert kinds["RATE-1.sustained"] == "Error"
    assert kinds["ROOM-3.outsider-writes"] == kinds["HIST-1.new-room"] == ""
    assert cases["ROOM-3.other-room"].classname == "roomproof_conformance"


def test_a_broken_should_fails_where_warnings_are_errors(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, *TARGET, "-W", "error", "-k", "RATE-1.burst", results='{"RATE-1.burst": "warn"}')
    assert done.returncode == 1
    assert "what is right" in done.stdout


def test_inconclusive_can_be_let_pass(tmp_path: Path) -> None:
    words = (*TARGET, "--inconclusive-ok", "-rs", "-k", "RATE-1.burst or ROOM-3.other")
    done = run_pytest(tmp_path, *words, results='{"RATE-1.burst": "inconclusive"}')
    assert done.returncode == 0
    assert "inconclusive (noise)" in done.stdout


def test_known_failures_are_strict(tmp_path: Path) -> None:
    entries = "- {check: RATE-1.burst, reason: slow disk}\n- {check: ROOM-3.other-room, reason: old bug}\n"
    (tmp_path / "known.yaml").write_text(f"known: 1\nchecks:\n{entries}")
    words = (*TARGET, "--known-failing", "known.yaml", "-rx", "-k", "RATE-1.burst or ROOM-3.other")
    done = run_pytest(tmp_path, *words, results='{"RATE-1.burst": "fail"}')
    assert "1 failed" in done.stdout
    assert "1 xfailed" in done.stdout
    assert "slow disk" in done.stdout
    assert "the list is stale" in done.stdout


def test_a_run_that_judged_nothing_is_not_green(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, *TARGET, "-k", "RATE-1.burst", results='{"RATE-1.burst": "not-judged"}')
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "nothing was judged" in done.stdout


def test_a_target_that_cannot_be_judged_ends_it_in_one_line(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, *TARGET, results='{"unreachable": ""}')
    assert done.returncode == 3
    assert "Exit: ws://127.0.0.1:1: connection refused" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "name a server: --target ws://host:port/path, or --hooks FILE"),
        (("--target", "http://x"), "'http://x': expected ws://host:port/path"),
        (("--hooks", "nowhere.yaml"), "hook file nowhere.yaml: No such file"),
        ((*TARGET, "--dialect", "nowhere.yaml"), "nowhere.yaml"),
        ((*TARGET, "--dialect", "typo.yaml"), "typo.yaml:3"),
        ((*TARGET, "--timers", "short"), "--timers short needs --hooks"),
        ((*TARGET, "--jobs", "0"), "argument --jobs: expected a number from 1 to 500, got '0'"),
        ((*TARGET, "--known-failing", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        ((*TARGET, "--numprocesses", "2"), "leave out -n (pytest-xdist)"),
    ],
)
def test_bad_options_are_usage_errors(tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    (tmp_path / "typo.yaml").write_text("dialect: 1\nname: mine\nconect: {path: /}\ncodec: json\n")
    done = run_pytest(tmp_path, *words)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert line in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_other_runs_of_pytest_do_not_see_it(tmp_path: Path) -> None:
    """Installed, and so loaded everywhere: somebody else's `--target` is still theirs."""
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--target')\n")
    (tmp_path / "test_own.py").write_text(
        "def test_own(request):\n    assert request.config.getoption('target') == 'x'\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--target", "x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "roomproof-" in done.stdout  # in the list of plugins
    assert "roomproof:" not in done.stdout
