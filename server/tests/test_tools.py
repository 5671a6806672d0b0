"""The short forms of the tools that attack a server: the same code as the long ones, with a fixed seed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run(tool: str, *options: str) -> dict[str, Any]:
    """The figures that the tool prints; its complaint is the test's."""
    command = [sys.executable, "-m", f"tools.{tool}.run", *options, "--no-write"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_fuzz() -> None:
    """ERR-14: whatever a client sends, one answer each, and nothing worse."""
    figures = run("fuzz", "--frames", "20000", "--socket-frames", "2000", "--seed", "7")
    assert figures["rules"]["frames"] == 20_000
    assert len(figures["rules"]["states"]) == 7
    assert {"pong", "joined", "sent", "invalid_json", "close 4401"} <= figures["rules"]["outcomes"].keys()
    assert figures["sockets"]["refusals"] > 500


def test_abuse() -> None:
    """DISC-8 and the memory formula of docs/operations.md, with small numbers."""
    attacks = run("abuse", "--short")["attacks"]
    assert len(attacks) == 11
    assert all(attack["growth_bytes"] <= attack["bound_bytes"] for attack in attacks.values())
