"""An entry with a command, as something that a run can start: its scratch copy, its port, its environment, its limits.

Each start of a run has a folder and a port of its own; started again within a case, it finds what it left there.
Knows no verdict.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roomproof_conformance.hooks import HookError, Hooks, Process

from .servers import COPY_WORDS, WORD, Limits, Server

LAUNCHER = Path(__file__).with_name("launcher.py")
SCRATCH = "program"


@dataclass(frozen=True)
class Program(Hooks):
    """The hooks of an entry: nothing but a command that starts it."""

    server: Server | None = None
    python: Path = Path(sys.executable)

    def process(self, port: int, folder: Path, settings: Mapping[str, Any]) -> Process:
        """A process of the program, its copy made. Raises HookError when it cannot be."""
        assert self.server is not None
        running = Running(self, port, folder, settings, server=self.server)
        try:
            running.workplace.mkdir()
            running.fill()
        except (OSError, shutil.Error) as error:
            raise HookError(f"{self.server.where}: its copy cannot be made: {error}") from None
        return running


def program(server: Server, python: Path | None) -> Program:
    """The hooks of an entry that has a command; `python` is the interpreter of its environment, if it has one."""
    return Program(
        Path(server.where),
        start=server.command,
        ready=server.ready,
        stop_signal=signal.Signals[server.stop_signal],
        grace=server.grace,
        path_of_url=server.path,
        server=server,
        python=python or Path(sys.executable),
    )


@dataclass
class Running(Process):
    """A started program."""

    server: Server = field(kw_only=True)

    @property
    def workplace(self) -> Path:
        return self.folder / SCRATCH

    @property
    def command(self) -> list[str]:
        return [self._filled(word) for word in self.hooks.start]

    @property
    def environment(self) -> dict[str, str]:
        """Little but what the entry says, so that a server is the same on every machine, and knows no secret."""
        own = {name: os.environ[name] for name in self.server.inherit if name in os.environ}
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.workplace),
            "TMPDIR": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "ROOMPROOF_PORT": str(self.port),
            **own,
            **{name: self._filled(value) for name, value in self.server.environment.items()},
        }

    def fill(self) -> None:
        """Copy what the entry names into the scratch folder, and replace text there. Raises OSError, HookError."""
        source = self.server.copy
        if source is not None and source.is_dir():
            shutil.copytree(source, self.workplace, symlinks=True, dirs_exist_ok=True)
        elif source is not None:
            shutil.copy(source, self.workplace)
        for change in self.server.replace:
            file = self.workplace / change.file
            text = file.read_text("utf-8", errors="surrogateescape")
            if change.find not in text:
                raise HookError(f"{self.server.where}: {change.find!r} does not occur in {change.file} of its copy")
            by = WORD.sub(lambda found: self._word(found) if found[1] in COPY_WORDS else found[0], change.by)
            file.unlink()  # never through a link into the original
            file.write_text(text.replace(change.find, by), "utf-8", errors="surrogateescape")

    def in_child(self) -> None:
        super().in_child()
        limit(self.server.limits)

    def _filled(self, text: str) -> str:
        return WORD.sub(self._word, text)

    def _word(self, found: re.Match[str]) -> str:
        assert isinstance(self.hooks, Program)
        words = {
            "port": str(self.port),
            "python": str(self.hooks.python),
            "launcher": str(LAUNCHER),
            "here": str(self.server.here),
            "scratch": str(self.workplace),
        }
        return words[found[1]]


def limit(limits: Limits) -> None:
    """Lower the limits of this process for good; one that is lower already stays."""
    wanted: dict[int, int | None] = {
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_CPU: limits.cpu,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_FSIZE: limits.file_size,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        if value is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        if hasattr(resource, "prlimit"):
            resource.prlimit(0, kind, (value, value))
        else:
            resource.setrlimit(kind, (value, value))
