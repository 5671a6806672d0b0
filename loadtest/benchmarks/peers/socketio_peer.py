"""python-socketio on uvicorn with uvloop, its rooms and `emit()`; Engine.IO over WebSocket alone."""

import socket
from collections import defaultdict
from typing import Any

import socketio
import uvicorn

server = socketio.AsyncServer(async_mode="asgi", transports=["websocket"], ping_interval=20, http_compression=False)
numbers: dict[str, int] = defaultdict(int)


@server.on("join")
async def join(sid: str, request: dict[str, Any]) -> None:
    await server.enter_room(sid, request["room"])
    await server.emit("joined", {"room": request["room"]}, to=sid)


@server.on("send")
async def send(sid: str, request: dict[str, Any]) -> None:
    room = request["room"]
    numbers[room] += 1
    message = {"type": "message", "room": room, "seq": numbers[room], "text": request["text"]}
    await server.emit("message", message, room=room)


listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(
    socketio.ASGIApp(server), log_level="error", access_log=False, lifespan="off", loop="uvloop",
    ws="websockets-sansio", ws_per_message_deflate=False, ws_ping_interval=None,
)  # fmt: skip
uvicorn.Server(config).run(sockets=[listening])
