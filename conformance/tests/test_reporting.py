"""What a run leaves behind, and each exit code, as the command line gives it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roomproof_conformance.cli import run_command
from roomproof_conformance.cli.main import cli
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.run import TargetError
from roomproof_conformance.verdicts import Conclusion, Reason, Verdict

URL = "ws://127.0.0.1:1/ws"
FORMATS = ("--html", "--json", "--junit", "--markdown", "--badge")


class Told:
    """Stands for a runner: gives a result without a server."""

    verdict = Verdict.PASS
    interrupted = False
    error: TargetError | None = None
    runs = 0

    def __init__(self, plan: Any) -> None:
        self.result = RunResult(plan.url, "roomproof.v1", "0.1.0", datetime(2026, 12, 1, tzinfo=UTC))

    async def run(self) -> RunResult:
        Told.runs += 1
        if self.error:
            raise self.error
        reason = Reason.NOISE if self.verdict is Verdict.INCONCLUSIVE else None
        conclusion = Conclusion(self.verdict, reason)
        check = CheckResult("RATE-1.burst", "RATE-1", "RATE", "MUST", "A burst", "A server MUST", conclusion)
        self.result.results.append(check)
        self.result.interrupted = self.interrupted
        return self.result

    async def stop_all(self) -> None:
        """Nothing was started."""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> type[Told]:
    monkeypatch.setattr(run_command, "Runner", Told)
    for name, value in (("verdict", Verdict.PASS), ("interrupted", False), ("error", None), ("runs", 0)):
        monkeypatch.setattr(Told, name, value)
    return Told


def kit(*words: str) -> Result:
    return CliRunner().invoke(cli, [URL, *words], prog_name="roomproof")


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.PASS, 0),
        (Verdict.WARN, 0),
        (Verdict.FAIL, 1),
        (Verdict.KIT_ERROR, 3),
        (Verdict.NOT_JUDGED, 3),
        (Verdict.INCONCLUSIVE, 4),
    ],
)
def test_the_exit_code_follows_the_verdicts(told: type[Told], verdict: Verdict, code: int) -> None:
    told.verdict = verdict
    assert kit().exit_code == code


def test_interrupted_usage_and_unreachable_have_codes_of_their_own(told: type[Told]) -> None:
    told.interrupted = True
    assert kit().exit_code == 130
    assert kit("--only", "NOPE-1").exit_code == 2
    told.error = TargetError(f"{URL}?token=0123456789abcdef: refused")
    done = kit()
    assert done.exit_code == 3
    assert done.stderr == f"roomproof: {URL}?token=01234… (16 characters): refused\n"


def test_all_formats_at_once(told: type[Told], tmp_path: Path) -> None:
    files = {option: tmp_path / "new" / f"report{option}" for option in FORMATS}
    words = [word for pair in files.items() for word in map(str, pair)]
    done = kit(*words, "--transcripts", str(tmp_path / "cases"))
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "new").iterdir()} == {path.name for path in files.values()}
    assert all(str(path) in done.stderr for path in files.values())
    assert json.loads(files["--json"].read_text())["exit_code"] == 0


@pytest.mark.parametrize("option", [*FORMATS, "--transcripts"])
def test_what_cannot_be_written_is_refused_before_the_run(told: type[Told], tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("")
    done = kit(option, str(tmp_path / "file" / "report"))
    assert (done.exit_code, told.runs) == (2, 0)
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path / 'file' / 'report'}: cannot be written: " in line


def test_a_folder_is_no_file_and_two_reports_are_two_files(told: type[Told], tmp_path: Path) -> None:
    assert kit("--badge", str(tmp_path)).exit_code == 2
    done = kit("--html", str(tmp_path / "r"), "--junit", str(tmp_path / "r"))
    assert (done.exit_code, told.runs) == (2, 0)
    assert "both --html and --junit would write it" in done.stderr


def test_a_disk_that_fills_up_later_is_an_error_and_hides_no_violation(
    told: type[Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roomproof_conformance.cli.reporting.check_paths", lambda options: None)
    (tmp_path / "file").write_text("")
    words = ("--html", str(tmp_path / "file" / "r"), "--badge", str(tmp_path / "badge.json"))
    done = kit(*words)
    assert done.exit_code == 3
    assert "cannot be written" in done.stderr
    assert (tmp_path / "badge.json").exists()
    told.verdict = Verdict.FAIL
    assert kit(*words).exit_code == 1


def test_known_failures_decide_the_exit_code(told: type[Told], tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text("known: 1\nchecks: [{check: RATE-1.burst, reason: per connection}]\n")
    told.verdict = Verdict.FAIL
    done = kit("--known-failing", str(file))
    assert done.exit_code == 0, done.output
    assert "Conformant but for known failures" in done.stdout
    told.verdict = Verdict.PASS
    done = kit("--known-failing", str(file))
    assert done.exit_code == 1
    assert "Known failures are out of date" in done.stdout
    assert "the list is stale" in " ".join(done.stdout.split())
    assert kit("--known-flaky", str(file)).exit_code == 0


def test_an_unknown_check_in_a_list_is_refused_before_the_run(told: type[Told], tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text("known: 1\nchecks: [{check: RATE-1.brst, reason: r}]\n")
    done = kit("--known-failing", str(file))
    assert (done.exit_code, told.runs) == (2, 0)
    assert "did you mean 'RATE-1.burst'?" in done.stderr


def test_json_on_stdout_stands_there_alone(told: type[Told]) -> None:
    assert json.loads(kit("--json", "-").stdout)["counts"] == {"pass": 1}
