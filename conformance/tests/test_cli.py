"""The command as a person uses it: bad input gives one clear line and its exit code, Ctrl-C keeps what was reached."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

KIT = Path(sys.executable).with_name("roomproof")
SHORT = ("--hooks", "reference", "--timers", "short")


def roomproof(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KIT, *words],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
    )


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The only line on stderr of a command that was refused."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("Usage:", "Try "))]
    assert len([line for line in lines if line.strip()]) == 1, done.stderr
    return lines[-1]


@pytest.fixture
def web() -> Iterator[str]:
    """An HTTP server that is no WebSocket."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.server_port}/ws"
        server.shutdown()


def test_an_address_where_nobody_listens() -> None:
    line = one_line(roomproof("ws://127.0.0.1:1/ws"), 3)
    assert "ws://127.0.0.1:1/ws" in line
    assert "refused" in line


def test_an_http_server_that_is_no_websocket(web: str) -> None:
    line = one_line(roomproof(web), 3)
    assert web in line
    assert "HTTP 404" in line


def test_a_word_that_is_neither_command_nor_address() -> None:
    assert "neither a command nor a WebSocket address" in one_line(roomproof("explane"), 2)


def test_an_unknown_requirement_gets_a_suggestion() -> None:
    assert "did you mean HIST-2?" in one_line(roomproof("ws://127.0.0.1:1", "--only", "HISST-2"), 2)
    assert "did you mean RATE-8?" in one_line(roomproof("explain", "RTE-8"), 2)


def test_help_loads_nothing_that_takes_long() -> None:
    later = {"jinja2", "jsonschema", "pytest", "rich", "websockets.asyncio.server", "websockets.server", "yaml"}
    ask = (
        "import sys; from roomproof_conformance.cli import main; sys.argv[1:] = ['--help']\n"
        f"try: main()\nfinally: print(*sorted({later!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=False)
    assert "--quick" in roomproof("run", "--help").stdout
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_an_option_with_a_typo_gets_a_suggestion() -> None:
    assert "--quick" in one_line(roomproof("ws://127.0.0.1:1", "--quik"), 2)


def test_a_selection_that_no_check_judges_is_refused() -> None:
    assert "--only ROOM-10 leaves no check" in one_line(roomproof("ws://127.0.0.1:1", "--only", "ROOM-10"), 2)


def test_an_unknown_option() -> None:
    assert "--dialekt" in one_line(roomproof("ws://127.0.0.1:1", "--dialekt", "x"), 2)


def test_a_dialect_with_a_typo(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("dialect: 1\nname: mine\nconect: {path: /}\ncodec: json\n")
    line = one_line(roomproof("ws://127.0.0.1:1", "--dialect", str(path)), 2)
    assert f"{path}:3" in line
    assert "did you mean" in line


def test_a_dialect_that_is_not_there() -> None:
    assert "nowhere.yaml" in one_line(roomproof("ws://127.0.0.1:1", "--dialect", "nowhere.yaml"), 2)


def test_neither_address_nor_hooks() -> None:
    assert "name a server" in one_line(roomproof("--only", "HIST-2"), 2)


def test_short_timers_of_a_server_that_runs_already() -> None:
    assert "--timers short needs --hooks" in one_line(roomproof("ws://127.0.0.1:1", "--timers", "short"), 2)


def test_a_hook_that_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "hooks.yaml"
    path.write_text("hooks: 1\nstart: ['{python}', '-c', 'print(\"no such module\"); raise SystemExit(7)']\n")
    line = one_line(roomproof("--hooks", str(path)), 3)
    assert "exit code 7" in line
    assert "no such module" in line


def test_list_and_explain() -> None:
    ledger = json.loads(roomproof("list", "--json").stdout)
    assert ledger["counts"]["requirements"] == 155
    done = roomproof("explain", "HIST-2")
    assert done.returncode == 0
    assert done.stdout.startswith("HIST-2 (MUST) The server MUST retain exactly the last")


def test_a_run_writes_what_is_asked_for_and_its_transcripts_judge_the_same(tmp_path: Path) -> None:
    files = {"--json": tmp_path / "r.json", "--html": tmp_path / "r.html", "--transcripts": tmp_path / "t"}
    words = [word for pair in files.items() for word in map(str, pair)]
    done = roomproof(*SHORT, "--only", "ROOM-3*", "--only", "RATE-1.burst", *words, NO_COLOR="1", COLUMNS="60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60 or "transcript" in done.stdout
    report = json.loads(files["--json"].read_text())
    assert report["exit_code"] == 0
    assert "<html" in files["--html"].read_text()
    transcripts = sorted(files["--transcripts"].glob("*.jsonl"))
    assert transcripts
    for transcript in transcripts:
        again = roomproof("judge", str(transcript))
        assert again.returncode == 0
        verdicts = dict(reversed(line.split()) for line in again.stdout.splitlines())
        ours = {c["check"]: c["verdict"] for c in report["checks"] if c["check"] in verdicts}
        assert ours == verdicts


def test_json_on_stdout_and_nothing_else_there() -> None:
    done = roomproof(*SHORT, "--only", "RATE-1.burst", "--json", "-")
    assert json.loads(done.stdout)["counts"] == {"pass": 1}


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_prints_what_was_reached_and_leaves_no_server(number: signal.Signals) -> None:
    kit = subprocess.Popen(
        [KIT, *SHORT, "--only", "BEAT-5*", "--only", "ROOM-3*"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (servers := children(kit.pid)):
        assert kit.poll() is None
        assert time.monotonic() < deadline
    kit.send_signal(number)
    out, err = kit.communicate(timeout=30)
    assert kit.returncode == 130, err
    assert "Traceback" not in err
    assert "BEAT-5" in out
    assert not [pid for pid in servers if Path(f"/proc/{pid}").exists()]
