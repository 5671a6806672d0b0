"""A chat server on python-socketio, as a tutorial would have it: events with acknowledgements, rooms, a short history.

    ROOMPROOF_PORT=8123 python socketio_server.py

Knows nothing of the kit: it speaks what the example dialect `socketio` describes.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from typing import Any

import socketio
from aiohttp import web

KEPT = 50

sio = socketio.AsyncServer(async_mode="aiohttp", ping_interval=2, ping_timeout=2)
names: dict[str, str] = {}
past: dict[str, deque[dict[str, str]]] = defaultdict(lambda: deque(maxlen=KEPT))


@sio.event
async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str] | None) -> None:
    names[sid] = (auth or {}).get("name", sid)


@sio.event
async def join(sid: str, asked: dict[str, str]) -> dict[str, Any]:
    room = asked["room"]
    await sio.emit("joined", {"room": room, "name": names[sid]}, room=room)
    await sio.enter_room(sid, room)
    await sio.emit("history", {"room": room, "messages": list(past[room])}, to=sid)
    return {"ok": True}


@sio.event
async def leave(sid: str, asked: dict[str, str]) -> dict[str, Any]:
    await sio.leave_room(sid, asked["room"])
    return {"ok": True}


@sio.event
async def chat(sid: str, asked: dict[str, str]) -> dict[str, Any]:
    room = asked["room"]
    if room not in sio.rooms(sid):
        return {"ok": False, "error": "not_in_room"}
    said = {"room": room, "name": names[sid], "text": asked["text"]}
    past[room].append({"name": names[sid], "text": asked["text"]})
    await sio.emit("chat", said, room=room)
    return {"ok": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["ROOMPROOF_PORT"]), print=None)
