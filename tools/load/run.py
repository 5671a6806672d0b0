"""Run the proof of the load test piece by piece, and keep the figures of each in docs/results/load.json.

python -m tools.load.run                # all pieces that have no figures of this commit's day yet
python -m tools.load.run --only hot-room,lost
python -m tools.load.run --ci           # two scenarios, 30 users, 5 s; writes nothing

A piece is a child `roomproof-load`; pages go to reports/load/. A run that was broken off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roomproof_loadtest.scenarios import SCENARIOS
from tools import RESULTS, ROOT
from tools.support.results import commit, write

FILE = RESULTS / "load.json"
REPORTS = ROOT / "reports" / "load"
LIARS = ROOT / "loadtest" / "tests" / "liars" / "serve.py"


@dataclass(frozen=True)
class Piece:
    """One run. `must` is the kind of violation that has to be found; without it none may be, unless `foreign`."""

    name: str
    group: str
    arguments: tuple[str, ...]
    must: str | None = None


def pieces(users: int, hot: int, seconds: int) -> list[Piece]:
    """All of them, in the order of the page."""
    found = []
    for name in SCENARIOS:
        size = hot if name == "hot-room" else users
        more = {
            "resume-storm": ("--settings", '{"store": "sqlite"}'),
            "join-storm": ("--stay", "3s"),
            "hot-room": ("--talkers", "10", "--rate", "0.2"),
        }.get(name, ())
        arguments = ("--start", "reference", "--scenario", name, "--users", str(size), "--time", f"{seconds}s", *more)
        found.append(Piece(name, "scenarios", arguments))
    for name, kind in (
        ("lost", "lost"), ("duplicate", "duplicated"), ("reordered", "reordered"), ("leaked", "leaked"),
        ("history-race", "lost"),
    ):  # fmt: skip
        scenario = "join-storm" if name == "history-race" else "steady-chat"
        arguments = (
            "--start", f"{sys.executable} {LIARS} {name}", "--scenario", scenario, "--users", "30", "--time", "8s",
            "--rate", "2", "--stay", "500ms", "--patience", "3s",
        )  # fmt: skip
        found.append(Piece(name, "liars", arguments, kind))
    return found


def play(piece: Piece, timeout: float) -> dict[str, Any]:
    """Run a piece; its result. Raises RuntimeError with the last line when there is none."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    target = REPORTS / f"{piece.name}.json"
    target.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "roomproof_loadtest.entry", *piece.arguments, "--json", str(target), "--html",
        str(REPORTS / f"{piece.name}.html"),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout)
    if not target.exists():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(said[-1] if said else f"exit code {done.returncode}")
    found: dict[str, Any] = json.loads(target.read_text())
    return found


def kept(result: Mapping[str, Any], piece: Piece) -> dict[str, Any]:
    """What the committed file holds of a result: the figures, and one violation of each kind."""
    shown: dict[str, Any] = {}
    for violation in result["violations"]["shown"]:
        shown.setdefault(violation["kind"], {k: violation[k] for k in ("kind", "t", "expected", "seen")})
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "busy": round(os.getloadavg()[0], 2),
        "arguments": [part.replace(str(ROOT) + "/", "").replace(sys.executable, "python") for part in piece.arguments],
        "must": piece.must,
        **{
            key: result[key]
            for key in ("users", "seconds", "throughput", "own_lag", "own_limit", "counts", "server", "died", "notes")
        },
        "latency": {k: v for k, v in result["latency"].items() if k.split(" (")[0] in ("delivery", "ack", "join")},
        "violations": {
            "total": result["violations"]["total"],
            "kinds": result["violations"]["kinds"],
            "examples": shown,
        },
    }


def right(piece: Piece, result: Mapping[str, Any]) -> bool:
    """Whether a piece came out as it has to."""
    violations = result["violations"]
    if piece.must is not None:
        return bool(violations["kinds"].get(piece.must))
    return not violations["total"] and result["counts"].get("deliveries", 0) > 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.load.run", description="Run the proof of the load test")
    parser.add_argument("--only", help="names of pieces, with commas between")
    parser.add_argument("--again", action="store_true", help="also those that have figures already")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--hot", type=int, default=1000, help="users of the hot room")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--ci", action="store_true", help="two scenarios, 30 users, 5 s; writes nothing")
    options = parser.parse_args(arguments)
    if options.ci:
        return _ci()
    figures = json.loads(FILE.read_text()) if FILE.exists() else {}
    groups: dict[str, dict[str, Any]] = {g: figures.get(g, {}) for g in ("scenarios", "liars", "foreign")}
    wanted = None if options.only is None else set(options.only.split(","))
    all_pieces = pieces(options.users, options.hot, options.seconds)
    bad = 0
    for piece in all_pieces:
        known = groups[piece.group].get(piece.name)
        if (wanted is not None and piece.name not in wanted) or (known and not options.again and wanted is None):
            continue
        print(f"{piece.group}: {piece.name} …", flush=True)
        try:
            result = play(piece, options.seconds + 150)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"  no result: {error}", flush=True)
            bad += 1
            continue
        groups[piece.group][piece.name] = kept(result, piece)
        bad += not right(piece, result)
        violations = result["violations"]
        print(f"  {result['throughput']['deliveries_per_s']}/s, {violations['kinds'] or 'no violation'}", flush=True)
        write(FILE, groups)
    return int(bad > 0)


def _ci() -> int:
    bad = 0
    for name in ("steady-chat", "join-storm"):
        arguments = ("--start", "reference", "--scenario", name, "--users", "30", "--time", "5s")
        piece = Piece(name, "ci", (*arguments, "--rate", "1", "--stay", "1s"))
        result = play(piece, 60)
        good = right(piece, result)
        bad += not good
        told = result["violations"]["kinds"] or f"{result['counts'].get('deliveries', 0)} deliveries, no violation"
        print(f"{name}: {told}{'' if good else '  RED'}", flush=True)
    return int(bad > 0)


def other(name: str, arguments: list[str], figures: Path = FILE) -> int:
    """Run a foreign server's piece that `tools.load.foreign` has prepared, and keep it."""
    piece = Piece(name, "foreign", tuple(arguments))
    result = play(piece, 200)
    found = json.loads(figures.read_text()) if figures.exists() else {}
    groups = {g: found.get(g, {}) for g in ("scenarios", "liars", "foreign")}
    groups["foreign"][name] = kept(result, piece)
    write(figures, groups)
    print(f"{name}: {result['throughput']['deliveries_per_s']}/s, {result['violations']['kinds'] or 'no violation'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
