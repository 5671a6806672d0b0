"""The durable server under SIGKILL, full load, and a look at its system calls: the process, not the classes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[2]
HOOK = [sys.executable, "-m", "roomproof_server.hook"]


def tool(name: str, tmp_path: Path, *options: str) -> dict[str, Any]:
    """The figures of a long form in a short form. The output, with its seed, shows when the test fails."""
    figures = tmp_path / "figures.json"
    ran = subprocess.run(
        [sys.executable, "-m", f"tools.durability.{name}", "--write", figures, *options],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0
    result: dict[str, Any] = json.loads(figures.read_text())
    return result


def test_nothing_that_was_told_is_lost_by_a_kill(tmp_path: Path) -> None:
    """MSG-3, MSG-9, MSG-14, MSG-18, HIST-10, AUTH-12."""
    figures = tool("kill", tmp_path, "--kills", "5", "--longest", "1", "--clients", "12")
    assert figures["faults"] == []
    assert figures["acknowledged"] > 100
    assert figures["retries"] > 0


def test_the_file_stops_growing(tmp_path: Path) -> None:
    """20,000 messages in 20 rooms: what is kept is 2,000 of them, and the dedupe window of two minutes."""
    many = ("--messages", "20000", "--rooms", "20", "--rate", "50", "--seconds", "0")
    figures = tool("store_growth", tmp_path, *many)["growth"]
    print(figures)
    half, full = figures["sizes"][4], figures["sizes"][-1]
    assert half["messages"] == 10_000
    assert full["file_bytes"] <= 1.05 * half["file_bytes"]
    assert figures["bytes_per_retained_message"] < 1000
    assert figures["largest_log_bytes"] < 8 * 1024 * 1024


class Running:
    """A server on the store in a folder, with a log of its system calls if asked for."""

    def __init__(self, state: Path, *prefix: str) -> None:
        settings = {"store": "sqlite", "messages": {"count": 1000}, "drain_ms": 0}
        environment = {"ROOMPROOF_STATE": str(state), "ROOMPROOF_SETTINGS": json.dumps(settings)}
        self.process = subprocess.Popen(
            [*prefix, *HOOK], env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = ""
        for line in self.process.stdout:
            if line.startswith("socket"):
                self.url = line.split()[-1]
                break
        # Behind a prefix the server is its child, and would outlive it.
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children") if prefix else None
        self.pid = int(children.read_text()) if children else self.process.pid

    @contextmanager
    def client(self) -> Iterator[ClientConnection]:
        """A member of the lobby."""
        with connect(self.url, close_timeout=1) as ws:
            ask(ws, type="hello")
            ask(ws, type="join", room="lobby")
            yield ws


def ask(ws: ClientConnection, **request: Any) -> dict[str, Any]:
    ws.send(json.dumps({"id": "1", **request}))
    while True:
        reply: dict[str, Any] = json.loads(ws.recv(20))
        if "re" in reply:
            return reply


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def run(*prefix: str) -> Running:
        started.append(Running(tmp_path, *prefix))
        return started[-1]

    yield run
    for running in started:
        if running.process.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
            running.process.kill()
        running.process.communicate(timeout=20)


def test_sigterm_in_the_middle_of_a_batch(start: Callable[..., Running], tmp_path: Path) -> None:
    """DISC-6: what was acknowledged is there, the log is in the file, and nothing is said on standard error."""
    running = start()
    with running.client() as ws:
        heard: list[dict[str, Any]] = []

        def listen() -> None:
            with suppress(ConnectionClosed):
                for data in ws:
                    heard.append(json.loads(data))
                    if len(heard) == 20:
                        running.process.send_signal(signal.SIGTERM)

        listener = threading.Thread(target=listen)
        listener.start()
        with suppress(ConnectionClosed):
            for n in range(150):
                ws.send(json.dumps({"type": "send", "id": f"s{n}", "room": "lobby", "text": f"text {n}"}))
        listener.join(20)
    _, errors = running.process.communicate(timeout=20)
    assert running.process.returncode == 0
    assert "Traceback" not in errors
    assert "ResourceWarning" not in errors
    assert [file.name for file in tmp_path.glob("rooms.db*")] == ["rooms.db"]
    last = max(message["seq"] for message in heard if message["type"] == "sent")
    with start().client() as ws:
        assert ask(ws, type="join", room="lobby", history=0)["head"] >= last


@pytest.fixture
def strace() -> str:
    path = shutil.which("strace")
    if path is None or subprocess.run([path, "-f", "true"], capture_output=True, check=False).returncode:
        if os.environ.get("CI"):
            pytest.fail("strace is missing or may not trace: apt-get install strace")
        pytest.skip("needs strace, and the right to trace: apt-get install strace")
    return path


@pytest.mark.parametrize("batch", [1, 30])
def test_the_log_is_synced_before_anything_leaves(
    start: Callable[..., Running], strace: str, tmp_path: Path, batch: int
) -> None:
    """MSG-18: before each `sent` and `message`, and after its `send` came, the write-ahead log was synced."""
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,recvfrom,recvmsg,read,sendto,sendmsg,write,writev,pwrite64"
    running = start(strace, "-f", "-y", "-s", "65536", "-o", str(trace), "-e", calls)
    with running.client() as ws:
        for n in range(batch):
            ws.send(json.dumps({"type": "send", "id": f"s{n}", "room": "lobby", "text": f"text {n}"}))
        left = {f"s{n}" for n in range(batch)}
        while left:
            left.discard(json.loads(ws.recv(20)).get("re"))
    os.kill(running.pid, signal.SIGTERM)  # strace ends after it
    running.process.communicate(timeout=20)
    synced = 0  # the calls before this one are on the disk
    begun: dict[str, int] = {}  # by thread: syncs on their way
    written: dict[int, int] = {}  # by seq: the call that wrote it to the log
    told: list[int] = []
    for calls_made, line in enumerate(trace.read_text().splitlines()):
        thread, call = line.split(maxsplit=1)
        numbers = [int(seq) for seq in re.findall(r'\\"seq\\":(\d+)', call)]
        if call.startswith("pwrite64(") and "rooms.db-wal>" in call:
            for seq in numbers:
                written.setdefault(seq, calls_made)
        elif re.match(r"f(data)?sync\(.*rooms\.db-wal>", call):
            begun[thread] = calls_made
            if "unfinished" not in call:
                synced = begun.pop(thread)
        elif re.match(r"<\.\.\. f(data)?sync resumed", call) and thread in begun:
            synced = begun.pop(thread)
        elif call.startswith(("sendto(", "sendmsg(", "write(", "writev(")):
            for seq in numbers:
                told.append(seq)
                assert written[seq] < synced, line[:300]
    assert sorted(told) == sorted(2 * list(range(1, batch + 1)))
