"""websockets with its `broadcast()`, as its documentation has it for many recipients."""

import asyncio
import json
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, broadcast, serve

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
            broadcast(rooms[room], json.dumps(message, separators=(",", ":")))
    finally:
        for room in mine:
            rooms[room].discard(websocket)


async def main() -> None:
    async with serve(handler, "127.0.0.1", 0, compression=None, backlog=4096) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
