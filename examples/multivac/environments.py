"""One virtual environment per answer, made on first use from `requirements/<key>.txt`.

Those files pin every package, so two machines run an answer on the same code. This module knows venv and pip
(that of the running interpreter: an answer gets none); it must not know what is run in an environment.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from answers import choose_runnable, load_answers
from unpack import HERE, ROOT, UsageFault

ENVIRONMENTS = ROOT / ".work/multivac/envs"
REQUIREMENTS = HERE / "requirements"
STAMP = "complete"


def ensure(key: str, *, base: Path = ENVIRONMENTS, requirements: Path = REQUIREMENTS) -> Path:
    """The interpreter of the answer's environment `base/<key>`, which is made when it is not complete.

    The stamp is written last: an environment without it was broken off, one with another stamp has old pins,
    and both are made anew (pip's cache keeps that short). A lock makes a second process wait.
    Raises UsageFault when the pins are missing or cannot be installed.
    """
    pins = requirements / f"{key}.txt"
    home = base / key
    python, stamp = home / "bin/python", home / STAMP
    try:
        wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    except OSError as fault:
        raise UsageFault(f"{pins}: {fault.strerror}: every answer that is run needs its pins there") from fault
    if _complete(stamp, wanted):
        return python
    base.mkdir(parents=True, exist_ok=True)
    with (base / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _complete(stamp, wanted):
            print(f"environments: making {home} from {pins.name}", file=sys.stderr)
            log = base / f"{key}.log"
            log.unlink(missing_ok=True)
            _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(home)], log)
            # Wheels only, and nothing that is not pinned: no code of a package runs while it is installed.
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
            _run([*pip, "install", "--no-deps", "--only-binary=:all:", "-r", str(pins)], log)
            _run([*pip, "check"], log)
            stamp.write_text(wanted, encoding="ascii")
    return python


def _complete(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="ascii") == wanted


def _run(command: list[str], log: Path) -> None:
    with log.open("ab") as output:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        raise UsageFault(f"`{' '.join(command)}` ended with status {status}: {last} (all of it in {log})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 done, 2 usage."""
    parser = argparse.ArgumentParser(description="Make the environments of the answers beforehand.")
    parser.add_argument("keys", nargs="*", metavar="KEY", help="model keys (all that can be run when none is given)")
    options = parser.parse_args(arguments)
    try:
        runnable = load_answers()
        for key in options.keys or runnable:
            print(ensure(choose_runnable(runnable, key).key))
    except UsageFault as fault:
        print(f"environments: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
