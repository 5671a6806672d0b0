"""A run in a thread: what has passed is told at once, the rest at the end, and nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roomproof_conformance import hooks
from roomproof_conformance.dialects import load
from roomproof_conformance.pytest_plugin.background import Background, selection
from roomproof_conformance.run import SHORT_TIMERS, Plan, TargetError
from roomproof_conformance.verdicts import Verdict

MARK = "ROOMPROOF_TEST_FOLDER"
LIARS = Path(__file__).parent.parent / "liars"


def in_background(*ids: str, url: str | None = None) -> Background:
    hook = None if url else hooks.load("reference")
    plan = Plan(load("native"), url, hook, {} if url else SHORT_TIMERS)
    return Background(selection(plan, frozenset(ids)), lambda result: result)


def children() -> set[int]:
    task = Path("/proc/self/task")
    return {int(pid) for thread in task.iterdir() for pid in (thread / "children").read_text().split()}


def test_what_passed_is_told_while_the_run_goes_on_and_stopping_ends_the_server() -> None:
    before = children()
    run = in_background("ROOM-3.other-room", "BEAT-5.silent-member")
    run.start()
    try:
        assert run.wait_for("ROOM-3.other-room") is None
        assert run.result is None
        assert children() - before
    finally:
        run.stop()
    assert children() <= before
    assert run.result is not None
    assert run.result.interrupted
    assert {r.check for r in run.result.results} == {"ROOM-3.other-room", "BEAT-5.silent-member"}


def test_at_the_end_there_is_a_result_of_each() -> None:
    run = in_background("ROOM-3.other-room")
    run.start()
    try:
        found = run.wait_for("ROOM-3.other-room", end=True)
    finally:
        run.stop()
    assert found is not None
    assert found.verdict is Verdict.PASS


def test_what_ends_the_run_reaches_who_waits() -> None:
    run = in_background("ROOM-3.other-room", url="ws://127.0.0.1:1/ws")
    run.start()
    with pytest.raises(TargetError, match="refused"):
        run.wait_for("ROOM-3.other-room")
    run.stop()
    assert run.result is None


def front_end(folder: Path, *words: str) -> subprocess.Popen[str]:
    """pytest, judging a liar whose rooms leak."""
    python, serve = sys.executable, LIARS / "serve.py"
    start = f'["{python}", "{serve}", "room-3-every-room"]'
    (folder / "hooks.yaml").write_text(f"hooks: 1\nstart: {start}\npath: /ws\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    plugins = ["-p", "no:cacheprovider", "-p", "roomproof_conformance.pytest_plugin"]
    command = [python, "-m", "pytest", *plugins, "--pyargs", "roomproof_conformance"]
    return subprocess.Popen(
        [*command, "--hooks", "hooks.yaml", "--timers", "short", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", MARK: str(folder)},
    )


def servers(folder: Path) -> list[int]:
    """The processes that were started with the hook file of `folder` (their environment names it)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(") ")[2][0]
            except OSError:
                continue
            if f"{MARK}={folder}".encode() in environment and b"ROOMPROOF_PORT" in environment and state != "Z":
                found.append(int(entry.name))
    return found


def test_a_violation_shows_what_happened_and_the_first_one_ends_it_all(tmp_path: Path) -> None:
    pytest_run = front_end(tmp_path, "-x", "-k", "ROOM-3.")
    out, err = pytest_run.communicate(timeout=120)
    assert pytest_run.returncode == 1, out + err
    assert "ROOM-3 MUST" in out
    assert "sent" in out
    assert "came" in out
    assert "right" in out
    assert "--hooks hooks.yaml --timers short --only ROOM-3." in out
    assert "1 failed" in out
    assert not servers(tmp_path)


def test_ctrl_c_leaves_no_server(tmp_path: Path) -> None:
    pytest_run = front_end(tmp_path, "-k", "BEAT-5.silent-member")
    deadline = time.monotonic() + 60
    while not servers(tmp_path):
        assert pytest_run.poll() is None
        assert time.monotonic() < deadline
    pytest_run.send_signal(signal.SIGINT)
    out, err = pytest_run.communicate(timeout=60)
    assert pytest_run.returncode == pytest.ExitCode.INTERRUPTED, out + err
    assert not servers(tmp_path)
