"""aiohttp: `send_str()` for each member; it writes at once and is awaited only for its back-pressure."""

import asyncio
import json
import socket
from collections import defaultdict

from aiohttp import WSMsgType, web

rooms: dict[str, set[web.WebSocketResponse]] = defaultdict(set)
numbers: dict[str, int] = defaultdict(int)


async def handler(request: web.Request) -> web.WebSocketResponse:
    websocket = web.WebSocketResponse(compress=False, heartbeat=20)
    await websocket.prepare(request)
    mine = set()
    try:
        async for frame in websocket:
            if frame.type is not WSMsgType.TEXT:
                break
            wanted = json.loads(frame.data)
            room = wanted["room"]
            if wanted["type"] == "join":
                rooms[room].add(websocket)
                mine.add(room)
                await websocket.send_str(json.dumps({"type": "joined", "room": room}, separators=(",", ":")))
                continue
            numbers[room] += 1
            message = {"type": "message", "room": room, "seq": numbers[room], "text": wanted["text"]}
            data = json.dumps(message, separators=(",", ":"))
            for member in list(rooms[room]):
                await member.send_str(data)
    finally:
        for room in mine:
            rooms[room].discard(websocket)
    return websocket


async def main() -> None:
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listening, backlog=4096).start()
    print(listening.getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
