"""What a started server prints, kept within bounds: its beginning and its end, however much there was between.

Knows pipes and threads; nothing of servers or verdicts.
"""

from __future__ import annotations

import os
import threading

from .clock import pause

HEAD = 64 * 1024
"""Bytes that are kept of the beginning, where settings and versions stand."""
TAIL = 192 * 1024
"""Bytes that are kept of the end, where exceptions stand."""
CHUNK = 1024 * 1024
SETTLE = 0.5
"""Seconds to wait for the last words of a process that has ended; a child that got away may hold its pipe open."""
POLL = 0.01


class Output:
    """The output of a server, over all its starts."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.total = 0  # bytes printed

    def pipe(self) -> int:
        """A file descriptor for one process to print to; to be closed when the process has it."""
        ours, theirs = os.pipe()
        thread = threading.Thread(target=self._drain, args=(ours,), name="output", daemon=True)
        thread.start()
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        return theirs

    def add(self, data: bytes) -> None:
        """Keep what was printed, as far as there is room."""
        with self._lock:
            self.total += len(data)
            room = HEAD - len(self._head)
            self._head += data[:room] if room > 0 else b""
            self._tail += data[max(room, 0) :]
            if len(self._tail) > 2 * TAIL:
                del self._tail[:-TAIL]

    async def settled(self) -> None:
        """Wait until all that was printed is here, for at most SETTLE seconds."""
        for _ in range(int(SETTLE / POLL)):
            if not any(thread.is_alive() for thread in self._threads):
                return
            await pause(POLL)

    def text(self) -> str:
        """All that is kept; where something is left out, a line says how much."""
        with self._lock:
            head, tail = bytes(self._head), bytes(self._tail[-TAIL:])
            left_out = self.total - len(head) - len(tail)
        between = f"\n… {left_out:,} bytes left out …\n" if left_out else ""
        return head.decode(errors="replace") + between + tail.decode(errors="replace")

    def _drain(self, source: int) -> None:
        try:
            while data := os.read(source, CHUNK):
                self.add(data)
        except OSError:
            pass
        finally:
            os.close(source)
