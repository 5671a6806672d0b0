"""permessage-deflate: negotiated only where it is on, compressed once, limits after inflation."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from roomproof_server.shell.deflate import Deflater
from roomproof_server.shell.wire import text_frame

ON = {"compression": True}


def inflate(frame: bytes) -> bytes:
    start = 2 if frame[1] < 126 else 4
    return zlib.decompressobj(wbits=-15).decompress(frame[start:] + b"\x00\x00\xff\xff")


def test_a_frame_is_compressed_once() -> None:
    deflate = Deflater(12)
    frame, short, noise = text_frame(b"hello " * 30), text_frame(b"hello"), text_frame(bytes(range(32, 127)))
    first = deflate(frame)
    assert first is deflate(frame)
    assert first[0] == 0xC1
    assert inflate(first) == b"hello " * 30
    assert len(first) < 30
    assert deflate(short) is short
    assert deflate(noise) is noise
    for number in range(20):
        deflate(text_frame(b"%d" % number * 100))
    assert deflate(frame) == first


async def test_room_with_compressing_and_plain_members(node: Any) -> None:
    """LIMIT-4: windows of two sizes and none at all get the same text."""
    node = await node(settings=ON)
    small = ClientPerMessageDeflateFactory(server_max_window_bits=9)
    members = [
        await node.guest("lobby", compression="deflate"),
        await node.guest("lobby", compression="deflate"),
        await node.guest("lobby", compression=None, extensions=[small]),
        await node.guest("lobby", compression=None),
    ]
    agreed = [member.ws.response.headers.get("Sec-WebSocket-Extensions", "") for member in members]
    assert ["server_no_context_takeover" in parameters for parameters in agreed] == [True, True, True, False]
    assert "server_max_window_bits=9" in agreed[2]
    text = "the same words again and again, " * 50
    await members[0].say("send", room="lobby", text=text)
    for member in members:
        assert (await member.hear("message"))["text"] == text
    await members[0].ws.close()
    await members[3].say("send", room="lobby", text=text)
    assert (await members[1].hear("message"))["seq"] == 2


async def test_off_unless_configured(node: Any) -> None:
    """LIMIT-4."""
    client = await (await node()).guest(compression="deflate")
    assert "Sec-WebSocket-Extensions" not in client.ws.response.headers


@pytest.mark.parametrize("fragments", [False, True])
async def test_the_limit_is_that_of_the_inflated_message(node: Any, fragments: bool) -> None:
    """ERR-8, LIMIT-1, LIMIT-4."""
    node = await node(settings=ON)
    for size, fine in ((16_384, True), (16_385, False), (50_000_000, False)):
        client = await node.guest(compression="deflate")
        message = json.dumps({"type": "ping", "id": "p"}).ljust(size)
        await client.ws.send([message[: size // 2], message[size // 2 :]] if fragments else message)
        if fine:
            assert (await client.hear())["type"] == "pong"
        else:
            await client.ws.wait_closed()
            assert client.ws.close_code == 1009


async def test_what_is_no_deflate(node: Any) -> None:
    """ERR-9."""
    client = await (await node(settings=ON)).guest(compression="deflate")
    frame = Frame(Opcode.TEXT, b"\xff\xff\xff\xff", rsv1=True)
    frame.check = lambda: None  # type: ignore[method-assign]  # what no library sends
    client.ws.transport.write(frame.serialize(mask=True))
    await client.ws.wait_closed()
    assert client.ws.close_code == 1002
