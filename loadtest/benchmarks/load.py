"""The load generator in Python, for machines without a C compiler: the arguments and the talk of `c/load.c`.

It takes some ten times the processor time of the other: what it reports of busy rooms is partly its own queue. It
knows roomproof and the peers' plain protocol, and the commands ``run``, ``idle`` and ``quit``.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import struct
import sys
import time

REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


class Client:
    """One connection, joined to one room."""

    def __init__(self, port: int, dialect: str, path: str, room: int) -> None:
        self.room, self.native, self.part = room, dialect == "roomproof", b""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        more = "Sec-WebSocket-Protocol: roomproof.v1\r\n" if self.native else ""
        self.socket.sendall(REQUEST.format(path=path, more=more).encode())
        while b"\r\n\r\n" not in self.part:
            self.part += self.socket.recv(4096)
        if b" 101 " not in self.part.partition(b"\r\n")[0]:
            raise SystemExit(self.part.decode(errors="replace"))
        self.part = self.part.partition(b"\r\n\r\n")[2]
        requests: list[dict[str, object]] = [{"type": "hello", "id": "h"}] if self.native else []
        requests.append({"type": "join", "room": f"r{room}", **({"id": "j", "history": 0} if self.native else {})})
        for request in requests:
            self.say(json.dumps(request).encode())
            while not self.read():
                pass

    def say(self, data: bytes, opcode: int = 1) -> None:
        """A masked frame; the mask is zeros."""
        size = struct.pack("!B", 128 + len(data)) if len(data) < 126 else struct.pack("!BH", 254, len(data))
        self.socket.sendall(bytes([128 | opcode]) + size + bytes(4) + data)

    def read(self) -> list[bytes]:
        """The whole text frames among what is there; waits for some bytes."""
        came = self.socket.recv(65536)
        if not came:
            raise SystemExit("the server closed a connection")
        data, at, frames = self.part + came, 0, []
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : start])
            if len(data) < start + size:
                break
            payload, at, opcode = data[start : start + size], start + size, data[at] & 15
            if opcode == 1:
                frames.append(payload)
            elif opcode == 9:
                self.say(payload, 10)
        self.part = data[at:]
        return frames


def rank(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)] if values else 0.0


def latency(values: list[float]) -> dict[str, float]:
    return {"n": len(values), "p50": rank(values, 0.5), "p99": rank(values, 0.99), "p999": rank(values, 0.999),
            "max": max(values, default=0.0)}  # fmt: skip


class Load:
    """All clients, and what they have counted."""

    def __init__(self, port: int, dialect: str, path: str, *numbers: int) -> None:
        self.groups, self.members, each, idle, deaf, self.senders, self.size = numbers
        if each != 1 or idle or deaf or dialect == "socketio":
            raise SystemExit("this load generator knows plain rooms only: install a C compiler")
        self.clients = [Client(port, dialect, path, n // self.members) for n in range(self.groups * self.members)]
        self.by_file = {client.socket.fileno(): client for client in self.clients}
        self.poll = select.epoll()
        for file in self.by_file:
            self.poll.register(file, select.EPOLLIN)

    def run(self, rate: float, seconds: float, warmup: float) -> None:
        self.start = time.monotonic()
        self.begin, self.end = self.start + warmup, self.start + warmup + seconds
        self.counts = dict.fromkeys(("sent", "refused", "acked", "delivered", "in_window"), 0)
        self.deliveries: list[float] = []
        self.acks: list[float] = []
        began = False
        for number in range(int(rate * (warmup + seconds))):
            due = self.start + number / rate
            while (now := time.monotonic()) < due:
                self.serve(due - now)
            if not began and now >= self.begin:
                print("begin", flush=True)
                began = True
            room, turn = number % self.groups, number // self.groups
            self.send(self.clients[room * self.members + turn % self.senders], due, number)
        while (now := time.monotonic()) < self.end:
            self.serve(self.end - now)
        print("end", flush=True)
        while time.monotonic() < self.end + 20 and self.counts["delivered"] < self.expected:
            self.serve(0.1)
        self.report(time.monotonic() - self.begin if seconds == 0 else seconds)

    @property
    def expected(self) -> int:
        return (self.counts["sent"] - self.counts["refused"]) * self.members

    def send(self, client: Client, due: float, number: int) -> None:
        message = {"type": "send", "room": f"r{client.room}", "text": f"{due:.9f} ".ljust(self.size, "x")}
        if client.native:
            message |= {"id": f"{due:.9f}", "mid": f"m{number:015}"}
        client.say(json.dumps(message).encode())
        self.counts["sent"] += 1

    def serve(self, wait: float) -> None:
        for file, _ in self.poll.poll(wait):
            for frame in self.by_file[file].read():
                self.take(json.loads(frame), time.monotonic())

    def take(self, message: dict[str, str], now: float) -> None:
        kind = message["type"]
        if kind not in ("message", "sent", "error"):
            return
        self.counts[{"message": "delivered", "sent": "acked", "error": "refused"}[kind]] += 1
        if kind == "error":
            return
        self.counts["in_window"] += kind == "message" and self.begin <= now < self.end
        due = float(message["text"].split()[0] if kind == "message" else message["re"])
        if self.begin <= due < self.end:
            (self.deliveries if kind == "message" else self.acks).append((now - due) * 1000)

    def report(self, seconds: float) -> None:
        figures = {**self.counts, "expected": self.expected, "closed": 0, "disorder": 0, "seconds": seconds,
                   "latency": latency(self.deliveries), "ack": latency(self.acks)}  # fmt: skip
        print("result", json.dumps(figures), flush=True)


def main(arguments: list[str]) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began = time.monotonic()
    load = Load(int(arguments[0]), arguments[1], arguments[2], *map(int, arguments[3:]))
    print("ready", json.dumps({"clients": len(load.clients), "seconds": time.monotonic() - began}), flush=True)
    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "run":
            load.run(*map(float, numbers))
        elif command == "idle":
            load.run(0, float(numbers[0]), 0)
        else:
            return


if __name__ == "__main__":
    main(sys.argv[1:])
