"""A chat server in thirty lines: who joins a room hears what is said there."""

import asyncio
import json
import os

from websockets.asyncio.server import ServerConnection, broadcast, serve

rooms: dict[str, set[ServerConnection]] = {}


async def client(socket: ServerConnection) -> None:
    room, name = "", ""
    async for frame in socket:
        try:
            message = json.loads(frame)
        except ValueError:
            continue
        if message["type"] == "join":
            room, name = message["room"], message["name"]
            rooms.setdefault(room, set()).add(socket)
            await socket.send(json.dumps({"type": "joined", "room": room}))
        elif message["type"] == "chat":
            said = {"type": "chat", "room": room, "name": name, "text": message["text"]}
            broadcast(rooms.get(room, ()), json.dumps(said))
    rooms.get(room, set()).discard(socket)


async def main() -> None:
    async with serve(client, "127.0.0.1", int(os.environ.get("PORT", "9000"))):
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main())
