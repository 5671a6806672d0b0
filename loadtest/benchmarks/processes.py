"""One server and one load generator side by side, and what the kernel has on the server's account.

The server has the first processor for itself and the generator the last one, so that neither waits for the
other. Both end with the ``with`` block, by their process ids. It must not know what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import IO, Any, Self

from benchmarks.servers import HERE, WORK, Server, compiled

PROCESSORS = sorted(os.sched_getaffinity(0))
WAIT_S = 30


class Failed(Exception):
    """A server or the generator did not do its part; the text says which and why."""


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    pids = [pid]
    for one in pids:
        for task in _tasks(one):
            with contextlib.suppress(OSError):
                pids += [int(child) for child in (task / "children").read_text().split()]
    return pids


def _tasks(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


class Running:
    """A server that runs in a scratch folder of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        WORK.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=WORK))  # on a disk: /tmp may be memory
        self._said = (self.folder / "stderr").open("w+b")
        self._process = subprocess.Popen(
            server.command(self.folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        os.sched_setaffinity(self._process.pid, PROCESSORS[:1])
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        # "socket  ws://127.0.0.1:1234/ws" or the bare number
        digits = line.partition("/ws")[0].rpartition(":")[2] if ":" in line else line
        if not digits.isdigit():
            self.__exit__()
            raise Failed(f"{server.name} did not start: {line or self._last_words}")
        self.port = int(digits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.seek(0)
        self._last_words = self._said.read().decode(errors="replace")[-2000:].strip()
        self._said.close()
        shutil.rmtree(self.folder)

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """Seconds that all threads and children have run so far."""
        total = 0
        for pid in family(self._process.pid):
            for task in _tasks(pid):
                with contextlib.suppress(OSError):
                    total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def resident(self) -> int:
        """Resident bytes of all its processes."""
        total = 0
        for pid in family(self._process.pid):
            with contextlib.suppress(OSError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return total

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics; only this project's server has them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=WAIT_S) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


class Generator:
    """Clients of a running server: ``groups`` rooms (times ``each``) with ``members`` each, and others beside."""

    def __init__(
        self, running: Running, *, groups: int, members: int, each: int = 1, idle: int = 0, deaf: int = 0,
        senders: int | None = None, size: int = 60, lean: bool = False,
    ) -> None:  # fmt: skip
        server = running.server
        program = None if lean else compiled("load")
        command = [program] if program else [sys.executable, str(HERE / "load.py")]
        numbers = (groups, members, each, idle, deaf, senders or members, size)
        self._running = running
        self._process = subprocess.Popen(
            [*command, str(running.port), server.dialect, server.path, *map(str, numbers)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.sched_setaffinity(self._process.pid, PROCESSORS[-1:])
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[str] = self._process.stdin
        self._out: IO[str] = self._process.stdout
        before = running.cpu_s()
        ready = json.loads(self._line("ready"))
        # What it costs the server to take a client in, hello and join included.
        self.connect_us = (running.cpu_s() - before) / ready["clients"] * 1e6
        self.clients: int = ready["clients"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self, kind: str) -> str:
        line = self._out.readline()
        if not line.startswith(kind):
            self._process.kill()
            _, said = self._process.communicate()
            raise Failed(
                f"{self._running.server.name}: the load generator said {line.strip() or said.strip()[-500:]!r}"
            )
        return line.removeprefix(kind)

    def tell(self, command: str) -> dict[str, Any]:
        """Have a command carried out; its result with the server's CPU seconds in the measured time as ``cpu_s``."""
        self._in.write(command + "\n")
        self._in.flush()
        self._line("begin")
        before = self._running.cpu_s()
        self._line("end")
        spent = self._running.cpu_s() - before
        result: dict[str, Any] = json.loads(self._line("result"))
        return {**result, "cpu_s": spent}
