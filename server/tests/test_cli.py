"""The command line as its user meets it: one clear line, and the right exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from roomproof_server.cli import main, parse_limits
from roomproof_server.hook import wanted

SERVER = [sys.executable, "-m", "roomproof_server.entry", "--store", "memory"]
HOOK = [sys.executable, "-m", "roomproof_server.hook"]


class Running:
    """A server process on a free port of its own choosing."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self, signum: signal.Signals) -> tuple[int, str]:
        """Exit code and standard error after a signal."""
        self.process.send_signal(signum)
        _, errors = self.process.communicate(timeout=10)
        return self.process.returncode, errors


@pytest.fixture
def start() -> Iterator[Any]:
    started: list[Running] = []

    def run(command: list[str], **environment: str) -> Running:
        started.append(Running(command, **environment))
        return started[-1]

    yield run
    for running in started:
        running.process.kill()
        running.process.communicate(timeout=10)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_says_where_and_ends_cleanly(start: Any, signum: signal.Signals) -> None:
    running = start(
        [*SERVER, "--port", "0", "--limit", "text_bytes=100", "--heartbeat-interval", "5", "--name", "mine"]
    )
    socket_line, page_line = running.line(), running.line()
    url = socket_line.split()[-1]
    assert url.startswith("ws://127.0.0.1:")
    assert page_line.split()[-1].startswith("http://127.0.0.1:")
    with connect(url) as client:
        client.send('{"type":"hello","id":"1"}')
        welcome = json.loads(client.recv(5))
        assert welcome["limits"]["text_bytes"] == 100
        assert (welcome["heartbeat"]["interval_ms"], welcome["server"]["name"]) == (5000, "mine")
        running.process.send_signal(signum)
        with pytest.raises(Exception, match="1001"):
            client.recv(5)
    _, errors = running.process.communicate(timeout=10)
    assert (running.process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--limit", "txt_bytes=1"], "text_bytes"),
        (["--limit", "text_bytes=many"], "NAME=WHOLE-NUMBER"),
        (["--limit", "messages.cuont=1"], "count"),
        (["--limit", "messages=1"], "messages"),
        (["--limit", "messages=1", "--limit", "messages.count=1"], "messages"),
        (["--heartbeat-interval", "0.5"], "1<=x"),
        (["--port", "70000"], "65535"),
        (["--store", "redis://x"], "memory"),
        (["--prot", "1"], "--port"),
    ],
)
def test_mistakes_in_the_options(options: list[str], says: str) -> None:
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 2
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error")]
    assert says in line
    assert "Traceback" not in result.output


async def test_an_address_that_cannot_be_listened_on() -> None:
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    for options, says in (
        (["--port", str(port)], f"127.0.0.1:{port}"),
        (["--host", "no.such.host.invalid"], "invalid"),
    ):
        process = await asyncio.create_subprocess_exec(
            *SERVER, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, errors = await asyncio.wait_for(process.communicate(), 20)
        assert (process.returncode, out) == (3, b"")
        assert errors.decode().count("\n") == 1
        assert says in errors.decode()
    taken.close()
    await taken.wait_closed()


def test_a_missing_package_is_named_in_one_line() -> None:
    code = "import sys; sys.modules['click'] = None; from roomproof_server.entry import main; main()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 2
    assert ran.stderr == "roomproof-server needs click: pip install 'roomproof[server]'\n"


def test_limits_with_dots() -> None:
    limits = parse_limits(("messages.count=7", "queue_bytes=5", "messages.window_ms=9"))
    assert (limits.messages.count, limits.messages.window_ms, limits.queue_bytes) == (7, 9, 5)


class TestHook:
    def test_settings_it_can_and_cannot_set(self) -> None:
        settings, cannot = wanted(
            {"heartbeat": {"interval_ms": 1000, "timeout_ms": 2000}, "hello_ms": 500, "per_address": None,
             "compression": True, "warp": 9}
        )  # fmt: skip
        assert (settings.heartbeat.interval_ms, settings.limits.hello_ms) == (1000, 500)
        assert cannot == ["compression", "warp"]
        assert wanted({"per_address": {"conns": 1}})[1] == ["per_address"]

    @pytest.mark.parametrize("value", [1, {"interval": 1}, {"interval_ms": "1"}, {"interval_ms": 0}])
    def test_a_heartbeat_that_is_none(self, value: object) -> None:
        with pytest.raises(ValueError, match="heartbeat"):
            wanted({"heartbeat": value})

    def test_it_runs(self, start: Any) -> None:
        asked = {"compression": True, "heartbeat": {"interval_ms": 1000, "timeout_ms": 1000}}
        running = start(HOOK, ROOMPROOF_PORT="0", ROOMPROOF_SETTINGS=json.dumps(asked))
        assert json.loads(running.line()) == {"cannot_set": ["compression"]}
        with connect(running.line().split()[-1]) as client:
            client.send('{"type":"hello","id":"1"}')
            assert json.loads(client.recv(5))["heartbeat"] == asked["heartbeat"]
        assert running.end(signal.SIGTERM) == (0, "")

    @pytest.mark.parametrize(
        "environment",
        [
            {"ROOMPROOF_SETTINGS": "{"},
            {"ROOMPROOF_SETTINGS": "[]"},
            {"ROOMPROOF_PORT": "x"},
            {"ROOMPROOF_SETTINGS": '{"hello_ms":-1}'},
        ],
    )
    def test_bad_input_is_one_line(self, start: Any, environment: dict[str, str]) -> None:
        running = start(HOOK, **environment)
        out, errors = running.process.communicate(timeout=20)
        assert (running.process.returncode, out, errors.count("\n")) == (2, "", 1)
