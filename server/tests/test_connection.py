"""What needs a socket: frames, closes, heartbeats, slow readers. One sentence or two a test."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from roomproof_server.engine.base import Member, Stored

USERS = itertools.count()
HELLO = b'{"type":"hello","id":"h"}'


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def text(data: bytes | dict[str, Any], *, fin: bool = True) -> bytes:
    return frame(Opcode.TEXT, data if isinstance(data, bytes) else json.dumps(data).encode(), fin=fin)


def close(code: int) -> bytes:
    return frame(Opcode.CLOSE, struct.pack("!H", code))


async def frames(reader: asyncio.StreamReader) -> list[tuple[int, bytes]]:
    """Every frame until the end of the stream, a reset included."""
    found: list[tuple[int, bytes]] = []
    try:
        async with asyncio.timeout(10):
            while True:
                head, length = await reader.readexactly(2)
                if length == 126:
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                elif length == 127:
                    (length,) = struct.unpack("!Q", await reader.readexactly(8))
                found.append((head & 15, await reader.readexactly(length)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return found


def close_of(found: list[tuple[int, bytes]]) -> tuple[int, str]:
    """The code and reason of the Close, which must be the last frame and the only one of its kind."""
    assert [opcode for opcode, _ in found].count(8) == 1, found
    opcode, data = found[-1]
    assert opcode == 8
    return struct.unpack("!H", data[:2])[0], data[2:].decode()


async def closed(client: Any) -> tuple[int, str]:
    """The close code and reason that a client saw, whatever came before."""
    try:
        async with asyncio.timeout(10):
            while True:
                await client.ws.recv()
    except ConnectionClosed as error:
        return (1006, "") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that shows nowhere but in the server; at most five seconds."""
    for _ in range(250):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


class TestFrames:
    async def test_a_message_of_exactly_the_limit_in_fragments_with_a_ping_between(self, node: Any) -> None:
        """ERR-8, LIMIT-1: the Ping does not count."""
        reader, writer = await (await node()).shaken()
        message = HELLO[:-1].ljust(16_383) + b"}"
        ping = frame(Opcode.PING, b"p" * 125)
        writer.write(text(message[:16_300], fin=False) + ping + frame(Opcode.CONT, message[16_300:16_380], fin=False))
        writer.write(ping + frame(Opcode.CONT, message[16_380:]) + close(1000))
        found = await frames(reader)
        assert sorted(opcode for opcode, _ in found) == [1, 8, 10, 10]
        assert {data for opcode, data in found if opcode == 10} == {b"p" * 125}
        assert close_of(found)[0] == 1000

    @pytest.mark.parametrize(
        "sent",
        [
            text(b" " * 16_385)[:8],  # the length alone
            text(b" " * 10_000, fin=False) + frame(Opcode.CONT, b" " * 6_385)[:8],
            text(b" " * 16_384, fin=False) + frame(Opcode.CONT, b" "),
            b"\x81\xff" + struct.pack("!Q", 2**40),
        ],
    )
    async def test_too_big(self, node: Any, sent: bytes) -> None:
        """ERR-8."""
        reader, writer = await (await node()).shaken()
        writer.write(text(HELLO) + sent)
        found = await frames(reader)
        assert len(found) == 2
        assert close_of(found)[0] == 1009

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            (frame(Opcode.TEXT, b'"\xff"'), 1007),
            (text(b'"\xc3', fin=False) + frame(Opcode.CONT, b'"'), 1007),
            (frame(Opcode.CONT, b"x"), 1002),
            (text(b"x", fin=False) + text(b"y"), 1002),
            (b"\xc1\x80aaaa", 1002),
            (b"\x83\x80aaaa", 1002),
            (b"\x81\x01x", 1002),
            (b"\x09\x80aaaa", 1002),
            (b"\x89\xfe\x00\x7eaaaa" + b"x" * 126, 1002),
            (frame(Opcode.CLOSE, b"x"), 1002),
            (close(1005), 1002),
            (frame(Opcode.CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
        ],
    )
    async def test_faults(self, node: Any, sent: bytes, code: int) -> None:
        """ERR-9, DISC-4; what came before the fault is still answered."""
        reader, writer = await (await node()).shaken()
        writer.write(text(HELLO) + sent)
        found = await frames(reader)
        assert found[0][0] == 1
        assert close_of(found)[0] == code

    async def test_characters_split_between_fragments_and_text_of_any_kind(self, node: Any) -> None:
        """MSG-17."""
        node = await node()
        reader, writer = await node.shaken()
        said = "\ufeff é\ufffe\U0001f600\u202e\t\n "
        request = json.dumps({"type": "send", "id": "s", "room": "r", "text": said}, ensure_ascii=False).encode()
        writer.write(text(HELLO) + text({"type": "join", "id": "j", "room": "r"}))
        for n, byte in enumerate(request):
            opcode = Opcode.CONT if n else Opcode.TEXT
            writer.write(frame(opcode, bytes([byte]), fin=n == len(request) - 1))
        writer.write(close(1000))
        told = [json.loads(data) for opcode, data in await frames(reader) if opcode == 1]
        assert [m["text"] for m in told if m["type"] == "message"] == [said]

    async def test_binary_and_errors_leave_the_connection(self, node: Any) -> None:
        """ERR-1, ERR-7, ERR-10."""
        client = await (await node()).guest("lobby")
        await client.ws.send(b"\x00")
        assert (await client.hear())["code"] == "unsupported_data"
        await client.ws.send("{")
        assert (await client.hear())["code"] == "invalid_json"
        assert (await client.ask("send", room="lobby", text="x"))["seq"] == 1

    async def test_ping_and_pong(self, node: Any) -> None:
        """BEAT-2."""
        client = await (await node()).guest()
        await asyncio.wait_for(await client.ws.ping(b"payload"), 1)
        assert (await client.ask("ping"))["type"] == "pong"


