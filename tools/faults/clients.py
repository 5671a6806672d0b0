"""Clients that talk all the time, come back when they are sent away, and remember all they saw; and what that proves.

Each sends numbered texts with a mid and repeats one until it is acknowledged, on whichever node it is then.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from roomproof_protocol import SUBPROTOCOL

WAIT_S = 8.0  # for an answer


class Record:
    """What all clients saw."""

    def __init__(self) -> None:
        self.acked: dict[str, tuple[str, str, int, float]] = {}  # text -> room, epoch, seq, when
        self.names: dict[tuple[str, str, int], set[str]] = defaultdict(set)  # (room, epoch, seq) -> texts
        self.faults: list[str] = []
        self.refused = self.resets = self.reconnects = self.duplicates = 0


class Client:
    """One user in one room. ``urls``: the nodes; the first is where it begins."""

    def __init__(self, record: Record, name: str, room: str, urls: list[str], pause: float | None, size: int) -> None:
        self.record, self.name, self.room, self.urls, self.pause, self.size = record, name, room, urls, pause, size
        self.seen: dict[str, float] = {}  # text -> when, the first time
        self.position: tuple[str, int] | None = None
        self.told = False  # that something may be missing
        self._numbers = itertools.count(1)
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._token: str | None = None
        self._ws: Any = None
        self._open = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Until cancelled: connected, joined, and sending."""
        sender = asyncio.create_task(self._send_all()) if self.pause else None
        try:
            for turn in itertools.count():
                with suppress(OSError, WebSocketException, TimeoutError, asyncio.IncompleteReadError):
                    await self._session(self.urls[turn % len(self.urls)])
                self._open.clear()
                self._fail()
                self.record.reconnects += 1
                await asyncio.sleep(random.uniform(0.05, 0.4))
        finally:
            if sender is not None:
                sender.cancel()

    async def _session(self, url: str) -> None:
        async with connect(
            url, subprotocols=[Subprotocol(SUBPROTOCOL)], ping_interval=None, open_timeout=3,
            close_timeout=1, max_size=2**21, compression=None, proxy=None,
        ) as self._ws:  # fmt: skip
            reader = asyncio.create_task(self._read())
            beat = asyncio.create_task(self._beat())
            try:
                auth = {"auth": {"scheme": "resume_guest", "token": self._token}} if self._token else {}
                welcome = await self._ask("hello", name=self.name, **auth)
                if welcome["type"] != "welcome":
                    if welcome.get("code") == "token_expired":
                        self._token = None  # the engine came back empty: another guest
                    return
                self._token = welcome["guest_token"]
                await self._join()
                self._open.set()
                await reader
            finally:
                reader.cancel()
                beat.cancel()
                with suppress(asyncio.CancelledError, WebSocketException, OSError, TimeoutError):
                    await reader

    async def _beat(self) -> None:
        """A node that does not answer is left, as a client with a heartbeat of its own would."""
        while True:
            await asyncio.sleep(2)
            if (await self._ask("ping"))["type"] == "lost":
                self._ws.transport.abort()

    async def _join(self) -> None:
        while True:
            after = {"after": {"epoch": self.position[0], "seq": self.position[1]}} if self.position else {}
            joined = await self._ask("join", room=self.room, **after)
            if joined["type"] == "joined":
                return
            if joined["type"] == "lost":
                self._ws.transport.abort()
                return
            self.record.refused += 1
            await asyncio.sleep(0.3)

    def _took(self, joined: dict[str, Any]) -> None:
        """A join was answered, before anything that follows it is looked at."""
        if self.position is not None and not joined["recovered"]:
            self.told = True
        before = self.position
        self.position = None
        for message in joined["messages"]:
            self._message(message, replayed=True)
        head = joined["head"]
        if joined["recovered"] and before is not None and len(joined["messages"]) != head - before[1]:
            self.record.faults.append(
                f"{self.name}: recovered from {before} with {len(joined['messages'])} up to {head}"
            )
        self.position = (joined["epoch"], head)

    async def _read(self) -> None:
        async for frame in self._ws:
            message = json.loads(frame)
            kind = message["type"]
            if kind == "message":
                self._message(message)
            elif kind == "reset":
                self.record.resets += 1
                self.told = True
                self._later = asyncio.create_task(self._join())
            elif kind == "joined":
                self._took(message)
            if (re := message.get("re")) in self._replies:
                self._replies.pop(re).set_result(message)

    def _message(self, message: dict[str, Any], *, replayed: bool = False) -> None:
        epoch, seq, text = message["epoch"], message["seq"], message["text"]
        self.record.names[self.room, epoch, seq].add(text)
        if self.position is not None and (epoch, seq) != (self.position[0], self.position[1] + 1):
            self.record.faults.append(f"{self.name}: after {self.position} came {epoch} {seq}")
        self.position = (epoch, seq) if not replayed else self.position
        if text in self.seen and not replayed:
            self.record.duplicates += 1
        self.seen.setdefault(text, time.monotonic())

    async def _ask(self, kind: str, **members: Any) -> dict[str, Any]:
        number = f"q{next(self._numbers)}"
        self._replies[number] = future = asyncio.get_running_loop().create_future()
        try:
            await self._ws.send(json.dumps({"type": kind, "id": number, **members}))
            return await asyncio.wait_for(future, WAIT_S)
        except (TimeoutError, OSError, WebSocketException):
            self._replies.pop(number, None)
            return {"type": "lost"}

    def _fail(self) -> None:
        replies, self._replies = self._replies, {}
        for future in replies.values():
            if not future.done():
                future.set_result({"type": "lost"})

    async def _send_all(self) -> None:
        assert self.pause is not None
        for number in itertools.count(1):
            await asyncio.sleep(random.uniform(0.5, 1.5) * self.pause)
            if self._stopping:
                await asyncio.sleep(3600)
            text = f"{self.name} {number} ".ljust(self.size, "x")
            while True:
                await self._open.wait()
                user = self._token
                sent = await self._ask("send", room=self.room, text=text, mid=f"{self.name}-{number:08}")
                if sent["type"] == "sent":
                    self.record.acked[text] = (self.room, sent["epoch"], sent["seq"], time.monotonic())
                    break
                self.record.refused += sent["type"] == "error"
                await asyncio.sleep(0.2)
                if self._token != user:
                    break  # another user now: the mid is another one, too

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping = True


def verdict(record: Record, clients: list[Client]) -> dict[str, Any]:
    """What was lost, said twice or named twice. A client that was told of a gap may miss what it missed."""
    lost, silent = 0, 0
    for text, (room, _, _, _) in record.acked.items():
        missed = [client for client in clients if client.room == room and text not in client.seen]
        lost += bool(missed)
        silent += any(not client.told for client in missed)
    placed: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
    for place, texts in record.names.items():
        for text in texts:
            placed[text].add(place)
    return {
        "acknowledged": len(record.acked),
        "lost": lost,
        "lost_unsaid": silent,
        "duplicated": sum(len(places) > 1 for places in placed.values()),
        "named_twice": sum(len(texts) > 1 for texts in record.names.values()),
        "out_of_order": len(record.faults),
        "refused": record.refused,
        "resets": record.resets,
        "reconnects": record.reconnects,
        "examples": record.faults[:3],
    }
