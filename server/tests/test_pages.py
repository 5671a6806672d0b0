"""Plain HTTP beside the WebSocket: health, readiness, and how it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest


async def get(node: Any, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Status, headers with small names, body."""
    reader, writer = await node.raw()
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/nowhere"])
async def test_head_is_get_without_the_body(node: Any, path: str) -> None:
    node = await node()
    status, headers, body = await get(node, path)
    without = await get(node, path, "HEAD")
    assert (without[0], without[2]) == (status, "")
    assert without[1].keys() == headers.keys()
    assert int(headers["content-length"]) == len(body.encode())
    assert headers["connection"] == "close"


async def test_ready_or_not(node: Any) -> None:
    """LIMIT-6: and what is missing is named."""
    node = await node()
    assert (await get(node, "/readyz"))[::2] == (200, "ok\n")
    node.server.ready["bus"] = lambda: False
    status, headers, body = await get(node, "/readyz")
    assert (status, body, headers["cache-control"]) == (503, "not ready: bus\n", "no-store")
    assert (await get(node, "/healthz"))[0] == 200
    assert "roomproof_ready 0" in (await get(node, "/metrics"))[2]


async def test_other_methods(node: Any) -> None:
    status, headers, _ = await get(await node(), "/metrics", "POST")
    assert (status, headers["allow"]) == (405, "get, head")
