"""Figures of the long forms: JSON files in docs/results/ that say when, where and how they were made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"


def write(path: Path, figures: dict[str, Any]) -> None:
    """Write figures under the header that every file of results has."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    script = os.path.relpath(sys.argv[0], ROOT)
    header = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or None,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}",
        "command": " ".join(["python", script, *sys.argv[1:]]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(header | figures, indent=2) + "\n")


def made(name: str, page: Callable[[Mapping[str, Any]], str], arguments: Sequence[str]) -> int:
    """Write docs/results/NAME.md from NAME.json, or with `--check` say whether it is current; the exit code."""
    figures, target = RESULTS / f"{name}.json", RESULTS / f"{name}.md"
    if not figures.exists():
        return 0
    text = page(json.loads(figures.read_text()))
    if list(arguments) != ["--check"]:
        target.write_text(text, encoding="utf-8")
        return 0
    current = target.exists() and target.read_text(encoding="utf-8") == text
    if not current:
        print(f"{target.name} is not that of {figures.name}; `make generate` writes it anew", file=sys.stderr)
    return int(not current)
