"""What the GitHub action does, in one script that runs without GitHub: install, start, judge, report.

Reads INPUT_… variables, writes reports, the outputs (GITHUB_OUTPUT) and the job's summary (GITHUB_STEP_SUMMARY) where
these are given. Without ROOMPROOF_INSTALL it takes the `roomproof` that is on the path. Imports nothing that is
installed. Exit code: that of the kit; 2 for a wrong input, 3 when the server does not come up or nothing installs.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

VERDICTS = {0: "conformant", 1: "violation", 2: "usage", 3: "unreachable", 4: "inconclusive"}
STOP_SECONDS = 10


class Failed(Exception):
    """One line that says what is wrong, and the exit code."""

    def __init__(self, code: int, line: str) -> None:
        super().__init__(line)
        self.code = code


def main(environment: Mapping[str, str]) -> int:
    """Do all of it."""
    reports = Path(environment.get("INPUT_REPORTS") or "roomproof-reports")
    server: subprocess.Popen[bytes] | None = None
    with tempfile.TemporaryDirectory(prefix="roomproof-action-") as scratch:
        try:
            url, ready = _inputs(environment)
            kit = _kit(environment, Path(scratch))
            reports.mkdir(parents=True, exist_ok=True)
            with (reports / "server.log").open("wb") as log:
                if command := environment.get("INPUT_START"):
                    # A session of its own: what the command starts ends with it.
                    server = subprocess.Popen(
                        ["bash", "-c", command], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                    )
                _wait(url, ready, server)
                code = _judge(kit, url, environment, reports)
        except Failed as failed:
            print(f"::error title=roomproof::{failed}", flush=True)
            code = failed.code
        finally:
            if server is not None:
                _stop(server)
    _tell(environment, code, reports)
    return code


def _inputs(environment: Mapping[str, str]) -> tuple[str, float]:
    url = environment.get("INPUT_URL", "")
    if urlsplit(url).scheme not in {"ws", "wss"} or not urlsplit(url).hostname:
        raise Failed(2, f"url is {url!r}; expected the address of a socket, such as ws://127.0.0.1:8765/ws")
    try:
        return url, float(environment.get("INPUT_READY_SECONDS") or 30)
    except ValueError:
        raise Failed(2, f"ready-seconds is {environment['INPUT_READY_SECONDS']!r}; expected a number") from None


def _kit(environment: Mapping[str, str], scratch: Path) -> str:
    """The command `roomproof`, installed first where it is asked for."""
    source = environment.get("ROOMPROOF_INSTALL")
    if not source:
        if found := shutil.which("roomproof", path=environment.get("PATH")):
            return found
        raise Failed(3, "there is no roomproof on the path, and ROOMPROOF_INSTALL names none to install")
    home = scratch / "venv"
    venv.create(home, with_pip=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", source]
    if subprocess.run(pip, check=False).returncode:
        raise Failed(3, f"pip could not install {source}; its output stands above")
    return str(home / "bin" / "roomproof")


def _wait(url: str, ready: float, server: subprocess.Popen[bytes] | None) -> None:
    """Until the port takes connections."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80))
    until = time.monotonic() + ready
    while True:
        if server is not None and server.poll() is not None:
            raise Failed(3, f"the server ended with exit code {server.returncode}; see server.log among the reports")
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError as error:
            if time.monotonic() > until:
                raise Failed(3, f"nothing answers at {url} after {ready:g} s: {error}") from None
            time.sleep(0.1)
        else:
            return


def _judge(kit: str, url: str, environment: Mapping[str, str], reports: Path) -> int:
    kinds = {"junit": "junit.xml", "html": "report.html", "json": "report.json", "markdown": "summary.md"}
    outputs = [
        word for kind, name in (kinds | {"badge": "badge.json"}).items() for word in (f"--{kind}", reports / name)
    ]
    further = shlex.split(environment.get("INPUT_ARGUMENTS", ""))
    dialect = environment.get("INPUT_DIALECT") or "native"
    return subprocess.run([kit, "run", url, "--dialect", dialect, *outputs, *further], check=False).returncode


def _stop(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _tell(environment: Mapping[str, str], code: int, reports: Path) -> None:
    outputs = {"exit-code": code, "verdict": VERDICTS.get(code, "interrupted"), "reports": reports}
    outputs["badge"] = reports / "badge.json"
    if path := environment.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in outputs.items())
    summary = reports / "summary.md"
    if (path := environment.get("GITHUB_STEP_SUMMARY")) and summary.exists():
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(os.environ))
