"""Plain HTTP, and handshakes that are not finished."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from roomproof_conformance import plain
from roomproof_conformance.transport import Unreachable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    served = asyncio.Semaphore(0)
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await serve(reader, writer)
        writer.close()
        await writer.wait_closed()
        served.release()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}/ws?x=1"
    finally:
        listener.close()
        for _ in range(connections):
            await served.acquire()


def answering(data: bytes, requests: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(data)

    return serve


async def test_get() -> None:
    requests: list[bytes] = []
    async with server(answering(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\r\nno", requests)) as url:
        answer = await plain.get(url)
        other = await plain.get(url, "/healthz")
    assert (answer.status, answer.headers, answer.body) == (426, [("Upgrade", "websocket")], b"no")
    assert requests[0].startswith(b"GET /ws?x=1 HTTP/1.1\r\n")
    assert requests[1].startswith(b"GET /healthz HTTP/1.1\r\n")
    assert b"upgrade" not in requests[0].lower()
    assert other.status == 426


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1\r\n\r\n"])
async def test_no_http(data: bytes) -> None:
    async with server(answering(data, [])) as url:
        with pytest.raises(Unreachable, match="GET /ws"):
            await plain.get(url)


async def test_unfinished() -> None:
    got: list[bytes] = []

    async def drops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(3))
        writer.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    async with server(drops) as url:
        assert await plain.unfinished(url, b"GET", patience=5) == "eof"
    assert got == [b"GET"]


async def test_unfinished_for_ever() -> None:
    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(waits) as url:
        assert await plain.unfinished(url, b"", patience=0.05) is None


async def test_nobody_there() -> None:
    async with server(answering(b"", [])) as url:
        pass
    with pytest.raises(Unreachable):
        await plain.get(url)
    with pytest.raises(Unreachable):
        await plain.unfinished(url, b"", patience=1)
