"""The kit as a process: one run of `roomproof` against servers that it starts itself, and its report.

What runs for minutes must be ended on every way out: `stop_all` does, and all of it dies with this process. It must not
know what the servers are.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roomproof_conformance.hooks import SHIPPED
from tools import LIARS, ROOT

PACKAGES = ("protocol/roomproof_protocol", "server/roomproof_server", "conformance/roomproof_conformance")
RED = ("fail", "warn")
NOT_REACHABLE = 3
STOP_SECONDS = 20.0
# The kit dies with this process (PR_SET_PDEATHSIG, SIGKILL), and its servers with the kit.
_KIT = "import ctypes; ctypes.CDLL(None).prctl(1, 9); from roomproof_conformance.cli import main; main()"

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()
_stopping = threading.Event()


class Stopped(Exception):
    """The tool is on its way out: what this run would have said is not wanted any more."""


@dataclass(frozen=True)
class Run:
    """What the kit said: its report, or None and its last words; `seconds` of wall time."""

    code: int
    seconds: float
    report: Mapping[str, Any] | None
    words: str = ""
    timed_out: bool = False

    @property
    def checks(self) -> Sequence[Mapping[str, Any]]:
        """The results of all checks."""
        checks: Sequence[Mapping[str, Any]] = self.report["checks"] if self.report else ()
        return checks

    def having(self, *verdicts: str) -> list[Mapping[str, Any]]:
        """The results with one of these verdicts."""
        return [check for check in self.checks if check["verdict"] in verdicts]


@dataclass
class Kit:
    """A way to start the kit: its hook file and the options of each run."""

    hooks: Path
    folder: Path
    limit: float = 240.0
    options: tuple[str, ...] = ("--timers", "short")
    started: list[int] = field(default_factory=list)  # the process now running, for who slows it down

    def run(self, *options: str) -> Run:
        """Run to the end, or to `limit` seconds. Raises Stopped after `stop_all`."""
        if _stopping.is_set():
            raise Stopped
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-c", _KIT]
        command += ["--hooks", str(self.hooks), *self.options, "--json", str(report), *options]
        began = time.monotonic()
        with (self.folder / "kit.txt").open("w+b") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, env=_environment(),
                start_new_session=True,
            )  # fmt: skip
            with _lock:
                _running.add(process)
            self.started.append(process.pid)
            try:
                timed_out = _waited(process, self.limit)
            finally:
                _end(process)
                self.started.remove(process.pid)
                with _lock:
                    _running.discard(process)
            if _stopping.is_set():
                raise Stopped
            output.seek(0)
            words = " ".join(output.read().decode(errors="replace").strip().splitlines()[-1:])
        made = json.loads(report.read_text()) if report.exists() else None
        return Run(process.returncode, time.monotonic() - began, made, self._without_paths(words), timed_out)

    def _without_paths(self, words: str) -> str:
        """What is written down says nothing of the machine that it was found on."""
        return words.replace(f"{self.folder}/", "").replace(f"{ROOT}/", "")


def _environment() -> dict[str, str]:
    """That of this process, without a path by which the kit itself could come to other packages."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"NO_COLOR": "1"}


def _waited(process: subprocess.Popen[bytes], limit: float) -> bool:
    """Wait; True when it took too long."""
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """By SIGTERM, upon which the kit stops its servers, then by SIGKILL, upon which they die with it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        if _waited(process, STOP_SECONDS):
            process.kill()
            process.wait()


def stop_all() -> None:
    """End every run there is, and let none begin; for the way out of a tool that has several side by side."""
    _stopping.set()
    with _lock:
        processes = list(_running)
    for process in processes:
        with suppress(ProcessLookupError):
            process.terminate()


def interruptible() -> None:
    """Let SIGTERM end the tool as Ctrl-C does, through its `finally`s."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def hook_file(path: Path, **changes: object) -> Path:
    """Write the hook file of the reference server with these members changed (JSON is YAML)."""
    import yaml

    content = yaml.safe_load((SHIPPED / "reference.yaml").read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")
    return path


def source() -> str:
    """A short name of what is judged and what judges: of all files of kit, server, protocol and liars."""
    digest = hashlib.blake2b(digest_size=6)
    for folder in (*(ROOT / package for package in PACKAGES), LIARS):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON lines file; a last line that was broken off counts for nothing."""
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with suppress(ValueError):
            records.append(json.loads(line))
    return records


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record, on the disk before this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())
