"""Clients that mean harm: what one of them may cost, and that it is cut off. The figures are tools/abuse's."""

from __future__ import annotations

import asyncio
import errno
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]  # where it fails
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from roomproof_server.shell.connection import FRAME_BURST


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def ending(reader: asyncio.StreamReader) -> bytes:
    """The last bytes before the end: the Close, unless it was a reset."""
    found = b""
    try:
        async with asyncio.timeout(10):
            while data := await reader.read(65_536):
                found = (found + data)[-200:]
    except ConnectionError:
        pass
    return found


async def left(node: Any, count: int) -> None:
    async with asyncio.timeout(10):
        while len(node.server.connections) > count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["pings", "empty fragments"])
async def test_frames_that_carry_nothing(node: Any, kind: str) -> None:
    """A client that keeps the server busy for nothing is closed 4229."""
    node = await node()
    reader, writer = await node.shaken()
    writer.write(frame(Opcode.TEXT, b'{"type":"hello","id":"h"}'))
    one = frame(Opcode.PING) if kind == "pings" else frame(Opcode.CONT, fin=False)
    if kind != "pings":
        writer.write(frame(Opcode.TEXT, fin=False))
    writer.write(one * (4 * FRAME_BURST))
    assert b"flood; retry_after_ms=" in await ending(reader)


async def test_the_largest_message_in_single_bytes(node: Any) -> None:
    """LIMIT-1: allowed, and not held at many times its size."""
    node = await node()
    reader, writer = await node.shaken()
    hello = b'{"type":"hello","id":"h"}'.ljust(16_384)
    frames = [frame(Opcode.CONT if n else Opcode.TEXT, hello[n : n + 1], fin=False) for n in range(16_383)]
    writer.write(b"".join(frames) + frame(Opcode.CONT, hello[-1:]))
    async with asyncio.timeout(10):
        assert b'"welcome"' in await reader.readuntil(b'"durability"')


async def test_more_connections_than_there_may_be(node: Any) -> None:
    """503 while there is room to say so, health included; then the end of the connection."""
    node = await node(settings={"max_connections": 2})
    first, _ = await node.guest("lobby"), await node.guest("lobby")
    with pytest.raises(InvalidStatus) as refused:
        await node.client()
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"] == "5"
    reader, writer = await node.raw()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    await first.ws.close()
    await left(node, 1)
    await node.guest("lobby")


async def test_far_more_connections(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roomproof_server.shell.server.SPARE", 1)
    node = await node(settings={"max_connections": 1})
    streams = [await node.raw() for _ in range(5)]
    assert await ending(streams[-1][0]) == b""
    assert len(node.server.connections) == 2


async def test_a_client_that_is_gone_when_we_end_our_half(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reset may show first when the socket is shut down; nothing may come of it."""
    node = await node()
    reader, writer = await node.shaken()

    def fails(_: Any) -> None:
        raise OSError(errno.ENOTCONN, "not connected")

    monkeypatch.setattr(_SelectorSocketTransport, "write_eof", fails)
    writer.write(frame(Opcode.TEXT, b"\xff"))
    await ending(reader)
    await left(node, 0)
