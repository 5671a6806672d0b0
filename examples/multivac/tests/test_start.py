from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from answers import load_answers
from environments import ensure
from start import request
from unpack import HERE, SERVER_FILE, Answer, UsageFault
from websockets.asyncio.client import ClientConnection, connect

START = HERE / "start.py"
READY_S = 30.0
REPLY_S = 10.0


@dataclass(frozen=True)
class Wire:
    """How one answer is talked to: where, what is sent, and what a member then receives."""

    path: str
    frame: dict[str, str]
    received: dict[str, str]


WIRES = {
    "grok_420": Wire(
        "/ws?room=x",
        {"type": "chat", "room": "x", "username": "a", "content": "hi"},
        {"type": "chat", "username": "a", "content": "hi"},
    ),
    "deepseek_v4": Wire("/room", {"type": "chat", "content": "hi"}, {"type": "chat", "content": "hi"}),
}


@dataclass(frozen=True)
class Running:
    key: str
    port: int
    state: Path
    process: subprocess.Popen[bytes]
    first_line: bytes


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def hook(arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, START, *arguments],
        env={"PATH": os.defpath, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(params=WIRES)
def running(request: pytest.FixtureRequest, answers: dict[str, Answer], tmp_path: Path) -> Iterator[Running]:
    key: str = request.param
    ensure(key)
    port, state = free_port(), tmp_path / "state"
    variables = {
        "PATH": os.defpath,
        "SECRET": "of the caller",
        "ROOMPROOF_PORT": str(port),
        "ROOMPROOF_STATE": str(state),
        "ROOMPROOF_SETTINGS": '{"heartbeat": {"interval_ms": 100}, "dedup_ms": 5}',
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, START, key],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield Running(key, port, state, process, process.stdout.readline())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def opened(server: Running) -> ClientConnection:
    async with asyncio.timeout(READY_S):
        while True:
            try:
                return await connect(f"ws://127.0.0.1:{server.port}{WIRES[server.key].path}", proxy=None)
            except OSError:
                assert server.process.poll() is None, "the server has ended"
                await asyncio.sleep(0.05)


async def received(client: ClientConnection, type_: str) -> dict[str, object]:
    """The next frame of that type; others (joins, history) are passed over."""
    async with asyncio.timeout(REPLY_S):
        while True:
            message: dict[str, object] = json.loads(await client.recv())
            if message["type"] == type_:
                return message


async def test_an_answer_runs_unchanged_limited_and_ends_by_pid(running: Running, answers: dict[str, Answer]) -> None:
    assert json.loads(running.first_line) == {"cannot_set": ["dedup_ms", "heartbeat"]}
    wire = WIRES[running.key]
    first = await opened(running)
    await received(first, "history")
    second = await opened(running)
    await received(second, "history")
    await first.send(json.dumps(wire.frame))
    for client in (first, second):
        message = await received(client, "chat")
        assert wire.received.items() <= message.items()

    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", running.port), 1)
    scratch = running.state / running.key
    process = Path("/proc") / str(running.process.pid)
    assert (scratch / SERVER_FILE).read_bytes() == answers[running.key].content
    assert (process / "cwd").readlink() == scratch
    environment = (process / "environ").read_text(encoding="utf-8").removesuffix("\0").split("\0")
    assert sorted(line.partition("=")[0] for line in environment) == [
        "HOME",
        "LANG",
        "PATH",
        "PYTHONUNBUFFERED",
        "ROOMPROOF_PORT",
    ]
    limits = (process / "limits").read_text(encoding="ascii")
    for name, value in [
        ("address space", 2 << 30),
        ("cpu time", 900),
        ("open files", 1024),
        ("core file size", 0),
    ]:
        [line] = [line for line in limits.splitlines() if line.startswith(f"Max {name} ")]
        assert line.split()[len(name.split()) + 1 :][:2] == [str(value)] * 2

    # One after the other: an answer that loses two members of a room at once may not come back from it.
    await second.close()
    await received(first, "system")
    await first.close()
    running.process.terminate()
    running.process.wait(timeout=20)
    assert group_is_gone(running.process.pid)


@pytest.mark.parametrize("key", WIRES)
def test_hook_files_have_the_form_that_the_kit_reads(key: str) -> None:
    content = yaml.safe_load((HERE / "hooks" / f"{key}.yaml").read_text(encoding="utf-8"))
    assert content == {"hooks": 1, "start": ["{python}", "{here}/../start.py", key], "ready": "30s"}
    assert (HERE / "hooks" / ".." / "start.py").resolve() == START


def test_every_runnable_answer_has_a_hook_file_and_is_tried() -> None:
    assert {path.stem for path in (HERE / "hooks").iterdir()} == set(load_answers()) == set(WIRES)


def test_request_is_read(tmp_path: Path) -> None:
    environment = {"ROOMPROOF_PORT": "8123", "ROOMPROOF_STATE": str(tmp_path)}
    assert request(environment) == (8123, tmp_path, [])
    assert request({**environment, "ROOMPROOF_SETTINGS": '{"b": 1, "a": 2}'}) == (8123, tmp_path, ["a", "b"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ROOMPROOF_PORT": ""}, "ROOMPROOF_PORT: expected a port from 1 to 65535, got ''"),
        ({"ROOMPROOF_PORT": "70000"}, "ROOMPROOF_PORT: expected a port"),
        ({"ROOMPROOF_STATE": ""}, "ROOMPROOF_STATE: expected the path of a scratch folder"),
        ({"ROOMPROOF_SETTINGS": "{"}, "ROOMPROOF_SETTINGS: not JSON"),
        ({"ROOMPROOF_SETTINGS": "[]"}, "ROOMPROOF_SETTINGS: expected a JSON object, got list"),
    ],
)
def test_a_wrong_variable_is_told(change: dict[str, str], expected: str) -> None:
    environment = {"ROOMPROOF_PORT": "8123", "ROOMPROOF_STATE": "/tmp/state", **change}
    with pytest.raises(UsageFault) as raised:
        request(environment)
    assert str(raised.value).startswith(expected)


def test_missing_data_is_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    done = hook(["grok_420", "--results", str(missing)], ROOMPROOF_PORT="8123", ROOMPROOF_STATE=str(tmp_path))
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"cannot_set": []}
    [line] = done.stderr.splitlines()
    assert line.startswith(f"start: {missing}: No such file or directory: this should be the results file")


def test_code_that_is_not_the_known_answer_is_not_run(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    answer = {"model_key": "grok_420", "model_name": "Some", "response": "```python\nprint('ran')\n```"}
    other.write_text(json.dumps({"responses": [answer], "rankings": {"grok_420": {"rank": 1}}}), encoding="utf-8")
    done = hook(["grok_420", "--results", str(other)], ROOMPROOF_PORT="8123", ROOMPROOF_STATE=str(tmp_path / "state"))
    assert done.returncode == 2
    assert "not the answer that answers.yaml describes, so it is not run" in done.stderr
    assert not (tmp_path / "state").exists()
