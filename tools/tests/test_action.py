"""The one script of the GitHub action, run without GitHub: with a server of its own, and with all that can be wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import yaml

from tools import ROOT

SCRIPT = ROOT / "deploy" / "action.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def act(folder: Path, **inputs: str) -> tuple[int, str, dict[str, str]]:
    """Exit code, what was printed, and the outputs."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    files = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    environment = {**os.environ, "PATH": path, **files, "INPUT_REPORTS": str(folder / "reports"), **inputs}
    environment.pop("ROOMPROOF_INSTALL", None)
    done = subprocess.run(
        [sys.executable, SCRIPT], env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    lines = (folder / "GITHUB_OUTPUT").read_text(encoding="utf-8").splitlines()
    return done.returncode, done.stdout + done.stderr, dict(line.split("=", 1) for line in lines)


def test_a_server_is_started_judged_and_ended(tmp_path: Path) -> None:
    port = free_port()
    start = f"{shlex.quote(sys.executable)} -m roomproof_server.entry --port {port} --store memory"
    code, said, outputs = act(
        tmp_path, INPUT_URL=f"ws://127.0.0.1:{port}/ws", INPUT_START=start, INPUT_ARGUMENTS="--quick"
    )
    assert code in (0, 4), said
    assert outputs["exit-code"] == str(code)
    assert outputs["verdict"] == ("conformant" if code == 0 else "inconclusive")
    reports = Path(outputs["reports"])
    for name in ("junit.xml", "report.html", "report.json", "summary.md", "badge.json", "server.log"):
        assert (reports / name).stat().st_size, name
    assert json.loads(Path(outputs["badge"]).read_text(encoding="utf-8"))["label"].startswith("roomproof")
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8") == (reports / "summary.md").read_text(
        encoding="utf-8"
    )
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)), "the server is still there"


def test_a_wrong_address_is_usage(tmp_path: Path) -> None:
    code, said, outputs = act(tmp_path, INPUT_URL="http://127.0.0.1/")
    assert (code, outputs["verdict"]) == (2, "usage")
    assert "expected the address of a socket" in said
    assert "Traceback" not in said


def test_a_server_that_ends_or_never_answers_is_said_to(tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{free_port()}/"
    code, said, outputs = act(tmp_path, INPUT_URL=url, INPUT_START="exit 7")
    assert (code, outputs["verdict"]) == (3, "unreachable")
    assert "exit code 7" in said
    code, said, _ = act(tmp_path, INPUT_URL=url, INPUT_START="sleep 60", INPUT_READY_SECONDS="0.3")
    assert code == 3
    assert "nothing answers" in said


def test_the_action_hands_every_input_to_the_script() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    step = next(step for step in action["runs"]["steps"] if step.get("id") == "judge")
    read = set(re.findall(r'"(INPUT_[A-Z_]+)"', SCRIPT.read_text(encoding="utf-8")))
    assert read == {name for name in step["env"] if name.startswith("INPUT_")}
    told = {f"INPUT_{name.upper().replace('-', '_')}" for name in action["inputs"]}
    assert read <= told
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert [name for name in action["inputs"] if f"| `{name}` |" not in page] == []
    assert [name for name in action["outputs"] if f"`{name}`" not in page] == []
