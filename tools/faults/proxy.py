"""A TCP proxy between one node and its Redis that swallows, delays, stalls and cuts, on command.

It knows just enough of the protocol to tell a subscription from other connections, and a push from the next.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress


class Proxy:
    """Listens on ``port`` once started; ``target`` is the port of the Redis."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay = 0.0  # seconds, each way
        self.swallow = 0.0  # the share of pushed room messages that is lost
        self.cut = False  # nobody gets through
        self.stall = False  # what a subscription brings is not read
        self.swallowed = 0
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    async def start(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def break_all(self) -> None:
        """End every connection that is there."""
        for pair in self._pairs:
            for writer in pair:
                writer.transport.abort()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.break_all()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, up_writer)
        self._pairs.add(pair)
        bus = asyncio.Event()
        try:
            with suppress(asyncio.CancelledError):  # the proxy ends
                await asyncio.gather(self._up(reader, up_writer, bus), self._down(up_reader, writer, bus))
        finally:
            self._pairs.discard(pair)
            for one in pair:
                one.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bus: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if b"SSUBSCRIBE" in data:
                    bus.set()
                await self._pass(data, writer)
        writer.transport.abort()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bus: asyncio.Event) -> None:
        rest = b""
        with suppress(OSError):
            while True:
                while self.stall and bus.is_set():
                    await asyncio.sleep(0.05)
                data = await reader.read(65536)
                if not data:
                    break
                if bus.is_set():
                    data, rest = self._thinned(rest + data)
                await self._pass(data, writer)
        writer.transport.abort()

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if data and not self.cut:
            writer.write(data)
            await writer.drain()

    def _thinned(self, data: bytes) -> tuple[bytes, bytes]:
        """What is passed on of the whole pushes in it, and the part that is not whole."""
        kept = []
        while data:
            end = _end(data)
            if end is None:
                break
            push, data = data[:end], data[end:]
            if push.startswith(b"*3\r\n$8\r\nsmessage") and b"}:c:" in push and random.random() < self.swallow:
                self.swallowed += 1
            else:
                kept.append(push)
        return b"".join(kept), data


def _end(data: bytes, start: int = 0) -> int | None:
    """Where the value that begins at ``start`` ends, None when it is not all there."""
    line = data.find(b"\r\n", start)
    if line < 0:
        return None
    kind, number = data[start : start + 1], data[start + 1 : line]
    if kind == b"$":
        end = line + 2 + (int(number) + 2 if int(number) >= 0 else 0)
        return end if len(data) >= end else None
    end = line + 2
    for _ in range(int(number) if kind == b"*" else 0):
        inner = _end(data, end)
        if inner is None:
            return None
        end = inner
    return end
