"""A program whose address stands in its code listens on loopback and our port, and knows nothing of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roomproof_conformance.hooks import free_port
from roomproof_conformance.matrix.program import LAUNCHER

LOOP = """
import asyncio, sys

async def main():
    server = await asyncio.start_server(lambda reader, writer: None, {arguments})
    print(__name__, sys.argv, *(address.getsockname() for address in server.sockets))
    server.close()

asyncio.run(main())
"""
SOCKETS = """
import socket
with socket.create_server({address}, family={family}, dualstack_ipv6={both}) as server:
    print(server.getsockname()[0], server.getsockname()[1])
with socket.create_server(("0.0.0.0", 9001)) as other:
    print(*other.getsockname())
"""


def launch(script: Path, port: object, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(LAUNCHER), *(words or (script.name,))],
        cwd=script.parent,
        env={"ROOMPROOF_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    ['"0.0.0.0", 1', 'host="0.0.0.0", port=1', "host=None, port=1", '["127.0.0.2", "127.0.0.3"], 1'],
)
def test_a_fixed_address_becomes_loopback_and_our_port(arguments: str, tmp_path: Path) -> None:
    script = tmp_path / "fixed.py"
    script.write_text(LOOP.format(arguments=arguments), encoding="utf-8")
    before, port = script.read_bytes(), free_port()
    done = launch(script, port)
    assert done.stdout == f"__main__ ['fixed.py'] ('127.0.0.1', {port})\n", done.stderr
    assert done.stderr.startswith("launcher: ")
    assert done.stderr.endswith(f" port 1 replaced by '127.0.0.1' port {port}\n")
    assert script.read_bytes() == before


def test_a_socket_of_its_own_is_forced_when_it_is_bound(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    own = 'sock=__import__("socket").create_server(("0.0.0.0", 8765))'
    script.write_text(LOOP.format(arguments=own), encoding="utf-8")
    port = free_port()
    done = launch(script, port)
    assert done.stdout == f"__main__ ['own.py'] ('127.0.0.1', {port})\n", done.stderr


@pytest.mark.parametrize(
    ("address", "family", "both", "host"),
    [
        ('("0.0.0.0", 9000)', "socket.AF_INET", False, "127.0.0.1"),
        ('("::", 9000)', "socket.AF_INET6", True, "::ffff:127.0.0.1"),
        ('("::", 9000)', "socket.AF_INET6", False, "::1"),
    ],
)
def test_only_the_named_port_becomes_ours_and_all_become_loopback(
    tmp_path: Path, address: str, family: str, both: bool, host: str
) -> None:
    script = tmp_path / "two.py"
    script.write_text(SOCKETS.format(address=address, family=family, both=both), encoding="utf-8")
    port = free_port()
    done = launch(script, port, "--from", "9000", script.name)
    first, second = done.stdout.splitlines()
    assert first == f"{host} {port}", done.stderr
    assert second.startswith("127.0.0.1 ")
    assert second not in ("127.0.0.1 9001", f"127.0.0.1 {port}")


@pytest.mark.parametrize(("named", "ours"), [("8765", True), ("8766", False)])
def test_the_named_port_is_found_in_an_event_loop_too(tmp_path: Path, named: str, ours: bool) -> None:
    script = tmp_path / "fixed.py"
    script.write_text(LOOP.format(arguments='"0.0.0.0", 8765'), encoding="utf-8")
    port = free_port()
    done = launch(script, port, "--from", named, script.name)
    assert (done.stdout == f"__main__ ['fixed.py'] ('127.0.0.1', {port})\n") is ours, done.stderr
    assert "('127.0.0.1', " in done.stdout
    assert len(done.stderr.splitlines()) == 1


def test_the_script_finds_its_own_neighbours_and_words(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("name = 'mine'", encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text("import neighbour, sys; print(neighbour.name, sys.argv[1:])", encoding="utf-8")
    assert launch(script, 1, "script.py", "-v", "x").stdout == "mine ['-v', 'x']\n"
    assert launch(script, 1, "-m", "script", "y").stdout == "mine ['y']\n"


@pytest.mark.parametrize("port", ["", "0", "65536", "http", "²"])
def test_a_wrong_port_is_one_line(port: str, tmp_path: Path) -> None:
    done = launch(tmp_path / "any.py", port)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("launcher: expected [--from PORT] SCRIPT or -m MODULE, and ROOMPROOF_PORT=1..65535")


@pytest.mark.parametrize("words", [("--from", "x", "a.py"), ("--from",), ("-m",), ("--help",)])
def test_wrong_words_are_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    done = launch(tmp_path / "any.py", 8000, *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
