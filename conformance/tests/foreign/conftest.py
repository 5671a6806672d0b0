"""Two packaged servers that nobody here wrote and one on Socket.IO, judged once for all tests here, side by side."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
TARGETS = HERE.parents[3] / "shared" / "targets"
PACKAGES = ("inspircd", "prosody")
SERVERS = (*PACKAGES, "socketio")
LIMIT = 100
"""Seconds that judging both may take, on a busy machine."""
ONLY = {
    "inspircd": (
        *("ROOM-3", "ROOM-6", "MSG-2", "HIST-1", "HIST-2", "RATE-1", "RATE-2", "BEAT-1.idle", "BEAT-2", "BEAT-4.mute"),
        *("ERR-6", "ERR-7", "ERR-8", "ERR-9.unmasked-frames", "ERR-10", "ERR-11", "ERR-14.unmasked-frames"),
        *("DISC-1.close", "DISC-9.one-write"),
    ),
    "prosody": (
        *("ROOM-*", "MSG-*", "HIST-*", "RATE-1", "RATE-2", "BEAT-*", "ERR-7", "ERR-9.unmasked", "ERR-14.unmasked"),
        *("ERR-9.stray-continuation", "ERR-14.stray-continuation", "ERR-9.server-frames", "DISC-8.one-stalls"),
    ),
    "socketio": ("ROOM-3", "ROOM-6", "MSG-2", "HIST-1", "HIST-2", "BEAT-1.idle", "BEAT-4.mute", "ERR-9.unmasked"),
}
"""What is judged here; `make foreign` judges all."""


class Judged(NamedTuple):
    verdict: str
    seen: str


def missing() -> str:
    """Why the servers cannot be started: the packages or the folder that lack, or nothing."""
    lacks = [f"the Debian package {name}" for name in PACKAGES if shutil.which(name) is None]
    lacks += [] if TARGETS.is_dir() else [f"the folder {TARGETS.name} of configurations"]
    return ", ".join(lacks)


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Judged]]:
    """The verdict and what was seen of each check, by server. Skipped where they are missing, red where CI is set."""
    if lacks := missing():
        if os.environ.get("CI"):
            pytest.fail(f"missing-requirement: {lacks}")
        pytest.skip(f"missing-requirement: {lacks}")
    folder = tmp_path_factory.mktemp("foreign")
    kits = {name: begin(name, folder) for name in SERVERS}
    found: dict[str, dict[str, Judged]] = {}
    try:
        for name, kit in kits.items():
            _, err = kit.communicate(timeout=LIMIT)
            assert kit.returncode == 1, f"{name}: exit code {kit.returncode}: {err}"
            report = json.loads((folder / f"{name}.json").read_text())
            found[name] = {c["check"]: Judged(c["verdict"], c["seen"] or "") for c in report["checks"]}
    finally:
        for kit in kits.values():
            kit.terminate()
            kit.wait(20)
    return found


def begin(name: str, folder: Path) -> subprocess.Popen[str]:
    """A kit that starts and judges one server."""
    only = [word for glob in ONLY[name] for word in ("--only", glob)]
    command = [str(Path(sys.executable).with_name("roomproof")), "--hooks", str(HERE / f"{name}.yaml")]
    command += ["--dialect", name, "--json", str(folder / f"{name}.json"), *only]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
