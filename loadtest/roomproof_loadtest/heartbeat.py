"""The generator's own lag: how long what has arrived lies there before this process reads it.

A small process of its own writes the time into a socket, forty times a second; the generator reads it the way it
reads everything, and the difference is what it adds to every delivery. A thread would wait for the interpreter.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

TICK = 0.025
"""Seconds between two beats."""

_PROGRAM = f"""
import os, struct, sys, time
fd = int(sys.argv[1])
try:
    while True:
        time.sleep({TICK})
        os.write(fd, struct.pack("d", time.monotonic()))
except (OSError, KeyboardInterrupt):
    pass
"""


class Metronome:
    """Starts the process; `listen` is the loop of a greenlet (or thread) that hears it."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def listen(self, late: Callable[[float], None]) -> None:
        """Call `late` with each lag in seconds until `stop`."""
        try:
            while self.read(late):
                pass
        except OSError:
            return

    def fileno(self) -> int:
        """For a loop that waits for many sockets and calls `read` when this one has something."""
        return self._ours.fileno()

    def read(self, late: Callable[[float], None]) -> bool:
        """Take the beats that have come; False when there will be no more. Raises OSError when it was stopped."""
        data = self._ours.recv(8 * 64)
        now = time.monotonic()
        for (stamp,) in struct.iter_unpack("d", data[: len(data) // 8 * 8]):
            late(now - stamp)
        return bool(data)

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()
        self._ours.close()
