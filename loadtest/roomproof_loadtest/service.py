"""The server under load, as far as it is a process of this machine: started, measured, restarted, stopped.

Processor time and memory are those of the process and all its descendants, from /proc. Knows no protocol.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

REFERENCE = f"{shlex.quote(sys.executable)} -m roomproof_server.hook"
"""What `--start reference` stands for."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class CannotStart(Exception):
    """The server did not come up: one line."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reachable(url: str, timeout: float = 1.0) -> bool:
    """Whether somebody takes connections there."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        with socket.create_connection((parts.hostname or "localhost", port), timeout=timeout):
            return True
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """The process and all its children's children."""
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                text = Path(f"/proc/{current}/task/{task}/children").read_text()
                queue += [int(child) for child in text.split()]
        except OSError:
            continue
    return found


def usage(pid: int) -> tuple[float, int] | None:
    """Seconds of processor time and bytes of memory; None when it is gone."""
    spent, held, alive = 0.0, 0, False
    for each in descendants(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z":
                continue
            spent += (int(fields[11]) + int(fields[12])) / _TICKS
            held += int(fields[21]) * _PAGE
            alive = True
        except (OSError, IndexError, ValueError):
            continue
    return (spent, held) if alive else None


class Service:
    """A server that this run starts: `{port}` in the command is filled in, and ROOMPROOF_PORT set."""

    def __init__(self, command: str, environment: Mapping[str, str], port: int = 0) -> None:
        self.port = port or free_port()
        self.state = Path(tempfile.mkdtemp(prefix="roomproof-load-server-"))
        text = REFERENCE if command == "reference" else command
        self._command = [part.replace("{port}", str(self.port)) for part in shlex.split(text)]
        self._environment = {
            **os.environ, **environment, "ROOMPROOF_PORT": str(self.port), "ROOMPROOF_STATE": str(self.state),
        }  # fmt: skip
        self._child: subprocess.Popen[bytes] | None = None
        self.log = self.state / "output.log"

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def ended(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self, patience: float = 20.0) -> None:
        """Start it and wait until it takes connections. Raises CannotStart."""
        with self.log.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise CannotStart(f"the server did not start: {error}") from None
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if self._child.poll() is not None:
                raise CannotStart(f"the server ended with code {self._child.returncode}: {self.last_words()}")
            if reachable(f"ws://127.0.0.1:{self.port}"):
                return
            time.sleep(0.05)
        self.stop()
        raise CannotStart(f"the server took no connection at port {self.port} within {patience:g} s")

    def last_words(self) -> str:
        try:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1][:200] if lines else "it said nothing"

    def stop(self, *, kill: bool = False, grace: float = 10.0) -> None:
        """End it and its process group, gently unless `kill`."""
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def remove(self) -> None:
        """Stop it for good, and its scratch folder with it."""
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)
