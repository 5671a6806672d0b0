"""The command line as its user meets it: one clear line, and the right exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from roomproof_server.cli import main
from roomproof_server.config.options import OPTIONS

SERVER = [sys.executable, "-m", "roomproof_server.entry", "--store", "memory"]


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
        [
            *SERVER,
            "--port",
            "0",
            "--limit",
            "text_bytes=100",
            "--heartbeat-interval",
            "5",
            "--name",
            "mine",
            "--drain",
            "0.3",
            "--log-level",
            "error",
        ]
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
        notice = json.loads(client.recv(5))
        assert (notice["code"], notice["reconnect_after_ms"] >= 0) == ("draining", True)
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
        (["--heartbeat-interval", "0.5"], "from 1 to"),
        (["--port", "70000"], "65535"),
        (["--store", "nats://x"], "memory"),
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


@pytest.mark.parametrize("package", ["click", "prometheus_client"])
def test_a_missing_package_is_named_in_one_line(package: str) -> None:
    code = f"import sys; sys.modules['{package}'] = None; from roomproof_server.entry import main; main()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 2
    assert ran.stderr == f"roomproof-server needs {package}: pip install 'roomproof[server]'\n"


def test_a_second_signal_ends_it_at_once(start: Any) -> None:
    running = start([*SERVER, "--port", "0", "--drain", "600"])
    with connect(running.line().split()[-1]) as client:
        client.send('{"type":"hello","id":"1"}')
        client.recv(5)
        running.process.send_signal(signal.SIGTERM)
        assert json.loads(client.recv(5))["code"] == "draining"
        assert running.end(signal.SIGTERM)[0] == -signal.SIGTERM


def test_without_clients_it_ends_at_once(start: Any) -> None:
    running = start([*SERVER, "--port", "0", "--drain", "600"])
    running.line()
    assert running.end(signal.SIGTERM)[0] == 0


def test_help_has_every_option() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    assert [option.flag for option in OPTIONS.values() if option.flag not in text] == []


class TestCheckConfig:
    def test_values_and_their_sources(self, tmp_path: Path) -> None:
        file = tmp_path / "server.yaml"
        file.write_text("port: 9000\nlimit:\n  text_bytes: 2000\n")
        options = ["check-config", "--config", str(file), "--host", "0.0.0.0", "--store", "memory"]
        result = CliRunner().invoke(main, options, env={"ROOMPROOF_NAME": "mine"})
        assert result.exit_code == 0
        rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()}
        assert rows["port"] == ["9000", f"{file}:1"]
        assert rows["limit.text_bytes"] == ["2000", f"{file}:2"]
        assert rows["host"] == ["0.0.0.0", "--host"]
        assert rows["name"] == ["mine", "ROOMPROOF_NAME"]
        assert rows["drain"] == ["10", "default"]
        assert "memory: a restart forgets all rooms" in result.output

    def test_options_may_stand_before_it(self) -> None:
        result = CliRunner().invoke(main, ["--port", "7", "check-config", "--store", "memory"])
        assert "port" in result.output
        assert ["port", "7", "--port"] in [line.split() for line in result.output.splitlines()]

    def test_every_fault_is_told_and_no_secret(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("short-secret")
        options = ["check-config", "--jwt-key", str(secret), "--port", "x", "--limit", "text_bytes=20000"]
        result = CliRunner().invoke(main, options)
        assert result.exit_code == 2
        faults = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert [fault.split()[1] for fault in faults] == ["--port:", "--jwt-key:", "--limit:"]
        assert "short-secret" not in result.output
