"""picows on uvloop: `send()` for each member, from within the frame callback."""

import json
from collections import defaultdict

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

rooms: dict[str, set[WSTransport]] = defaultdict(set)
numbers: dict[str, int] = defaultdict(int)


class Listener(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        self.mine: set[str] = set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE or frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        if frame.msg_type != WSMsgType.TEXT:
            return
        request = json.loads(frame.get_payload_as_bytes())
        room = request["room"]
        if request["type"] == "join":
            rooms[room].add(transport)
            self.mine.add(room)
            answer = json.dumps({"type": "joined", "room": room}, separators=(",", ":"))
            transport.send(WSMsgType.TEXT, answer.encode())
            return
        numbers[room] += 1
        message = {"type": "message", "room": room, "seq": numbers[room], "text": request["text"]}
        data = json.dumps(message, separators=(",", ":")).encode()
        for member in rooms[room]:
            member.send(WSMsgType.TEXT, data)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        for room in self.mine:
            rooms[room].discard(transport)


def listener(request: WSUpgradeRequest) -> WSListener:
    return Listener()


async def main() -> None:
    server = await ws_create_server(
        listener, "127.0.0.1", 0, backlog=4096, enable_auto_ping=True, auto_ping_idle_timeout=20,
        auto_ping_reply_timeout=20,
    )  # fmt: skip
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main())
