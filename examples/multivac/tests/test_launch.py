from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from answers import LAUNCHER
from environments import ensure

FIXED = """
import asyncio, sys

async def main():
    server = await asyncio.start_server(lambda reader, writer: None, {arguments})
    print(__name__, sys.argv, *(address.getsockname() for address in server.sockets))
    server.close()

asyncio.run(main())
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def launch(script: Path, port: object, python: Path = Path(sys.executable)) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), str(LAUNCHER), script.name],
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
    script.write_text(FIXED.format(arguments=arguments), encoding="utf-8")
    before, port = script.read_bytes(), free_port()
    done = launch(script, port)
    assert done.stdout == f"__main__ ['fixed.py'] ('127.0.0.1', {port})\n", done.stderr
    assert done.stderr.startswith("launch: ")
    assert done.stderr.endswith(f" port 1 replaced by '127.0.0.1' port {port}\n")
    assert script.read_bytes() == before


def test_uvloop_is_forced_too(tmp_path: Path) -> None:
    script = tmp_path / "fixed.py"
    text = FIXED.format(arguments='"0.0.0.0", 1').replace("asyncio.run", "__import__('uvloop').run")
    script.write_text(text, encoding="utf-8")
    port = free_port()
    done = launch(script, port, ensure("grok_420"))
    assert done.stdout == f"__main__ ['fixed.py'] ('127.0.0.1', {port})\n", done.stderr
    assert done.stderr == f"launch: '0.0.0.0' port 1 replaced by '127.0.0.1' port {port}\n"


def test_the_script_finds_its_own_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("name = 'mine'", encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text("import neighbour; print(neighbour.name)", encoding="utf-8")
    assert launch(script, 1).stdout == "mine\n"


def test_a_socket_of_its_own_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text(
        FIXED.format(arguments='sock=__import__("socket").create_server(("127.0.0.1", 0))'), encoding="utf-8"
    )
    done = launch(script, free_port())
    assert done.returncode != 0
    assert "launch: the script listens on a socket of its own" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("port", ["", "0", "65536", "http", "²"])
def test_a_wrong_port_is_one_line(port: str, tmp_path: Path) -> None:
    done = launch(tmp_path / "any.py", port)
    assert done.returncode == 2
    assert done.stderr.startswith("launch: expected one script and ROOMPROOF_PORT=1..65535, got ['any.py']")