class TestClosing:
    @pytest.mark.parametrize("lagging", [False, True])
    async def test_what_came_before_the_close_takes_effect(self, node: Any, lagging: bool) -> None:
        """DISC-9, DISC-12, in one write with it, and the connection ends (DISC-1)."""
        node = await node(lagging=lagging)
        bob = await node.guest("lobby")
        reader, writer = await node.shaken()
        writer.write(text(HELLO) + text({"type": "join", "id": "j", "room": "lobby"}))
        writer.write(text({"type": "send", "id": "s", "room": "lobby", "text": "last"}) + close(4321))
        writer.write_eof()
        found = await frames(reader)
        assert close_of(found) == (4321, "")
        assert {json.loads(data)["type"] for opcode, data in found if opcode == 1} == {
            "welcome", "joined", "message", "sent",
        }  # fmt: skip
        assert (await bob.hear("message"))["text"] == "last"

    async def test_requests_wait_for_a_lagging_engine_in_order(self, node: Any) -> None:
        """CONN-10, CONN-11: and reading stops and goes on again."""
        client = await (await node(lagging=True)).guest("lobby")
        asked = [await client.say("presence", room="lobby") for _ in range(20)]
        asked += [await client.say("send", room="lobby", text="x"), await client.say("leave", room="lobby")]
        replies = [await client.hear() for _ in range(len(asked) + 1)]
        assert [m["re"] for m in replies if "re" in m] == asked

    async def test_an_engine_that_never_answers_does_not_hold_a_close_up(
        self, node: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """DISC-1."""
        node = await node()
        monkeypatch.setattr(node.server.engine, "join", lambda *args: None)
        reader, writer = await node.shaken()
        writer.write(text(HELLO) + text({"type": "join", "id": "j", "room": "lobby"}) + close(1000))
        begun = time.monotonic()
        assert close_of(await frames(reader)) == (1000, "")
        assert time.monotonic() - begun < 2

    async def test_presence_after_a_close(self, node: Any) -> None:
        """PRES-3: 1000 at once, 1001 after the grace, and a reset likewise (DISC-2, DISC-3)."""
        node = await node(presence_grace_ms=300)
        bob = await node.guest("lobby")
        for how, grace in ((1000, False), (1001, True), (None, True)):
            ann = await node.guest("lobby")
            assert (await bob.hear())["event"] == "join"
            begun = time.monotonic()
            if how is None:
                linger = struct.pack("ii", 1, 0)
                ann.ws.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                ann.ws.transport.abort()
            else:
                await ann.ws.close(how)
            assert (await bob.hear())["event"] == "leave"
            assert (time.monotonic() - begun >= 0.3) is grace

    async def test_hello_timeout(self, node: Any) -> None:
        """CONN-5."""
        client = await (await node(hello_ms=200)).client()
        begun = time.monotonic()
        assert await closed(client) == (4408, "hello_timeout")
        assert 0.2 <= time.monotonic() - begun < 2.2

    async def test_fatal_error_then_close(self, node: Any) -> None:
        """CONN-4, CONN-8: and the client need not answer the Close (DISC-11)."""
        reader, writer = await (await node(settings={"close_ms": 200})).shaken()
        writer.write(text({"type": "ping", "id": "p"}) + text(HELLO))
        found = await frames(reader)
        assert json.loads(found[0][1])["code"] == "unauthenticated"
        assert close_of(found) == (4401, "unauthenticated")
        assert len(found) == 2

    async def test_a_client_that_never_ends_its_half(self, node: Any) -> None:
        """DISC-1: our end comes at once, and nothing is left behind."""
        node = await node(settings={"linger_ms": 200})
        reader, writer = await node.shaken()
        writer.write(close(1000))
        assert close_of(await frames(reader)) == (1000, "")
        await until(lambda: not node.server.connections)

    async def test_stopping(self, node: Any) -> None:
        node = await node()
        client = await node.guest("lobby")
        idle = await node.raw()
        stop = asyncio.create_task(node.server.stop())
        assert await closed(client) == (1001, "going_away")
        await stop
        assert (await frames(idle[0]), node.server.connections) == ([], set())

    async def test_a_flood(self, node: Any) -> None:
        """RATE-12."""
        client = await (await node()).guest()
        for _ in range(600):
            await client.say("ping")
        code, reason = await closed(client)
        assert code == 4229
        assert reason.startswith("flood; retry_after_ms=")


class TestHeartbeat:
    async def test_pings_ticks_and_an_answering_client(self, node: Any) -> None:
        """BEAT-1, BEAT-3, BEAT-5 at the shortest I and T."""
        node = await node(beat=(1000, 1000))
        client = await node.guest()
        begun = time.monotonic()
        for _ in range(3):
            assert (await client.hear())["type"] == "tick"
        assert 2.4 <= time.monotonic() - begun <= 5

    async def test_a_client_that_ignores_pings(self, node: Any) -> None:
        """BEAT-4, DISC-11."""
        node = await node(beat=(1000, 1000))
        reader, writer = await node.shaken()
        writer.write(text(HELLO))
        begun = time.monotonic()
        found = await frames(reader)
        assert close_of(found) == (4001, "heartbeat_timeout")
        assert 9 in {opcode for opcode, _ in found}
        assert 1 <= time.monotonic() - begun <= 4


def sleeper(node: Any, *rooms: str) -> socket.socket:
    """A client that does not read, with as small a window as the kernel allows; `Node.stream` wakes it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", node.port))
    sock.sendall(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n" + text(HELLO)
    )
    for room in rooms:
        sock.sendall(text({"type": "join", "id": room, "room": room}))
    return sock


def fill(node: Any, room: str, count: int, size: int = 4096) -> None:
    """Messages of the largest size, past the quota: by way of the engine."""
    for _ in range(count):
        stored: list[Any] = []
        node.server.engine.publish(room, Member("x", f"guest:{next(USERS)}", "x"), '"' * size, None, stored.append)
        assert isinstance(stored[0], Stored)


class TestSlowReaders:
    async def test_a_client_that_does_not_read_is_cut_without_a_hole(self, node: Any) -> None:
        """DISC-7, DISC-8."""
        node = await node(settings={"linger_ms": 300}, queue_bytes=200_000)
        slow, bob = sleeper(node, "lobby"), await node.guest("lobby")
        await until(lambda: node.server.hub.room("lobby").size == 2)
        for seq in range(1, 301):
            fill(node, "lobby", 1)
            assert (await bob.hear("message"))["seq"] == seq
            await asyncio.sleep(0)
        await until(lambda: len(node.server.connections) == 1)
        reader, _ = await node.stream(slow)
        await reader.readuntil(b"\r\n\r\n")
        seqs = [
            json.loads(data)["seq"] for opcode, data in await frames(reader) if data.startswith(b'{"type":"message"')
        ]
        assert seqs == list(range(1, len(seqs) + 1))
        assert 0 < len(seqs) < 300

    async def test_joins_of_full_rooms_do_not_overflow_a_reader(self, node: Any) -> None:
        """DISC-10, LIMIT-8."""
        node = await node()
        rooms = [f"room{n}" for n in range(8)]
        for room in rooms:
            fill(node, room, 100)
        client = await node.guest()
        for room in rooms:
            await client.say("join", room=room)
        for room in rooms:
            joined = await client.hear("joined")
            assert (joined["room"], len(joined["messages"])) == (room, 100)

    async def test_a_slow_reader_with_requests_held_back_is_alive_as_long_as_it_reads(self, node: Any) -> None:
        """BEAT-4, BEAT-8: its frames lie unread, so its reading counts; when that ends too it is dead."""
        node = await node(beat=(1000, 1000), queue_bytes=100_000)
        fill(node, "lobby", 100)
        slow = sleeper(node, "lobby")
        for n in range(6):
            slow.sendall(text({"type": "join", "id": f"j{n}", "room": "lobby"}))
        reader, writer = await node.stream(slow)
        begun, got = time.monotonic(), 0
        while time.monotonic() - begun < 3.5:
            got += len(await asyncio.wait_for(reader.read(20_000), 5))
            await asyncio.sleep(0.05)
        assert len(node.server.connections) == 1
        writer.transport.pause_reading()
        begun = time.monotonic()
        await until(lambda: not node.server.connections)
        assert time.monotonic() - begun >= 1
