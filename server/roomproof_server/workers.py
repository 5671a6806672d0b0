"""Several processes on one port, for one big machine: started, replaced when they die, and ended together.

Each is a node of its own; the kernel spreads connections over them (SO_REUSEPORT), and what they share is in Redis.
It must not know what a node does, and has no event loop: it forks.
"""

from __future__ import annotations

import ctypes
import logging
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from roomproof_protocol import ENDPOINT
from roomproof_server.run import CANNOT_LISTEN, serve
from roomproof_server.settings import Settings
from roomproof_server.shell import log

SHORT_S = 1.0  # who lived shorter is replaced after so long, or it would be a loop
PDEATHSIG = 1


def supervise(
    settings: Settings, host: str, port: int, say: Callable[[str], None], complain: Callable[[str], None]
) -> int:
    """Run ``settings.workers`` nodes until SIGINT or SIGTERM and return the exit code, as `serve`.

    A worker that ends by itself with an exit code of `serve`'s other than 0 has found what another would find, too.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)  # bound and not listening: it keeps the port, and gets no connections
    except OSError as error:
        complain(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --host or --port")
        return CANNOT_LISTEN
    with held:
        return _Workers(settings, host, held.getsockname()[1], complain).run(say)


class _Workers:
    """The processes of one service."""

    def __init__(self, settings: Settings, host: str, port: int, complain: Callable[[str], None]) -> None:
        self._count = mmap.mmap(-1, 8)  # restarts, which the workers see, too
        self._settings = replace(settings, restarts=self._restarts)
        self._host, self._port, self._complain = host, port, complain
        self._began: dict[int, float] = {}  # by pid
        self._stopping = False
        self._code = 0

    def run(self, say: Callable[[str], None]) -> int:
        log.configure(self._settings.log_format, self._settings.log_level)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        for _ in range(self._settings.workers):
            self._start()
        where = f"[{self._host}]" if ":" in self._host else self._host
        secure = "s" if self._settings.certificate else ""
        say(f"socket  ws{secure}://{where}:{self._port}{ENDPOINT}")
        say(f"page    http{secure}://{where}:{self._port}/")
        say(f"rooms   {self._settings.store}")
        say(f"workers {self._settings.workers}")
        while self._began:
            pid, status = os.wait()
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return self._code

    def _restarts(self) -> int:
        return int.from_bytes(self._count[:8], "little")

    def _start(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._began[pid] = time.monotonic()
            return
        code = 1
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            with suppress(OSError, AttributeError):  # where the system has it: none outlives the supervisor
                ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGTERM)
            if os.getppid() == parent:
                code = serve(self._settings, self._host, self._port, lambda _: None, self._complain, reuse_port=True)
        finally:
            os._exit(code)

    def _ended(self, pid: int, code: int) -> None:
        lived = time.monotonic() - self._began.pop(pid)
        if self._stopping:
            self._code = self._code or (code if code > 0 else 0)
        elif code > 0 and lived < SHORT_S:
            self._code = code
            self._stop()
        else:
            self._count[:8] = (self._restarts() + 1).to_bytes(8, "little")
            log.tell(logging.WARNING, "worker replaced", pid=pid, code=code, restarts=self._restarts())
            if lived < SHORT_S:
                time.sleep(SHORT_S)
            self._start()

    def _stop(self, *_: Any) -> None:
        self._stopping = True
        for pid in self._began:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
