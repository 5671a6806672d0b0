"""The tool that measures how small the conversations become in which liars are caught: two of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TWO = ("room-3-before-join", "hist-8-empty-page-fails")


def test_two_liars_are_caught_by_a_few_frames(tmp_path: Path) -> None:
    out = tmp_path / "shrink.json"
    command = f"-m tools.liars.shrink --only {' '.join(TWO)} --seconds 20 --minutes 2 --out".split()
    words = [sys.executable, *command, out]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(out.read_text())
    assert figures["summary"]["shrunk"] == 2
    assert figures["summary"]["frames"]["max"] <= 8
    assert figures["summary"]["connections"]["max"] <= 3
    assert {row["liar"] for row in figures["per_liar"]} == set(TWO)
    assert {"date", "commit", "machine", "command"} <= figures.keys()
