"""A server in a process of its own, as the tools that attack it need it: its port, memory, files and figures.

Everything is on loopback, on a port the system chose, and ends with the ``with`` block, by its process id.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Self

from roomproof_protocol import ENDPOINT

HANDSHAKE = (
    f"GET {ENDPOINT} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
).encode()


class Child:
    """A running server; ``options`` are those of its command line."""

    def __init__(self, *options: str) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the block
        command = [sys.executable, "-m", "roomproof_server.entry", "--port", "0", "--store", "memory"]
        self.options = list(options)
        self._process = subprocess.Popen(
            [*command, "--log-level", "warning", "--drain", "0", *options], stdout=subprocess.PIPE, stderr=self._log
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        if not line.startswith("socket"):
            raise RuntimeError(f"the server did not start: {line}{self.log()}")
        self.port = int(line.split()[1].rpartition(":")[2].removesuffix(ENDPOINT))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._log.close()

    @property
    def rss(self) -> int:
        """Resident bytes now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def peak(self) -> int:
        """The most resident bytes since the last `reset_peak`."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return self.rss

    def reset_peak(self) -> None:
        """Let `peak` begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    @property
    def files(self) -> int:
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics, labels as they stand there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def log(self) -> str:
        """All of standard error so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def troubles(self) -> list[str]:
        """Lines of the log that no client should be able to cause."""
        return [line for line in self.log().splitlines() if '"level": "error"' in line or "Traceback" in line]
