"""The limits of the HTTP request, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

REQUEST = b"GET /ws HTTP/1.1\r\nHost: x\r\n"


async def answer(node: Any, *parts: bytes) -> bytes:
    """The first line that comes back for a request that arrives in these parts; a reset is as good as none."""
    reader, writer = await node.raw()
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n")[0]
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n"], b"414"),
        ([REQUEST + b"X: " + b"x" * 9_000 + b"\r\n\r\n"], b"431"),
        ([REQUEST + b"X: x\r\n" * 200 + b"\r\n"], b"431"),
        ([REQUEST + (b"X: " + b"x" * 5_000 + b"\r\n") * 4 + b"\r\n"], b"431"),
        ([REQUEST, *[b"X: " + b"x" * 5_000 + b"\r\n"] * 5], b"431"),
        ([REQUEST + b"Content-Length: 5\r\n\r\nhello"], b""),
        ([REQUEST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], b""),
        ([b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n"], b"404"),
        ([REQUEST + b"\r\n"], b"426"),
    ],
)
async def test_requests_beyond_the_limits(node: Any, parts: list[bytes], status: bytes) -> None:
    """LIMIT-5: whatever comes, it is answered or cut off, and the next one is served."""
    node = await node()
    first = await answer(node, *parts)
    assert first.split(b" ")[1:2] == ([status] if status else [])
    assert (await node.guest("lobby")).ws.response.status_code == 101
