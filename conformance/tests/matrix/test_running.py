"""Whole matrices by the command: servers that die, print without end, do not start, or are broken off in the middle."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roomproof_conformance.matrix.model import schema

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "examples" / "first-server" / "server.py"
CLAIMS = "  malformed: {not_json: error}\n"
DIALECT = (ROOT / "examples" / "first-server" / "mine.yaml").read_text() + CLAIMS
MIB = 2**20

FRAIL = """
import os, runpy, json
loads = json.loads
def fragile(text):
    return os._exit(7) if loads(text) is None else loads(text)
json.loads = fragile
runpy.run_path({server!r}, run_name="__main__")
"""
DAEMON = """
import os, runpy, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(100)", {server!r}, *sys.argv[1:]])
    os._exit(0)
runpy.run_path({server!r}, run_name="__main__")
"""
BUSY = """
import asyncio, pathlib, runpy, sys
module, ended = runpy.run_path({server!r}), 0
client = module["client"]
async def counting(socket):
    global ended
    await client(socket)
    ended += 1
    if ended == 60:  # by then some cases are done, and some are not
        pathlib.Path(sys.argv[1]).touch()
module["main"].__globals__["client"] = counting
asyncio.run(module["main"]())
"""
LOUD = """
import os, runpy, threading
def shout():
    while True:
        os.write(1, b"!" * 65536)
threading.Thread(target=shout, daemon=True).start()
runpy.run_path({server!r}, run_name="__main__")
"""


def servers_file(tmp_path: Path, **commands: list[str]) -> Path:
    """A servers file; a command is told its port by PORT."""
    (tmp_path / "mine.yaml").write_text(DIALECT)
    text = "matrix: 1\ntitle: Some servers\nservers:\n"
    for name, command in commands.items():
        text += f"  {name}:\n    dialect: mine.yaml\n    command: {json.dumps(command)}\n"
        text += "    environment: {PORT: '{port}'}\n    ready: 10s\n"
    path = tmp_path / "servers.yaml"
    path.write_text(text)
    return path


def script(tmp_path: Path, name: str, text: str) -> list[str]:
    (tmp_path / name).write_text(text.format(server=str(SERVER)))
    return ["{python}", "{here}/" + name]


def command(file: Path, *options: str) -> list[str]:
    words = ["matrix", str(file), "--out", str(file.parent / "out"), *options]
    return [sys.executable, "-c", "from roomproof_conformance.cli import main; main()", *words]


def run(file: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(command(file, *options), capture_output=True, text=True, timeout=170, check=False)
    return done.returncode, read(file), done.stdout + done.stderr


def read(file: Path) -> dict[str, Any]:
    matrix: dict[str, Any] = json.loads((file.parent / "out" / "matrix.json").read_text())
    Draft202012Validator(schema()).validate(matrix)
    return matrix


def left_running(*words: str) -> list[str]:
    """Command lines of processes that hold one of these words."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(word in line for word in words) and str(os.getpid()) != place.parent.name:
            found.append(line)
    return found


def by_name(matrix: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in matrix["servers"]}


def test_one_of_each_fate(tmp_path: Path) -> None:
    fails = (
        'import logging\ntry:\n    {{}}["x"]\nexcept KeyError:\n    raise RuntimeError("no \\x1b[31mstore") from None\n'
    )
    idle = "import time\nprint('ValueError: not now', flush=True)\ntime.sleep(60)\n"
    file = servers_file(
        tmp_path,
        good=["{python}", str(SERVER)],
        fails=script(tmp_path, "fails.py", fails),
        idle=script(tmp_path, "idle.py", idle),
        absent=["/no/such/program"],
    )
    file.write_text(
        file.read_text().replace("ready: 10s\n  absent", "ready: 500ms\n  absent")
        + "  nowhere:\n    dialect: mine.yaml\n    url: ws://127.0.0.1:1/\n"
    )
    code, matrix, said = run(file, "--only", "ROOM-3.other-room", "--jobs", "3")
    columns = by_name(matrix)
    assert code == 3, said
    assert {name: column["state"] for name, column in columns.items()} == {
        "good": "judged",
        "fails": "not-started",
        "idle": "lets-nobody-in",
        "absent": "not-set-up",
        "nowhere": "not-reached",
    }
    assert list(columns) == ["good", "fails", "idle", "absent", "nowhere"], "in the order of the file"
    assert columns["good"]["rows"]["ROOM-3"]["state"] == "pass"
    assert columns["fails"]["why"] == "ended with exit code 1"
    assert columns["fails"]["exception"] == "RuntimeError: no \\x1b[31mstore (fails.py, line 5)"
    assert columns["idle"]["exception"] == "ValueError: not now"
    assert "is not ready after 0.5 s" in columns["idle"]["why"]
    assert "cannot run '/no/such/program'" in columns["absent"]["why"]
    out = tmp_path / "out"
    assert "RuntimeError" in (out / "fails" / "output.txt").read_text()
    assert (out / "good" / "report.html").exists()
    assert sorted(path.name for path in out.glob("matrix.*")) == ["matrix.html", "matrix.json", "matrix.md"]
    assert not list(out.glob("*/kit-errors.txt"))
    assert not left_running(str(tmp_path))


