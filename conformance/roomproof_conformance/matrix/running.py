"""The servers of a matrix, each judged by a process of its own, some of them side by side.

A process that fails is a column that says so. On Ctrl-C or SIGTERM the columns under way are told to end in order, what
they reached is kept, and those that had not begun are not tried. Knows no check and no report.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from roomproof_conformance.hooks import die_with_parent
from roomproof_conformance.report.escaping import visible

from .column import Job, empty
from .model import Column, Matrix
from .servers import Server

LAST_WORDS = 30.0
"""Seconds that a column may take to end in order, from the first Ctrl-C on."""


class Watching(Protocol):
    """Who is told how far the columns are."""

    def began(self, server: Server) -> None: ...
    def told(self, server: Server, said: dict[str, Any]) -> None: ...
    def ended(self, server: Server, column: Column) -> None: ...


class Judging:
    """The processes of a matrix."""

    def __init__(
        self, servers: Sequence[Server], template: Job, folder: Path, watching: Watching, jobs: int = 1
    ) -> None:
        self.servers = servers
        self.template = template
        self.folder = folder
        self.watching = watching
        self.jobs = jobs
        self.columns: dict[str, Column] = {}
        self._children: set[asyncio.subprocess.Process] = set()
        self._stopping = False

    async def run(self, title: str) -> Matrix:
        """Judge them all, at most `jobs` at the same time; what there is of the matrix, also after an interruption."""
        from roomproof_conformance import __version__

        began, clock = datetime.now(UTC), time.monotonic()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        free = asyncio.Semaphore(self.jobs)
        try:
            async with asyncio.TaskGroup() as group:
                for server in self.servers:
                    group.create_task(self._one(server, free))
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            for child in self._children:
                _signal(child, signal.SIGKILL)
        columns = [self.columns.get(s.name) or empty(s, why="the run ended before") for s in self.servers]
        return Matrix(title, __version__, began, columns, time.monotonic() - clock, self._stopping)

    def stop(self) -> None:
        """Begin to end: in order the first time, at once the second."""
        number = signal.SIGKILL if self._stopping else signal.SIGINT
        self._stopping = True
        for child in self._children:
            _signal(child, number)
            asyncio.get_running_loop().call_later(LAST_WORDS, _signal, child, signal.SIGKILL)

    async def _one(self, server: Server, free: asyncio.Semaphore) -> None:
        async with free:
            if self._stopping:
                return
            self.watching.began(server)
            column = await self._judged(server)
            self.columns[server.name] = column
            self.watching.ended(server, column)

    async def _judged(self, server: Server) -> Column:
        """The column that the process of a server leaves; where it leaves none, why."""
        folder = self.folder / server.name
        shutil.rmtree(folder, ignore_errors=True)  # what an earlier run left would be taken for this one's
        folder.mkdir(parents=True)
        job = replace(self.template, server=server.name, folder=str(folder))
        errors = folder / "kit-errors.txt"
        with errors.open("wb") as stderr:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "roomproof_conformance.matrix.column", job.as_text(),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=stderr,
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        self._children.add(child)
        if self._stopping:
            _signal(child, signal.SIGINT)
        try:
            assert child.stdout is not None
            async for line in child.stdout:
                with contextlib.suppress(ValueError):
                    self.watching.told(server, json.loads(line))
            await child.wait()
        finally:
            self._children.discard(child)
        return self._read(server, folder, errors, child.returncode)

    def _read(self, server: Server, folder: Path, errors: Path, code: int | None) -> Column:
        made = folder / "column.json"
        words = errors.read_text("utf-8", errors="replace").strip().splitlines()
        if not words:
            errors.unlink()
        if not made.exists():
            why = f"the process that judged it ended with {code}: {visible(words[-1], 300) if words else 'no word'}"
            return empty(server, why=why) | {"state": "not-tried" if self._stopping else "kit-error"}
        column: dict[str, Any] = json.loads(made.read_text("utf-8"))
        made.unlink()
        column["files"] = {kind: f"{server.name}/{path}" for kind, path in column["files"].items()}
        for cell in column["rows"].values():
            cell["transcript"] = f"{server.name}/{cell['transcript']}" if cell["transcript"] else None
        return column


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)
