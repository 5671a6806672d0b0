"""Small chat servers, each with a way of its own, in the loop of the test."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, broadcast, serve

from roomproof_conformance.trying import probing

Handler = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers in the same process answer at once."""
    monkeypatch.setattr(probing, "PATIENCE", 0.1)
    monkeypatch.setattr(probing, "PACE", 0.01)


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncGenerator[str]:
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def json_rooms(join: str = "join", chat: str = "chat", text: str = "text", *, history: bool = False) -> Handler:
    """A server of rooms in JSON: `type` tells, the sender hears itself."""
    rooms: dict[str, set[ServerConnection]] = defaultdict(set)
    past: dict[str, list[dict[str, str]]] = defaultdict(list)

    async def client(socket: ServerConnection) -> None:
        room, name = "", ""
        async for frame in socket:
            try:
                asked = json.loads(frame)
            except ValueError:
                await socket.send(json.dumps({"type": "error", "reason": "not JSON"}))
                continue
            if asked.get("type") == join and "name" in asked:
                room, name = asked["room"], asked["name"]
                rooms[room].add(socket)
                await socket.send(json.dumps({"type": "joined", "room": room}))
                if history:
                    await socket.send(json.dumps({"type": "history", "room": room, "messages": past[room]}))
            elif asked.get("type") == chat and room and text in asked:
                past[room].append({"name": name, text: asked[text]})
                broadcast(rooms[room], json.dumps({"type": chat, "room": room, "name": name, text: asked[text]}))
            else:
                await socket.send(json.dumps({"type": "error", "reason": "what?"}))
        rooms[room].discard(socket)

    return client


def plain_text() -> Handler:
    """Everybody hears everybody, as `text` alone, but for who said it."""
    everybody: set[ServerConnection] = set()

    async def client(socket: ServerConnection) -> None:
        everybody.add(socket)
        async for frame in socket:
            if not str(frame).startswith("{"):
                broadcast(everybody - {socket}, f"somebody: {frame!s}")
        everybody.discard(socket)

    return client
