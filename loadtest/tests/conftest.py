"""Loads as users run them: `roomproof-load` as a child process, never locust in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Done:
    """A finished run."""

    code: int
    out: str
    err: str
    result: dict[str, Any] | None


Load = Callable[..., Done]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Run `roomproof-load` with these arguments, and read its result."""

    def run(*arguments: str, timeout: float = 90) -> Done:
        target = tmp_path / "result.json"
        command = [sys.executable, "-m", "roomproof_loadtest.entry", *arguments, "--json", str(target)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )
        result = json.loads(target.read_text()) if target.exists() else None
        return Done(done.returncode, done.stdout, done.stderr, result)

    return run
