"""websockets, `await send()` for each member in turn."""

import asyncio
import json
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, serve

rooms: dict[str, set[ServerConnection]] = defaultdict(set)
numbers: dict[str, int] = defaultdict(int)


async def handler(websocket: ServerConnection) -> None:
    mine = set()
    try:
        async for frame in websocket:
            request = json.loads(frame)
            room = request["room"]
            if request["type"] == "join":
                rooms[room].add(websocket)
                mine.add(room)
                await websocket.send(json.dumps({"type": "joined", "room": room}, separators=(",", ":")))
                continue
            numbers[room] += 1
            message = {"type": "message", "room": room, "seq": numbers[room], "text": request["text"]}
            data = json.dumps(message, separators=(",", ":"))
            for member in list(rooms[room]):
                await member.send(data)
    finally:
        for room in mine:
            rooms[room].discard(websocket)


async def main() -> None:
    async with serve(handler, "127.0.0.1", 0, compression=None, backlog=4096) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
