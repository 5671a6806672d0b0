"""Clients that abuse a server, what it costs in memory, and what the others notice of it.

    python -m tools.abuse.run                        # the long form; writes docs/results/abuse.json
    python -m tools.abuse.run --short --no-write     # the same code with small numbers
    python -m tools.abuse.run --only idle,pings

Every attack has a server process of its own. Its memory may grow by what docs/operations.md says under
"Memory", and a message to the members of another room may take a second at most (DISC-8). Exit code 1 names what
did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import sys
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from roomproof_protocol import DEFAULTS
from tools.abuse.watch import Watch
from tools.fuzz.rules import Bug
from tools.fuzz.run import framed, shake
from tools.support.child import HANDSHAKE, Child
from tools.support.results import keep, write_options

KIB, MIB = 1024, 1024 * 1024
# docs/operations.md, "Memory".
BASE = 12 * MIB  # what a server that has served anybody holds beyond one that has not
PER_OPEN = 24 * KIB  # a connection without a handshake yet
PER_IDLE = 12 * KIB  # a connection that was welcomed
PER_ROOM = 6 * KIB  # a room with few short messages
WORST_MS = 1000.0

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Broken(Exception):
    """A promise that did not hold, in one line."""


@dataclass
class Attack:
    """One way to abuse; ``run`` gets the server and a size and returns the bytes by which it may grow."""

    run: Callable[[Child, int], Awaitable[int]]
    long: int
    short: int
    options: tuple[str, ...] = ()


async def opened(child: Child, count: int, head: bytes = b"") -> list[Stream]:
    """That many TCP connections, ``head`` written to each."""
    streams: list[Stream] = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", child.port)
        writer.write(head)
        streams.append((reader, writer))
    return streams


async def shaken(
    child: Child, count: int, *, head: bytes = b"", requests: tuple[dict[str, Any], ...] = ()
) -> list[Stream]:
    """That many WebSockets, these requests sent on each; replies stay unread."""
    streams = []
    data = b"".join(framed(json.dumps({"id": "r", **request}).encode()) for request in requests)
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", child.port)
        await shake(reader, writer, head)
        writer.write(data)
        streams.append((reader, writer))
    return streams


HELLO: dict[str, Any] = {"type": "hello"}


def joins(*rooms: str) -> tuple[dict[str, Any], ...]:
    """Requests that end in these rooms."""
    return (HELLO, *({"type": "join", "room": room} for room in rooms))


async def gone(child: Child, left: int = 7, within: float = 15) -> None:
    """Wait until only the watching members, and who asks, are connected. Raises Broken."""
    deadline = time.monotonic() + within
    while (count := (await asyncio.to_thread(child.metrics))["roomproof_connections"]) > left:
        if time.monotonic() > deadline:
            raise Broken(f"{count - left:g} connections are still there after {within:g} s")
        await asyncio.sleep(0.1)


def close(streams: list[Stream]) -> None:
    for _, writer in streams:
        writer.transport.abort()


async def flood(streams: list[Stream], data: bytes, times: int) -> None:
    """Write as fast as it goes, without reading, until cut off."""

    async def one(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for _ in range(times):
                writer.write(data)
                await writer.drain()

    async with asyncio.TaskGroup() as tasks:
        for _, writer in streams:
            writer.transport.set_write_buffer_limits(high=64 * KIB)
            tasks.create_task(_within(one(writer)))


async def _within(work: Awaitable[None]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(work, 20)


async def closes(child: Child, code: int, least: int) -> None:
    """At least that many connections were closed with ``code``. Raises Broken."""
    figures = await asyncio.to_thread(child.metrics)
    count = figures.get(f'roomproof_closes_total{{code="{code}",by="server"}}', 0)
    count += figures.get(f'roomproof_closes_total{{by="server",code="{code}"}}', 0)
    if count < least:
        raise Broken(f"{count:g} closes {code}, expected {least} at least")


async def idle(child: Child, count: int) -> int:
    """Welcomed clients that only are there."""
    close(await shaken(child, count, requests=(HELLO,)))
    return count * PER_IDLE


async def handshakes(child: Child, count: int) -> int:
    """Requests that come a byte at a time and do not end; dropped after ten seconds (LIMIT-5)."""
    streams = await opened(child, count, HANDSHAKE + b"X-Slow: " + b"x" * 7000)
    for _ in range(10):
        for _, writer in streams:
            writer.write(b"x")
        await asyncio.sleep(0.1)
    if count >= ATTACKS["handshakes"].long:
        await gone(child)
    close(streams)
    return count * PER_OPEN


async def half_open(child: Child, count: int) -> int:
    """Half never say hello, half fall silent after it."""
    streams = await shaken(child, count // 2) + await shaken(child, count // 2, requests=joins("lobby"))
    await gone(child)
    close(streams)
    return count * PER_IDLE


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(MIB):
        pass


async def sleepers(child: Child, count: int) -> int:
    """Members that stop reading in a busy room are cut off at ``queue_bytes`` each."""
    streams = await shaken(child, count, requests=joins("busy"))
    for _, writer in streams:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a full transport
    ((reader, busy),) = await shaken(child, 1, requests=joins("busy"))
    reading = asyncio.create_task(_swallow(reader))
    text = framed(json.dumps({"type": "send", "id": "s", "room": "busy", "text": '"' * 2000}).encode())
    for _ in range(400):
        busy.write(text * 5)
        await busy.drain()
        await asyncio.sleep(0.005)
        if (await asyncio.to_thread(child.metrics))["roomproof_connections"] <= 8:
            break
    reading.cancel()
    busy.transport.abort()
    await gone(child)
    close(streams)
    return count * (PER_IDLE + SMALL_QUEUE * 5 // 4 + 4 * KIB) + 2 * MIB


async def requests(child: Child, count: int) -> int:
    """Requests as fast as they go end in 4229 (RATE-12)."""
    streams = await shaken(child, count, requests=(HELLO,))
    await flood(streams, framed(b'{"type":"ping","id":"p"}') * 100, 200)
    await gone(child)
    await closes(child, 4229, count)
    return count * (PER_IDLE + DEFAULTS.queue_bytes * 5 // 4)


async def pings(child: Child, count: int) -> int:
    """Ping frames as fast as they go, the Pongs unread."""
    streams = await shaken(child, count, requests=(HELLO,))
    await flood(streams, framed(b"", first=0x89) * 1000, 100)
    await gone(child)
    await closes(child, 4229, count)
    return count * (PER_IDLE + DEFAULTS.queue_bytes * 5 // 4)


async def fragments(child: Child, count: int) -> int:
    """Messages that do not end: in single bytes, in nothing at all, and one that says it has exabytes."""
    streams = await shaken(child, count, requests=(HELLO,))
    await flood(streams, framed(b"x", first=0x01) + framed(b"x", first=0x00) * 10_000, 1)
    empty = await shaken(child, count, requests=(HELLO,))
    await flood(empty, framed(b"", first=0x01) + framed(b"", first=0x00) * 100_000, 1)
    huge = await shaken(child, count, requests=(HELLO,))
    await flood(huge, bytes((0x81, 0xFF)) + struct.pack("!Q", 2**62) + b"xxxx", 1)
    await closes_soon(child, 1009, count)
    close(streams + empty + huge)
    return 3 * count * (PER_IDLE + 2 * DEFAULTS.frame_bytes)


async def closes_soon(child: Child, code: int, least: int) -> None:
    """As `closes`, within five seconds."""
    for _ in range(50):
        with suppress(Broken):
            return await closes(child, code, least)
        await asyncio.sleep(0.1)
    return await closes(child, code, least)


async def bombs(child: Child, count: int) -> int:
    """Small frames that inflate to ten megabytes are refused with 1009 before they have (LIMIT-4)."""
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"
    pack = zlib.compressobj(wbits=-15)
    bomb = (pack.compress(b" " * (10 * MIB)) + pack.flush(zlib.Z_SYNC_FLUSH))[:-4]
    whole, part = await shaken(child, count, head=offer), await shaken(child, count, head=offer)
    await flood(whole, framed(bomb, first=0xC1), 1)
    await flood(part, framed(bomb[:40], first=0x41) + framed(bomb[40:60], first=0x00), 1)
    await closes_soon(child, 1009, count)
    close(whole + part)
    return 2 * count * (PER_IDLE + 2 * DEFAULTS.frame_bytes + 48 * KIB)


async def connections(child: Child, count: int) -> int:
    """Connections as fast as they go, far above the most; the rest is refused."""
    open_now: list[Stream] = []
    for number in range(count):
        with suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", child.port)
            open_now.append((reader, writer))
            writer.write(HANDSHAKE + b"\r\n")
        if number % 4 == 0 and open_now:
            open_now.pop(0)[1].transport.abort()
    figures = await asyncio.to_thread(child.metrics) if len(open_now) < MOST + 256 else {}
    close(open_now)
    await gone(child)
    if not figures.get('roomproof_http_responses_total{status="503"}', 1):
        raise Broken("nobody was refused")
    return (MOST + 256 + 7) * PER_OPEN + count * KIB


async def churn(child: Child, count: int) -> int:
    """Joins and leaves of ever new rooms; an empty room is kept for a minute."""
    streams = await shaken(child, 10, requests=(HELLO,))

    async def one(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for step in range(0, count // 10, 20):
            rooms = [f"room-{number}-{step + n}" for n in range(20)]
            requests = [{"type": kind, "id": "c", "room": room} for room in rooms for kind in ("join", "leave")]
            writer.write(b"".join(framed(json.dumps(request).encode()) for request in requests))
            await reader.readuntil(f'"left","re":"c","room":"{rooms[-1]}"'.encode())

    await asyncio.gather(*(one(number, *stream) for number, stream in enumerate(streams)))
    close(streams)
    await gone(child)
    return count * PER_ROOM


async def rooms(child: Child, count: int) -> int:
    """Many rooms with one member and one message each."""
    each = DEFAULTS.rooms_per_conn
    names = [f"room-{number}" for number in range(count)]
    streams = []
    for start in range(0, count, each):
        some = names[start : start + each]
        sends = ({"type": "send", "room": room, "text": "hello"} for room in some)
        streams += await shaken(child, 1, requests=(*joins(*some), *sends))
        await streams[-1][0].readuntil(f'"sent","re":"r","room":"{some[-1]}"'.encode())
    close(streams)
    await gone(child)
    return count * PER_ROOM + len(streams) * PER_IDLE


SMALL_QUEUE, MOST = 256 * KIB, 300
FREE = ("--limit", "frames.rate=100000", "--limit", "frames.burst=100000", "--limit", "messages.count=100000")
ATTACKS: dict[str, Attack] = {
    "idle": Attack(idle, 10_000, 500),
    "handshakes": Attack(handshakes, 500, 100),
    "half_open": Attack(
        half_open, 500, 50, ("--limit", "hello_ms=1000", "--heartbeat-interval", "1", "--heartbeat-timeout", "1")
    ),
    "sleepers": Attack(sleepers, 40, 3, (*FREE, "--limit", f"queue_bytes={SMALL_QUEUE}")),
    "requests": Attack(requests, 20, 3),
    "pings": Attack(pings, 20, 3),
    "fragments": Attack(fragments, 50, 5),
    "bombs": Attack(bombs, 50, 5, ("--compression",)),
    "connections": Attack(connections, 10_000, 600, ("--max-connections", str(MOST))),
    "churn": Attack(churn, 20_000, 1_000, FREE),
    "rooms": Attack(rooms, 20_000, 512, FREE),
}


async def attack(name: str, size: int, worst_ms: float) -> dict[str, Any]:
    """Run one and return its figures. Raises Broken."""
    watch = await asyncio.to_thread(Watch)
    try:
        return await _watched(name, size, worst_ms, watch)
    except (Broken, Bug, RuntimeError) as broken:
        raise Broken(f"{name}: {broken}") from None
    finally:
        await asyncio.to_thread(watch.close)


async def _watched(name: str, size: int, worst_ms: float, watch: Watch) -> dict[str, Any]:
    chosen = ATTACKS[name]
    with await asyncio.to_thread(Child, *chosen.options) as child:
        await asyncio.to_thread(watch.start, child.port)
        await asyncio.to_thread(child.metrics)
        before, cpu, began = child.rss, child.cpu, time.monotonic()
        child.reset_peak()
        bound = await chosen.run(child, size) + BASE
        seconds = time.monotonic() - began
        await asyncio.sleep(max(0.0, 1 - seconds))  # a percentile needs messages
        others = await asyncio.to_thread(watch.stop)
        grown = child.peak - before
        figures = {
            "size": size, "seconds": round(seconds, 1), "cpu_seconds": round(child.cpu - cpu, 2),
            "growth_bytes": grown, "bound_bytes": bound, "others": others, "worst_bound_ms": worst_ms,
            "options": " ".join(chosen.options),
        }  # fmt: skip
        if grown > bound:
            raise Broken(f"memory grew by {grown} bytes, at most {bound} are explained")
        if others["p99_ms"] > worst_ms:
            raise Broken(f"a message took the others {others['p99_ms']} ms (99th percentile)")
        if troubles := child.troubles():
            raise Broken(f"{len(troubles)} errors in the log: {troubles[0][:300]}")
        return figures


async def run(names: list[str], *, short: bool) -> dict[str, Any]:
    """Run the attacks, one at a time unless ``short``. Raises Broken."""
    figures: dict[str, Any] = {}
    places = asyncio.Semaphore(3 if short else 1)

    async def one(name: str) -> None:
        async with places:
            chosen = ATTACKS[name]
            # Three at a time on a machine that others share say little about a server's latency.
            size, worst_ms = (chosen.short, 5 * WORST_MS) if short else (chosen.long, WORST_MS)
            figures[name] = await attack(name, size, worst_ms)
            if not short:
                print(name, json.dumps(figures[name]), file=sys.stderr)

    try:
        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(one(name))
    except* Broken as broken:
        raise broken.exceptions[0] from None
    return figures


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small numbers")
    parser.add_argument("--only", default=",".join(ATTACKS), help="names, commas between")
    write_options(parser, "abuse")
    options = parser.parse_args()
    try:
        figures = asyncio.run(run(options.only.split(","), short=options.short))
    except Broken as broken:
        print(f"abuse: {broken}", file=sys.stderr)
        return 1
    keep(options, {"attacks": figures})
    print(json.dumps({"attacks": figures}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
