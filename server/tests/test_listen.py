"""TLS from files and sockets in the file system, in this process and in one of their own, whose log is looked at."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect, unix_connect
from websockets.sync.client import connect as connect_now
from websockets.sync.client import unix_connect as unix_connect_now

from roomproof_server.settings import Settings
from roomproof_server.shell.listen import tls_context, unix_socket
from roomproof_server.shell.server import Server

SECRET = "s3cret-words"


def make_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return files


async def test_chat_over_tls(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "own")
    server = Server(Settings())
    port = await server.start("127.0.0.1", 0, tls_context(certificate, key))
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with connect(f"wss://127.0.0.1:{port}/ws", ssl=trusting) as client:
        await client.send('{"type":"hello","id":"1"}')
        assert '"welcome"' in str(await asyncio.wait_for(client.recv(), 5))
        await client.send("x" * 20_000)  # a fault: we end the connection
        with pytest.raises(Exception, match="1009"):
            await asyncio.wait_for(client.recv(), 5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)  # without TLS
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await server.stop()


def test_files_that_will_not_do(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "one")
    other = make_pair(tmp_path, "two")[1]
    for pair, says in (
        ((certificate, tmp_path / "none.key"), "none.key"),
        ((certificate, other), "does not belong"),
        ((key, certificate), "not usable"),
    ):
        with pytest.raises(ValueError, match=says) as fault:
            tls_context(*pair)
        assert "\n" not in str(fault.value)


async def test_chat_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    server = Server(Settings())
    await server.start_unix(path, 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with unix_connect(str(path), "ws://localhost/ws") as client:
        await client.send('{"type":"hello","id":"1"}')
        assert '"welcome"' in str(await asyncio.wait_for(client.recv(), 5))
    with pytest.raises(OSError, match="in use"):
        unix_socket(path, 0o600)
    await server.stop()
    assert not path.exists()


async def test_what_a_dead_server_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = Server(Settings())
    await server.start_unix(path, 0o660)
    path.rename(tmp_path / "moved")
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="no socket"):
        unix_socket(path, 0o660)
    await server.stop()
    assert path.read_text() == "mine"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    started: list[subprocess.Popen[str]] = []

    def run(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "roomproof_server.entry", "--port", "0", "--store", "memory", "--drain", "0"]
        started.append(
            subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def test_tls_and_a_unix_socket_and_the_log(start: Any, tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "own")
    path = tmp_path / "chat.sock"
    process = start("--tls-certificate", str(certificate), "--tls-key", str(key), "--unix", str(path))
    address = process.stdout.readline().split()[1]
    lines = [process.stdout.readline().split() for _ in range(2)]
    assert address.startswith("wss://127.0.0.1:")
    assert lines[0][1].startswith("https://127.0.0.1:")
    assert lines[1] == ["unix", str(path)]
    trusting = ssl.create_default_context(cafile=str(certificate))
    for client in (connect_now(address, ssl=trusting), unix_connect_now(str(path), "ws://localhost/ws")):
        with client:
            client.send(json.dumps({"type": "hello", "id": "h", "name": SECRET}))
            client.send(json.dumps({"type": "join", "id": "j", "room": SECRET}))
            client.send(json.dumps({"type": "send", "id": "s", "room": SECRET, "text": SECRET}))
            while json.loads(client.recv(5)).get("re") != "s":
                pass
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert not path.exists()
    told = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert [line["event"] for line in told].count("closed") == 2
    peers = [line["peer"] for line in told if line["event"] == "connected"]
    assert peers == ["127.0.0.1"] * 2  # a unix socket is loopback
    assert SECRET not in errors
    assert "Traceback" not in errors


def test_text_logs_and_a_socket_that_is_in_the_way(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    process = start("--unix", str(path), "--log-format", "text")
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (3, "")
    (line,) = [line for line in errors.splitlines() if "cannot listen" in line]
    assert f"{path}: is there and is no socket" in line
    assert path.read_text() == "mine"
