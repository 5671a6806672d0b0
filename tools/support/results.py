"""Figures of the long forms: JSON files in docs/results/ that say when, where and how they were made."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools import RESULTS, ROOT


def commit() -> str | None:
    """The commit that is checked out."""
    said = subprocess.run(
        ["git", "rev-parse", "--verify", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or None


def write_options(parser: argparse.ArgumentParser, name: str) -> None:
    """`--write` and `--no-write` of a tool whose figures go to docs/results/NAME.json."""
    parser.add_argument("--write", type=Path, default=RESULTS / f"{name}.json", help="where the figures go")
    parser.add_argument("--no-write", action="store_true", help="keep nothing")


def write(path: Path, figures: dict[str, Any]) -> None:
    """Write figures under the header that every file of results has."""
    module = os.path.relpath(sys.argv[0], ROOT).removesuffix(".py").replace("/", ".")
    header = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}",
        "command": " ".join(["python -m", module, *sys.argv[1:]]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(header | figures, indent=2) + "\n")


def keep(options: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Write the figures as these options say, those of `write_options`."""
    if not options.no_write:
        write(options.write, figures)


def made(name: str, page: Callable[[Mapping[str, Any]], str], arguments: Sequence[str]) -> int:
    """Write docs/results/NAME.md from NAME.json, or with `--check` say whether it is current; the exit code."""
    figures, target = RESULTS / f"{name}.json", RESULTS / f"{name}.md"
    if not figures.exists():
        return 0
    return drawn(target, page(json.loads(figures.read_text())), figures.name, arguments)


def drawn(target: Path, text: str, source: str, arguments: Sequence[str]) -> int:
    """Write the text, or with `--check` say whether it is what the page holds; the exit code."""
    if list(arguments) != ["--check"]:
        target.write_text(text, encoding="utf-8")
        return 0
    current = target.exists() and target.read_text(encoding="utf-8") == text
    if not current:
        print(f"{target.name} is not that of {source}; `make generate` writes it anew", file=sys.stderr)
    return int(not current)
