"""Servers that flood, write huge frames, never close, answer HTTP in the stream, print gigabytes: the kit survives.

Each is judged by a kit in a process of its own, whose peak resident size is measured and bounded.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

RUDE = Path(__file__).parent / "rude.py"
BOUND = 500 * 2**20
"""Bytes of memory that the process of the kit may have at most."""
SPEAKS = """
dialect: 1
name: rude
connect: {path: /}
codec: json
actions:
  join: [{send: {type: join, room: "{room}"}}, {expect: {type: joined, room: "{room}"}, timeout: 3s}]
  send: [{send: {type: chat, room: "{room}", name: "{nick}", text: "{text}"}}]
events:
  - {as: message, match: {type: chat}, fields: {room: room, from: name, text: text}}
  - {as: joined, match: {type: joined}, fields: {room: room}}
echo: self
claims: {rooms: {isolated: true, many: false}, identity: {}}
"""


class Run(NamedTuple):
    code: int
    peak: int  # bytes
    out: str
    err: str


def judge(folder: Path, manner: str, polite: int, *words: str, dialect: str = SPEAKS) -> Run:
    """Judge a rude server by a kit of its own, which starts it."""
    (folder / "rude.yaml").write_text(dialect)
    start = [sys.executable, str(RUDE), manner, str(polite)]
    (folder / "hooks.yaml").write_text(f"hooks: 1\nstart: {start!r}\nready: 8s\ngrace: 1s\n")
    command = [str(Path(sys.executable).with_name("roomproof")), "--hooks", "hooks.yaml"]
    command += ["--dialect", "rude.yaml", "--html", "report.html", "--json", "report.json", *words]
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        kit = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
        peak = 0
        while kit.poll() is None:  # the kit's own high water mark: what wait4 tells has its children in it
            peak = max(peak, _high_water(kit.pid))
            with suppress(subprocess.TimeoutExpired):
                kit.wait(0.05)
    print(f"{manner} {polite}: exit code {kit.returncode}, peak {peak / 2**20:.0f} MiB")
    return Run(kit.returncode, peak, (folder / "out").read_text(), (folder / "err").read_text())


def _high_water(pid: int) -> int:
    """Bytes of the largest resident size that a process had so far; 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


SOME = (
    "--only",
    "ROOM-3",
    "--only",
    "MSG-1",
    "--only",
    "MSG-2",
    "--only",
    "MSG-5",
    "--only",
    "DISC-1",
    "--only",
    "DISC-2",
)


@pytest.mark.parametrize("manner", ["flood", "huge"])
def test_who_floods_from_the_beginning_is_named_and_not_judged(tmp_path: Path, manner: str) -> None:
    run = judge(tmp_path, manner, 0)
    assert run.code == 3, run.err
    assert "Traceback" not in run.err
    assert "wrote more than the kit keeps" in run.err
    assert run.peak <= BOUND


@pytest.mark.parametrize("manner", ["flood", "huge"])
def test_who_floods_later_is_cut_off_in_each_case(tmp_path: Path, manner: str) -> None:
    run = judge(tmp_path, manner, 2, "--only", "ROOM-3", "--only", "MSG-2.many")
    assert run.code in (1, 3, 4), run.err
    assert "Traceback" not in run.err
    assert "wrote more than the kit keeps" in (tmp_path / "report.json").read_text()
    assert run.peak <= BOUND


def test_a_server_that_never_closes_does_not_keep_the_kit(tmp_path: Path) -> None:
    run = judge(tmp_path, "never-closes", 2, *SOME)
    assert run.code == 1, run.err
    assert "DISC-1" in run.out
    assert "Traceback" not in run.err
    assert run.peak <= BOUND


def test_http_inside_of_the_stream_is_named(tmp_path: Path) -> None:
    run = judge(tmp_path, "http-500", 2, *SOME, "--only", "ERR-9.server-frames")
    assert run.code == 1, run.err
    assert "http-in-stream" in run.out
    assert "Traceback" not in run.err
    assert run.peak <= BOUND


def test_gigabytes_of_output_stay_out_of_memory_and_disk(tmp_path: Path) -> None:
    run = judge(tmp_path, "prints", 1000, *SOME)
    assert run.code in (0, 1), run.err
    assert "checks:" in run.out
    assert "Traceback" not in run.err
    assert run.peak <= BOUND


def test_a_dialect_that_never_joins_is_told_so_in_time(tmp_path: Path) -> None:
    run = judge(tmp_path, "mute", 0)
    assert run.code == 3, run.err
    assert "can join" in run.err
    assert "Traceback" not in run.err
    assert run.peak <= BOUND
