"""The commands that the pages show: options that exist, and the tour, played in a copy of the server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tools import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^ *```(?:sh|console)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
PROGRAMS = ("roomproof", "roomproof-server", "roomproof-load")


def commands() -> list[tuple[str, str]]:
    """Page and command line of all that begins with one of the project's programs."""
    found = []
    for path in PAGES:
        for body in BLOCK.findall(path.read_text("utf-8")):
            for line in body.replace("\\\n", " ").splitlines():
                words = line.strip().removeprefix("$ ").removeprefix(".venv/bin/").partition("  #")[0]
                if words.split(" ")[0] in PROGRAMS:
                    found.append((path.relative_to(ROOT).as_posix(), words.strip()))
    return list(dict.fromkeys(found))


@cache
def options(program: str, command: str) -> frozenset[str]:
    """Those that the program's own help lists."""
    words = [str(BIN / program), *([command] if command else []), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    return frozenset(re.findall(r"--[a-z][a-z-]+", done.stdout))


@pytest.mark.parametrize(("page", "line"), commands())
def test_options_exist(page: str, line: str) -> None:
    program, *words = line.split()
    subcommands = {"dialect", "explain", "hooks", "judge", "list", "replay", "run", "selftest", "shrink", "matrix"}
    command = words[0] if words and words[0] in subcommands else "run" if program == "roomproof" else ""
    shown = {word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z][a-z-]+(=.*)?", word)}
    known = options(program, command) | options(program, "") | {"--help", "--version"}
    if command not in ("dialect", "hooks") and program != "roomproof-load":
        assert shown <= known, f"{page}: {line}"


def test_the_tour_breaks_the_server_and_mends_it(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs/tutorial.md").read_text("utf-8"))
    breaking = next(body for body in blocks if body.startswith("sed "))
    sed, kit = breaking.strip().splitlines()
    shutil.copytree(ROOT / "server/roomproof_server", tmp_path / "server/roomproof_server")
    subprocess.run(["bash", "-c", sed], cwd=tmp_path, check=True)
    where = {**os.environ, "PYTHONPATH": str(tmp_path / "server")}
    line = kit.replace(".venv/bin/", f"{BIN}/")
    broken = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=where, capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert "RATE-1.burst" in broken.stdout
    assert "6 admitted" in broken.stdout
    whole = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert whole.returncode == 0
