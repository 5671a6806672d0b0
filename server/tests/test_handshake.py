"""The HTTP before the WebSocket, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from roomproof_protocol import SUBPROTOCOL


async def get(node: Any, path: str, method: str = "GET") -> tuple[int, str]:
    reader, writer = await node.raw()
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


async def test_pages(node: Any) -> None:
    """LIMIT-6."""
    node = await node()
    assert await get(node, "/healthz") == (200, "ok\n")
    assert await get(node, "/readyz?x=1") == (200, "ok\n")
    assert await get(node, "/healthz", "HEAD") == (200, "")
    status, page = await get(node, "/")
    assert status == 200
    assert page.startswith("<!doctype html>")
    status, line = await get(node, "/nowhere")
    assert (status, line.count("\n")) == (404, 1)
    assert (await get(node, "/ws"))[0] == 426
    assert (await get(node, "/", "DELETE"))[0] == 405


@pytest.mark.parametrize(
    ("offered", "chosen"), [(None, None), ([SUBPROTOCOL], SUBPROTOCOL), (["other", SUBPROTOCOL], SUBPROTOCOL)]
)
async def test_subprotocol(node: Any, offered: list[str] | None, chosen: str | None) -> None:
    """CONN-1, CONN-2."""
    client = await (await node()).guest(subprotocols=offered)
    assert client.ws.subprotocol == chosen
    assert ("Sec-WebSocket-Protocol" in client.ws.response.headers) == (chosen is not None)
    assert client.ws.response.headers.get("Sec-WebSocket-Extensions") is None  # LIMIT-4


async def test_unknown_subprotocols_only(node: Any) -> None:
    """CONN-2."""
    node = await node()
    with pytest.raises(InvalidStatus) as refused:
        await node.client(subprotocols=["roomproof.v0"])
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize(
    ("origin", "fine"),
    [
        (None, True),
        ("http://127.0.0.1:{port}", True),
        ("https://chat.example", True),
        ("null", False),
        ("https://roomproof.invalid", False),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:{port}.roomproof.invalid", False),
    ],
)
async def test_origin(node: Any, origin: str | None, fine: bool) -> None:
    """CONN-3."""
    node = await node(settings={"origins": frozenset({"https://chat.example"})})
    origin = origin and origin.format(port=node.port)
    if fine:
        await node.guest(origin=origin)
    else:
        with pytest.raises(InvalidStatus) as refused:
            await node.client(origin=origin)
        assert refused.value.response.status_code == 403


async def test_a_handshake_that_does_not_end(node: Any) -> None:
    """LIMIT-5."""
    node = await node(settings={"handshake_ms": 200})
    reader, writer = await node.raw()
    writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n")
    with pytest.raises(ConnectionResetError):  # noqa: PT012  # either way of ending is fine
        assert await asyncio.wait_for(reader.read(), 5) == b""
        raise ConnectionResetError


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x00\x00\r\n\r\n", b"GET / HTTP/3\r\n\r\n", b"\x89\x80aaaa\r\n\r\n"])
async def test_no_http_at_all(node: Any, garbage: bytes) -> None:
    node = await node()
    reader, writer = await node.raw()
    writer.write(garbage)
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_frames_behind_the_request(node: Any) -> None:
    """Not allowed to clients, but nothing worse than an end may come of it."""
    node = await node()
    for frame in (b"\x89\x80aaaa", b"\x88\x80aaaa"):
        reader, writer = await node.raw()
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n" + frame
        )
        assert await asyncio.wait_for(reader.read(), 5) == b""
