"""A worker on this machine or another: locust with the same scenario, led by a master. Knows no report."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .parameters import PARAMETERS, PREFIX
from .running import LOCUSTFILE, Plan


def work(plan: Plan, host: str, port: int) -> int:
    """Generate until the master ends it; locust's exit code, 3 for anything but 0."""
    given = {p.variable: str(plan.parameters[p.name]) for p in PARAMETERS}
    own = {"SCENARIO": plan.scenario, "DIALECT": plan.dialect, "USERS": str(plan.users), "TIME": str(plan.seconds)}
    environment = {**os.environ, **given, **{PREFIX + name: value for name, value in own.items()}}
    with tempfile.TemporaryDirectory(prefix="roomproof-load-worker-") as folder:
        environment[PREFIX + "FOLDER"] = folder
        command = [
            sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--worker", "--master-host", host,
            "--master-port", str(port), "--loglevel", "WARNING",
        ]  # fmt: skip
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, cwd=Path(folder))
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        with contextlib.suppress(KeyboardInterrupt):
            child.wait()
        return 0 if child.returncode == 0 else 3
