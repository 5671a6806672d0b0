"""Starlette on uvicorn, with uvloop and uvicorn's sans-I/O websockets protocol, its fastest one."""

import json
import socket
from collections import defaultdict

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

rooms: dict[str, set[WebSocket]] = defaultdict(set)
numbers: dict[str, int] = defaultdict(int)


async def handler(websocket: WebSocket) -> None:
    await websocket.accept()
    mine = set()
    try:
        while True:
            request = json.loads(await websocket.receive_text())
            room = request["room"]
            if request["type"] == "join":
                rooms[room].add(websocket)
                mine.add(room)
                await websocket.send_text(json.dumps({"type": "joined", "room": room}, separators=(",", ":")))
                continue
            numbers[room] += 1
            message = {"type": "message", "room": room, "seq": numbers[room], "text": request["text"]}
            data = json.dumps(message, separators=(",", ":"))
            for member in list(rooms[room]):
                await member.send_text(data)
    except WebSocketDisconnect:
        pass
    finally:
        for room in mine:
            rooms[room].discard(websocket)


app = Starlette(routes=[WebSocketRoute("/", handler)])
listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(
    app, log_level="error", access_log=False, lifespan="off", loop="uvloop", ws="websockets-sansio",
    ws_per_message_deflate=False, ws_ping_interval=20,
)  # fmt: skip
uvicorn.Server(config).run(sockets=[listening])
