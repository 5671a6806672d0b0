"""Files that a run leaves behind: written whole or not at all, with one clear line when that fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from roomproof_conformance.results import RunResult

from .escaping import file_name


class ReportError(Exception):
    """A report could not be written: one clear line (what, where, why)."""


def check_writable(target: str | Path) -> None:
    """Find out, before a long run, whether `write` will be able to make the file. Raises ReportError."""
    path = Path(target).resolve()
    if path.is_dir():
        raise ReportError(f"{target}: cannot be written: it is a folder, expected the name of a file")
    if path.exists() and not path.is_file():
        if not os.access(path, os.W_OK):
            raise ReportError(f"{target}: cannot be written: permission denied")
        return
    _probe(path.parent, target)


def check_folder(target: str | Path) -> None:
    """The same for the folder of `write_transcripts`. Raises ReportError."""
    _probe(Path(target).resolve(), target)


def _probe(folder: Path, target: str | Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refused(target, error) from None


def _refused(target: str | Path, error: OSError) -> ReportError:
    where = f" ({error.filename})" if error.filename else ""
    return ReportError(f"{target}: cannot be written: {error.strerror or error}{where}")


def write(target: str | Path, content: Callable[[TextIO], object]) -> None:
    """Make the file `target` and the folders above it.

    A file of that name is replaced only when `content` has written all of it. Raises ReportError.
    """
    path = Path(target).resolve()
    try:
        if path.exists() and not path.is_file():  # a pipe or /dev/stdout is written to, never replaced
            with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
                content(file)
            return
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                content(file)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(target, error) from None


def write_transcripts(result: RunResult, folder: str | Path) -> dict[str, Path]:
    """Write one file of JSON lines for each case, secrets included; gives the path of each by the case's name.

    Names are made safe and differ also where letter case does not count. Raises ReportError.
    """
    paths: dict[str, Path] = {}
    taken: set[str] = set()
    for case, transcript in result.transcripts.items():
        stem = name = file_name(case)
        count = 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}~{count}"
        taken.add(name.lower())
        paths[case] = Path(folder) / f"{name}.jsonl"
        write(paths[case], transcript.write)
    return paths
