"""What a load must find: five liars, a server that dies, an interruption; and that a restart is none of these."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Load = Callable[..., Any]
LIARS = Path(__file__).parent / "liars" / "serve.py"


@pytest.mark.parametrize(
    ("liar", "scenario", "kind"),
    [
        ("lost", "steady-chat", "lost"),
        ("duplicate", "steady-chat", "duplicated"),
        ("reordered", "steady-chat", "reordered"),
        ("leaked", "steady-chat", "leaked"),
        ("history-race", "join-storm", "lost"),
    ],
)
def test_a_liar_is_caught_with_the_stretch_that_shows_it(load: Load, liar: str, scenario: str, kind: str) -> None:
    start = f"{sys.executable} {LIARS} {liar}"
    done = load(
        "--start", start, "--scenario", scenario, "--users", "30", "--time", "3s", "--rate", "2", "--stay", "300ms",
        "--patience", "1s",
    )  # fmt: skip
    assert done.code == 1, done.err + done.out
    assert done.result["violations"]["kinds"].get(kind, 0) > 0
    shown = [v for v in done.result["violations"]["shown"] if v["kind"] == kind]
    assert shown
    assert shown[0]["transcript"]


def test_a_server_that_dies_is_a_finding_with_the_time(load: Load, tmp_path: Path) -> None:
    program = tmp_path / "dies.py"
    program.write_text(
        "import os, runpy, threading\n"
        "threading.Timer(5.0, lambda: os._exit(7)).start()\n"
        "runpy.run_module('roomproof_server.hook', run_name='__main__')\n"
    )
    done = load("--start", f"{sys.executable} {program}", "--users", "8", "--time", "20s", "--patience", "2s")
    assert done.code == 1, done.err
    assert done.result["died"]["t"] > 0
    assert "with code 7" in done.result["died"]["how"]
    assert done.result["violations"]["kinds"] == {"died": 1}
    assert "The server died" in done.out


def test_an_interruption_ends_with_a_report(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    command = [
        sys.executable, "-m", "roomproof_loadtest.entry", "--start", "reference", "--users", "8", "--time", "60s",
        "--json", str(target),
    ]  # fmt: skip
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(6)  # long enough for users to talk: nothing outside tells that they do
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, out + err
    assert "interrupted" in err
    result = json.loads(target.read_text())
    assert result["interrupted"]
    assert result["violations"]["total"] == 0


def test_through_a_restart_nothing_that_was_acknowledged_is_lost(load: Load) -> None:
    done = load(
        "--start", "reference", "--settings", '{"store": "sqlite"}', "--scenario", "resume-storm", "--users", "20",
        "--time", "8s", "--rate", "1",
    )  # fmt: skip
    assert done.code == 0, done.err + done.out
    assert done.result["outages"]
    assert done.result["latency"]["join"]["count"] >= 40


def test_listeners_of_a_hot_room_hear_everything(load: Load) -> None:
    done = load(
        "--start", "reference", "--scenario", "hot-room", "--users", "60", "--talkers", "4", "--time", "5s",
        "--rate", "1",
    )  # fmt: skip
    assert done.code == 0, done.err + done.out
    assert done.result["processes"] == 2
    assert done.result["counts"]["deliveries"] > done.result["counts"]["sent"] * 40


def test_one_master_and_two_workers(load: Load) -> None:
    from roomproof_loadtest.service import Service, free_port

    port = free_port()
    server = Service("reference", {})
    server.start()
    url = f"ws://127.0.0.1:{server.port}/ws"
    common = [url, "--users", "12", "--time", "4s", "--rate", "2", "--master-port", str(port)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "roomproof_loadtest.entry", "--worker", *common], stdin=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    try:
        done = load("--master", "--expect-workers", "2", *common)
        assert done.code == 0, done.err + done.out
        assert done.result["processes"] == 2
        assert done.result["counts"]["deliveries"] > 50
        assert [worker.wait(20) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        server.remove()


def test_processes_of_one_command(load: Load) -> None:
    done = load("--start", "reference", "--users", "12", "--time", "4s", "--rate", "2", "--processes", "2")
    assert done.code == 0, done.err + done.out
    assert done.result["processes"] == 2


def test_two_results_side_by_side(load: Load, tmp_path: Path) -> None:
    done = load("--start", "reference", "--users", "6", "--time", "2s", "--rate", "1")
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    files[0].write_text(json.dumps(done.result))
    done.result["parameters"]["rate"] = 2.0
    files[1].write_text(json.dumps(done.result))
    page = tmp_path / "both.html"
    command = [sys.executable, "-m", "roomproof_loadtest.entry", "--compare", *map(str, files), "--html", str(page)]
    assert subprocess.run(command, check=False, timeout=30).returncode == 0
    text = page.read_text()
    assert "<svg" in text
    assert "rate: 1.0 in A, 2.0 in B" in text
    assert os.stat(page).st_size < 300_000
