"""A small chat server that is right for its first connections, and rude in one way to all that come later.

    python rude.py PORT MANNER POLITE      # or, as a start hook: python rude.py MANNER POLITE

Manners: flood, huge, never-closes, http-500, prints, mute. Knows nothing of the kit.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

HUGE = 100 * 2**20
PIECE = 256 * 2**10
PRINTED = 2 * 2**30
PAGE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\n\r\n<h1>500</h1>" + b"x" * 5000

rooms: dict[str, set[ServerConnection]] = defaultdict(set)
count = 0


async def drained(ws: ServerConnection) -> bool:
    while ws.transport.get_write_buffer_size() > 4 * PIECE and not ws.transport.is_closing():
        await asyncio.sleep(0.002)
    return not ws.transport.is_closing()


async def flood(ws: ServerConnection) -> None:
    frame = json.dumps({"type": "chat", "room": "nowhere", "name": "nobody", "text": "flood"}).encode()
    piece = (bytes([0x81, len(frame)]) + frame) * (PIECE // len(frame))
    while await drained(ws):
        ws.transport.write(piece)


async def huge(ws: ServerConnection) -> None:
    while await drained(ws):
        ws.transport.write(bytes([0x81, 127]) + struct.pack("!Q", HUGE))
        for _ in range(HUGE // PIECE):
            if not await drained(ws):
                return
            ws.transport.write(b"x" * PIECE)


async def http_500(ws: ServerConnection) -> None:
    ws.transport.write(PAGE)


def prints() -> None:
    for _ in range(PRINTED // PIECE):
        os.write(1, b"y" * PIECE)


async def chat(ws: ServerConnection, manner: str, polite: int) -> None:
    global count
    count += 1
    rude = count > polite
    extra = {"flood": flood, "huge": huge, "http-500": http_500}.get(manner) if rude else None
    doing = asyncio.create_task(extra(ws)) if extra else None
    try:
        async for text in ws:
            asked = json.loads(text)
            if manner == "mute" and rude:
                continue
            if asked["type"] == "join":
                rooms[asked["room"]].add(ws)
                await ws.send(json.dumps({"type": "joined", "room": asked["room"]}))
            else:
                for member in list(rooms[asked["room"]]):
                    member.transport.write(b"")
                    await member.send(json.dumps({**asked, "type": "chat"}))
    except (ConnectionClosed, ValueError, KeyError, TypeError):
        pass
    finally:
        for members in rooms.values():
            members.discard(ws)
        if manner == "never-closes" and rude:
            ws.transport.abort = lambda: None  # type: ignore[method-assign]  # it stays, whatever the library wants
            await asyncio.sleep(3600)
        if doing:
            doing.cancel()


async def main(port: int, manner: str, polite: int) -> None:
    def handler(ws: ServerConnection) -> object:
        return chat(ws, manner, polite)

    async with serve(handler, "127.0.0.1", port, ping_interval=None, close_timeout=3600):  # type: ignore[arg-type]
        if manner == "prints":
            await asyncio.to_thread(prints)
        await asyncio.Future()


if __name__ == "__main__":
    words = sys.argv[1:] if len(sys.argv) == 4 else [os.environ["ROOMPROOF_PORT"], *sys.argv[1:]]
    asyncio.run(main(int(words[0]), words[1], int(words[2])))
