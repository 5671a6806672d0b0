"""What makes a machine busy while the kit judges: processes that only compute, and a quarter of one CPU for the kit.

Every way out ends what was started and lets go on what was stopped. It must not know what runs under the load.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PERIOD = 0.1
"""Seconds in which a share of the CPU is granted: that of the kernel's own bandwidth control."""
SHARE = 0.25

# Dies with the tool (PR_SET_PDEATHSIG, SIGKILL), should that be killed.
_BUSY = "import ctypes\nctypes.CDLL(None).prctl(1, 9)\nwhile True: pass"


@contextmanager
def busy(count: int) -> Generator[list[int]]:
    """So many processes that compute without end; their ids."""
    processes = [subprocess.Popen([sys.executable, "-c", _BUSY], stdin=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


@contextmanager
def quarter(roots: Callable[[], Sequence[int]]) -> Generator[None]:
    """Hold all processes below `roots` on one CPU, and let them run a quarter of the time."""
    done = threading.Event()
    thread = threading.Thread(target=_in_turn, args=(roots, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _in_turn(roots: Callable[[], Sequence[int]], done: threading.Event) -> None:
    cpu = max(os.sched_getaffinity(0))
    held: set[int] = set()
    while not done.is_set():
        began = time.monotonic()
        stopped = []
        for pid in _below(roots()):
            if pid not in held:
                held.add(pid)
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(pid, {cpu})
            if _signalled(pid, signal.SIGSTOP):
                stopped.append(pid)
        done.wait(max(0.0, PERIOD * (1 - SHARE) - (time.monotonic() - began)))
        for pid in stopped:
            _signalled(pid, signal.SIGCONT)
        done.wait(PERIOD * SHARE)


def _below(roots: Sequence[int]) -> Iterator[int]:
    """The processes and all that they have started, parents first: who is stopped starts nothing."""
    waiting = list(roots)
    while waiting:
        pid = waiting.pop(0)
        yield pid
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                waiting += map(int, children.read_text().split())


def _signalled(pid: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
        return True
    return False
