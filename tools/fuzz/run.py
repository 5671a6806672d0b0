"""Fuzz the server: mutated frames through its rules, then over real sockets into a process of its own.

    python -m tools.fuzz.run                     # 1,000,000 and 100,000; writes docs/results/fuzz.json
    python -m tools.fuzz.run --frames 20000 --socket-frames 2000 --no-write

The same seed gives the same frames. Exit code 1 with one line says which invariant did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import struct
import sys
import time
from contextlib import suppress
from typing import Any

from tools.fuzz.mutations import Mutator
from tools.fuzz.rules import Bug, fuzz
from tools.support.child import HANDSHAKE, Child
from tools.support.results import keep, write_options

CLIENTS = 8
PER_CONNECTION = 40
# What the rules may hold after a million frames, and the server over its start: see docs/operations.md.
RULES_BYTES = 64 * 2**20
SERVER_BYTES = 96 * 2**20
HELLO = b'{"type":"hello","id":"h"}'


def framed(data: bytes, *, first: int = 0x81, mask: bytes = b"\0\0\0\0") -> bytes:
    """A client's frame; the zero mask leaves the payload as it is."""
    length = len(data)
    if length < 126:
        return bytes((first, 0x80 | length)) + mask + data
    if length < 65536:
        return bytes((first, 0x80 | 126)) + struct.pack("!H", length) + mask + data
    return bytes((first, 0x80 | 127)) + struct.pack("!Q", length) + mask + data


def damaged(chance: random.Random, data: bytes) -> bytes:
    """A frame of RFC 6455 with something wrong, or unusual, about it."""
    kind = chance.randrange(12)
    if kind == 0:
        return framed(data, first=chance.randrange(256))
    if kind == 1:  # in fragments, a Ping between
        cut = chance.randrange(len(data) + 1)
        return framed(data[:cut], first=1) + framed(b"p", first=0x89) + framed(data[cut:], first=0x80)
    if kind == 2:
        return bytes((0x81, len(data) & 0x7F)) + data  # no mask
    if kind == 3:
        return bytes((0x81, 0xFF)) + struct.pack("!Q", chance.choice((0, 1, 2**32, 2**63 - 1, 2**64 - 1))) + data
    if kind == 4:
        return framed(chance.randbytes(chance.randrange(130)), first=0x80 | chance.choice((8, 9, 10)))
    if kind == 5:
        return framed(struct.pack("!H", chance.randrange(65536)) + data[:123], first=0x88)
    if kind == 6:
        return chance.randbytes(chance.randrange(1, 40))
    if kind == 7:
        return framed(data, mask=chance.randbytes(4))
    return framed(data)


