"""Transcripts from files and folders, plain or gzipped. Knows no verdict."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from pathlib import Path

from roomproof_conformance.transcript import Transcript, read

ENDINGS = (".jsonl", ".jsonl.gz")


def found(paths: Iterable[str | Path]) -> list[Path]:
    """The files named, and those of the folders named, in the order of their names.

    Raises ValueError for what is not there, and for a folder that holds no transcript.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS))
            if not inside:
                raise ValueError(f"{path}: no transcript in this folder; expected files *.jsonl or *.jsonl.gz")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise ValueError(f"{path}: no such file or folder; `roomproof URL --transcripts FOLDER` writes transcripts")
    return files


def load(path: str | Path) -> Transcript:
    """The transcript of a file. Raises ValueError that names file and line when it is none."""
    path, data = Path(path), b""
    try:
        data = path.read_bytes()
        if path.name.endswith(".gz"):
            data = gzip.decompress(data)
        lines = data.decode("ascii", "strict").split("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}:{line}: no transcript: a byte that is not ASCII") from None
    except (OSError, EOFError) as error:
        raise ValueError(f"{path}:1: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return read(lines, source=str(path))


def again(transcript: Transcript) -> Transcript:
    """The transcript as it comes back from a file."""
    file = io.StringIO()
    transcript.write(file)
    return read(file.getvalue().split("\n"))