def test_a_server_that_dies_is_started_again_and_what_killed_it_is_named(tmp_path: Path) -> None:
    file = servers_file(tmp_path, frail=script(tmp_path, "frail.py", FRAIL))
    code, matrix, said = run(file, "--only", "ERR-4.*", "--only", "ROOM-3.*")
    [column] = matrix["servers"]
    assert code == 1, said
    assert column["state"] == "judged"
    assert "ERR-4.null" in column["killers"]
    assert column["starts"] > 1
    assert column["rows"]["ROOM-3"]["state"] == "pass", "the remaining cases are judged"
    assert column["rows"]["ERR-4"]["checks"]["ERR-4.null"] == "fail"
    assert "brought down by" in said
    assert "exit code 7" in (tmp_path / "out" / "frail" / "output.txt").read_text()


def test_a_server_that_prints_without_end_is_judged_within_bounds(tmp_path: Path) -> None:
    file = servers_file(tmp_path, loud=script(tmp_path, "loud.py", LOUD))
    code, matrix, said = run(file, "--only", "ROOM-3.other-room")
    [column] = matrix["servers"]
    assert (code, column["state"]) == (0, "judged"), said
    output = (tmp_path / "out" / "loud" / "output.txt").read_text()
    assert "bytes left out" in output
    assert len(output) < MIB
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 500 * MIB


def test_a_process_that_left_its_group_does_not_outlive_the_run(tmp_path: Path) -> None:
    file = servers_file(tmp_path, sly=[*script(tmp_path, "sly.py", DAEMON), str(tmp_path / "mark")])
    code, _, said = run(file, "--only", "ROOM-3.other-room")
    assert code == 0, said
    assert not left_running(str(tmp_path / "mark"))


def test_ctrl_c_writes_what_there_is_and_leaves_nothing_running(tmp_path: Path) -> None:
    names = ("first", "second", "third")
    busy = script(tmp_path, "busy.py", BUSY)
    file = servers_file(tmp_path, **{name: [*busy, str(tmp_path / f"{name}.busy")] for name in names})
    with subprocess.Popen(command(file, "--jobs", "2"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.busy")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        code = process.wait(60)
    matrix = read(file)
    columns = by_name(matrix)
    assert code == 130, said
    assert matrix["interrupted"]
    assert columns["third"]["state"] == "not-tried"
    assert any(column["interrupted"] and column["state"] == "judged" for column in columns.values()), columns
    assert not left_running(str(tmp_path))
    assert "Traceback" not in said


def test_side_by_side_the_verdicts_are_the_same(tmp_path: Path) -> None:
    file = servers_file(tmp_path, one=["{python}", str(SERVER)], two=["{python}", str(SERVER)])
    options = ("--only", "ROOM-*", "--only", "ERR-1.not-json", "--only", "DISC-1.close")
    verdicts = []
    for jobs in ("1", "2"):
        code, matrix, said = run(file, *options, "--jobs", jobs)
        assert code == 1, said
        rows = [{row: cell["checks"] for row, cell in column["rows"].items()} for column in matrix["servers"]]
        assert rows[0] == rows[1]
        verdicts.append(rows)
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--server", "nobody"), "no server is called 'nobody'; known: mine"),
        (("--only", "HISST-1"), "no requirement or check is called 'HISST-1'; did you mean"),
        (("--out", "/proc/nothing"), "/proc/nothing: cannot be written"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, options: tuple[str, ...], expected: str) -> None:
    file = servers_file(tmp_path, mine=["x"])
    done = subprocess.run(command(file, *options), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert expected in line
