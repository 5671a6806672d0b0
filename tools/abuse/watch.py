"""Somebody who only wants to chat while others attack: how long messages take to the members of a room.

Runs in a process of its own, or it would measure the attacker's own business: reads ``start PORT`` and
``stop`` from standard input, and answers each with a line, the second with the latencies in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

SENDERS, EVERY = 5, 0.05  # four messages a second each: below the quota


class Watch:
    """The watching process, seen from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _say(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def start(self, port: int) -> None:
        """Begin to chat."""
        if not self._say(f"start {port}").startswith("started"):
            raise RuntimeError("the watching members could not connect")

    def stop(self) -> dict[str, Any]:
        """End it and return how many messages were ``sent`` and ``received``, and how long they took."""
        line = self._say("stop")
        if not line:
            raise RuntimeError("the watching members lost their connections or messages")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process."""
        self._process.communicate("")


async def _member(port: int) -> ClientConnection:
    client = await connect(f"ws://127.0.0.1:{port}/ws", ping_interval=None, max_size=None)
    for request in ({"type": "hello"}, {"type": "join", "room": "watched", "history": 0}):
        await client.send(json.dumps({"id": "1", **request}))
        await client.recv()
    return client


async def _chat(port: int, lines: asyncio.StreamReader) -> dict[str, Any]:
    clients = [await _member(port) for _ in range(SENDERS + 1)]
    times: list[float] = []
    sent = refused = 0

    async def listen() -> None:
        async for frame in clients[-1]:
            message = json.loads(frame)
            if message["type"] == "message":
                times.append((time.monotonic() - float(message["text"])) * 1000)

    async def drain(client: ClientConnection) -> None:
        nonlocal refused
        async for frame in client:
            refused += '"rate_limited"' in str(frame)  # this process was late itself and sent in a bunch

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(listen()), *(tasks.create_task(drain(client)) for client in clients[:-1])]
        print("started", flush=True)
        stop = tasks.create_task(lines.readline())
        while not stop.done():
            request = {"type": "send", "id": "s", "room": "watched", "text": repr(time.monotonic())}
            await clients[sent % SENDERS].send(json.dumps(request))
            sent += 1
            await asyncio.wait([stop], timeout=EVERY)
        async with asyncio.timeout(20):
            while len(times) + refused < sent:
                await asyncio.sleep(0.01)
        for task in running:
            task.cancel()
    for client in clients:
        await client.close()
    times.sort()
    return {
        "sent": sent - refused, "received": len(times), "p50_ms": round(times[len(times) // 2], 1),
        "p99_ms": round(times[len(times) * 99 // 100], 1), "max_ms": round(times[-1], 1),
    }  # fmt: skip


async def main() -> None:
    """Obey until standard input ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        print(json.dumps(await _chat(int(line.split()[1]), lines)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
