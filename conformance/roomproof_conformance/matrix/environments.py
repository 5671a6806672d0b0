"""A Python environment for each set of pins, made on first use and kept: two machines run a server on the same code.

Knows venv and pip (that of the running interpreter: a server gets none); not what is run in an environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STAMP = "complete"


class EnvironmentFault(Exception):
    """An environment cannot be made: one clear line."""


def home() -> Path:
    """Where environments are kept: `roomproof/environments` of the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "roomproof" / "environments"


def ensure(pins: Sequence[str], base: Path | None = None) -> Path:
    """The interpreter of the environment with exactly these packages, made when it is not complete.

    The stamp is written last: an environment without it was broken off, and is made anew (pip's cache keeps that
    short). A lock makes a second process wait. Raises EnvironmentFault when the pins cannot be installed.
    """
    base = base or home()
    wanted = hashlib.sha256("\n".join([sys.version, sys.prefix, *sorted(pins)]).encode()).hexdigest()[:16]
    place = base / wanted
    python, stamp = place / "bin" / "python", place / STAMP
    if stamp.is_file():
        return python
    try:
        base.mkdir(parents=True, exist_ok=True)
        with (base / f"{wanted}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not stamp.is_file():
                _make(place, python, pins, base / f"{wanted}.log")
                stamp.touch()
    except OSError as error:
        raise EnvironmentFault(f"{base}: {error.strerror or error}: name a cache by XDG_CACHE_HOME") from None
    return python


def versions(python: Path | None) -> list[str]:
    """Names and versions of the packages of an environment, sorted; those of the kit's own are not its server's."""
    if python is None:
        return []
    found = (
        path.name.removesuffix(".dist-info") for path in python.parent.parent.glob("lib/*/site-packages/*.dist-info")
    )
    return sorted((" ".join(name.rsplit("-", 1)) for name in found), key=str.lower)


def _make(place: Path, python: Path, pins: Sequence[str], log: Path) -> None:
    log.unlink(missing_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(place)], log)
    # Wheels only, and nothing that is not pinned: no code of a package runs while it is installed.
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    if pins:
        listed = log.with_suffix(".txt")
        listed.write_text("\n".join(pins) + "\n")
        _run([*pip, "install", "--no-deps", "--only-binary=:all:", "-r", str(listed)], log)
        _run([*pip, "check"], log)


def _run(command: list[str], log: Path) -> None:
    with log.open("ab") as output:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        what = "the pins do not hold together" if command[-1] == "check" else "the environment cannot be made"
        raise EnvironmentFault(f"{what}: {last} (all of it in {log})")
