"""TLS from files, and sockets in the file system."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect, unix_connect

from roomproof_server.settings import Settings
from roomproof_server.shell.listen import tls_context, unix_socket
from roomproof_server.shell.server import Server


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