async def shake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, more: bytes = b"") -> None:
    """The handshake with ``more`` headers. Raises Bug when it is refused."""
    writer.write(HANDSHAKE + more + b"\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        raise Bug(f"a handshake was refused: {head[:100]!r}")


async def _client(
    port: int, chance: random.Random, mutator: Mutator, budget: list[int], figures: dict[str, int]
) -> None:
    """Connections one after the other until the budget of frames is used up."""
    while budget[0] > 0:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        figures["connections"] += 1
        head = HANDSHAKE + b"\r\n"
        if chance.random() < 0.05:  # frames behind a damaged handshake, or too early
            at = chance.randrange(len(head))
            sent = [head[:at] + chance.randbytes(chance.randrange(4)) + head[at + chance.randrange(3) :]]
        else:
            await shake(reader, writer)
            sent = []
        state = chance.randrange(4)
        if state:
            sent.append(framed(HELLO))
        for room in ("lobby", "room")[: max(0, state - 1)]:
            sent.append(framed(json.dumps({"type": "join", "id": room, "room": room}).encode()))
        rough = chance.random() < 0.3  # the first fault of RFC 6455 ends a connection, and with it what follows
        for _ in range(min(budget[0], PER_CONNECTION)):
            data = mutator.frame()
            if not rough:
                data = data.decode(errors="ignore").encode()
            sent.append(damaged(chance, data) if rough and chance.random() < 0.1 else framed(data))
            budget[0] -= 1
        if chance.random() < 0.5:
            sent.append(framed(struct.pack("!H", 1000), first=0x88))
        with suppress(ConnectionError):
            stream = b"".join(sent)
            while stream:
                cut = chance.choice((1, 7, 100, 1000, 100_000))
                writer.write(stream[:cut])
                stream = stream[cut:]
                await writer.drain()
            if chance.random() < 0.9:
                writer.write_eof()
                async with asyncio.timeout(20):
                    figures["bytes_received"] += len(await reader.read(-1))
        writer.transport.abort()


async def _usable(port: int, room: str) -> None:
    """A sane client has to be served as if nothing had been. Raises Bug."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    requests: tuple[dict[str, Any], ...] = (
        {"type": "hello", "id": "1"},
        {"type": "join", "id": "2", "room": room},
        {"type": "send", "id": "3", "room": room, "text": "still here"},
    )
    await shake(reader, writer)
    writer.write(b"".join(framed(json.dumps(request).encode()) for request in requests))
    writer.write(framed(struct.pack("!H", 1000), first=0x88))
    async with asyncio.timeout(10):
        answer = await reader.read(-1)
    writer.transport.abort()
    if answer.count(b"still here") != 1 or b'"type":"sent"' not in answer:
        raise Bug(f"the server does not serve a sane client any more: {answer[-300:]!r}")


async def over_sockets(frames: int, seed: int) -> dict[str, Any]:
    """Feed a child server and return the figures. Raises Bug."""
    with Child() as child:
        await _usable(child.port, "before")
        files, before = child.files, child.rss
        budget, figures = [frames], {"connections": 0, "bytes_received": 0}
        chances = [random.Random(seed * 1000 + number) for number in range(CLIENTS)]
        began = time.monotonic()
        await asyncio.gather(*(_client(child.port, chance, Mutator(chance), budget, figures) for chance in chances))
        seconds = time.monotonic() - began
        await _usable(child.port, "after")
        async with asyncio.timeout(20):  # the last ones have their time to end
            while (now := await asyncio.to_thread(child.metrics))["roomproof_connections"] > 1:
                await asyncio.sleep(0.1)
        if troubles := child.troubles():
            raise Bug(f"{len(troubles)} errors in the log: {troubles[0][:300]}")
        if child.files > files + 2:
            raise Bug(f"{child.files - files} files are left open")
        if child.peak - before > SERVER_BYTES:
            raise Bug(f"the server grew by {child.peak - before} bytes")
        closes = {name.partition("_total")[2]: count for name, count in now.items() if "closes_total" in name}
        return {
            "frames": frames, "seconds": round(seconds, 1), **figures, "growth_bytes": child.peak - before,
            "growth_bound_bytes": SERVER_BYTES, "open_files_before_and_after": [files, child.files],
            "refusals": sum(count for name, count in now.items() if "refusals_total" in name), "closes": closes,
        }  # fmt: skip


def main() -> int:
    """Run both parts; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000, help="through the rules")
    parser.add_argument("--socket-frames", type=int, default=100_000, help="over sockets")
    parser.add_argument("--seed", type=int, default=1)
    write_options(parser, "fuzz")
    options = parser.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.monotonic()
    try:
        rules = fuzz(options.frames, options.seed, _progress if sys.stderr.isatty() else lambda done: None)
        rules["seconds"] = round(time.monotonic() - began, 1)
        rules["growth_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        rules["growth_bound_bytes"] = RULES_BYTES
        if rules["growth_bytes"] > RULES_BYTES:
            raise Bug(f"the rules grew by {rules['growth_bytes']} bytes")
        sockets = asyncio.run(over_sockets(options.socket_frames, options.seed))
    except Bug as bug:
        print(f"fuzz_server: {bug}", file=sys.stderr)
        return 1
    figures = {"rules": rules, "sockets": sockets}
    keep(options, figures)
    print(json.dumps(figures, indent=2))
    return 0


def _progress(done: int) -> None:
    print(f"\r{done}", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
