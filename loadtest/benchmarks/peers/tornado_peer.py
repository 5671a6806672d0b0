"""Tornado: `write_message()` for each member."""

import asyncio
import json
from collections import defaultdict
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

rooms: dict[str, set["Handler"]] = defaultdict(set)
numbers: dict[str, int] = defaultdict(int)


class Handler(WebSocketHandler):
    def open(self, *_: Any, **__: Any) -> None:
        self.set_nodelay(True)
        self.mine: set[str] = set()

    def on_message(self, frame: str | bytes) -> None:
        request = json.loads(frame)
        room = request["room"]
        if request["type"] == "join":
            rooms[room].add(self)
            self.mine.add(room)
            self.write_message(json.dumps({"type": "joined", "room": room}, separators=(",", ":")))
            return
        numbers[room] += 1
        message = {"type": "message", "room": room, "seq": numbers[room], "text": request["text"]}
        data = json.dumps(message, separators=(",", ":"))
        for member in list(rooms[room]):
            try:
                member.write_message(data)
            except WebSocketClosedError:
                rooms[room].discard(member)

    def on_close(self) -> None:
        for room in self.mine:
            rooms[room].discard(self)


async def main() -> None:
    app = Application(
        [("/", Handler)], websocket_ping_interval=20, websocket_ping_timeout=20, log_function=lambda _: None
    )
    listening = bind_sockets(0, "127.0.0.1", backlog=4096)
    HTTPServer(app).add_sockets(listening)
    print(listening[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
