"""A real redis-server for tests and faults: a free port, a scratch folder, a clock that stands still on demand."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


class Missing(Exception):
    """A Debian package is not installed here; its name is the text."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A process; ``options`` are those of its command line; raises `Missing`.

    With ``frozen`` its wall clock moves only by `set_clock`.
    """

    def __init__(self, folder: Path, *options: str, frozen: bool = False, port: int | None = None) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise Missing("redis-server")
        self.binary = binary
        self.folder, self.options, self.port = folder, options, port or free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock: Path | None = folder / "clock" if frozen else None
        if frozen and not FAKETIME:
            raise Missing("faketime")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def set_clock(self, ms: int) -> None:
        """Milliseconds since 1970, in which the server lives from now on."""
        assert self.clock is not None
        whole, part = divmod(ms, 1000)
        text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%d %H:%M:%S")
        draft = self.clock.with_suffix(".new")
        # Some time on top, of microseconds and of less: the library reads the fraction as a binary one.
        draft.write_text(f"{text}.{part:03}5005\n")
        draft.replace(self.clock)

    def start(self) -> RedisServer:
        environment = dict(os.environ)
        if self.clock is not None:
            # With the C library's malloc before jemalloc's: that one asks for the time before the time is there.
            libc = next(iter(sorted(Path("/lib").glob("*/libc.so.6"))), "")
            environment |= {
                "LD_PRELOAD": f"{FAKETIME[0]} {libc}", "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC",
            }  # fmt: skip
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *options, *self.options], stdout=log, stderr=log, env=environment, cwd=self.folder
            )
        self.wait()
        return self

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def ask(self, *words: str) -> str:
        """What redis-cli says."""
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, or another signal's effect."""
        if self.process is not None:
            self.process.send_signal(number)
            if number in (signal.SIGKILL, signal.SIGTERM):
                self.process.wait()
                self.process = None
