"""Kill the server again and again under load, and compare what its clients were told with what comes back.

A server with the durable store is started, clients in several rooms send as fast as it lets them, with retries
after every loss, and after a random time the process gets SIGKILL. The next one goes on with the same file.
What must hold over all kills: MSG-3, MSG-9, MSG-18, HIST-10 and AUTH-12. It knows the server only by its start
hook and its wire, and everything is judged from what the clients saw.

    python -m tools.durability.kill --kills 30          # the long form; writes docs/results/kill.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tools.support.results import keep, write_options

# A quota out of the way, and histories long enough to compare everything with at the end.
SETTINGS = {
    "store": "sqlite",
    "history": 100_000,
    "messages": {"count": 10_000},
    "frames": {"rate": 100_000, "burst": 100_000},
    "server_frame_bytes": 100_000_000,
    "queue_bytes": 100_000_000,
    "conns_per_user": 100,
}
Place = tuple[str, str, int]  # room, epoch, seq


@dataclass(slots=True)
class Ledger:
    """All that the clients saw, and what was wrong with it."""

    epochs: dict[str, str] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)
    acknowledged: dict[str, Place] = field(default_factory=dict)  # by text: each is sent under one mid only
    retries: int = 0
    retries_known: int = 0
    faults: list[str] = field(default_factory=list)

    def epoch(self, room: str, epoch: str) -> None:
        """An epoch that was named."""
        if self.epochs.setdefault(room, epoch) != epoch:
            self.faults.append(f"room {room}: epoch {epoch} after {self.epochs[room]}")

    def message(self, message: dict[str, Any]) -> None:
        """A message that was delivered or replayed."""
        self.epoch(message["room"], message["epoch"])
        place, text = (message["room"], message["epoch"], message["seq"]), message["text"]
        if self.texts.setdefault(place, text) != text:
            self.faults.append(f"{place} was {self.texts[place]!r} and is {text!r}")

    def sent(self, text: str, reply: dict[str, Any]) -> None:
        """An acknowledgement."""
        self.epoch(reply["room"], reply["epoch"])
        place = (reply["room"], reply["epoch"], reply["seq"])
        if self.acknowledged.setdefault(text, place) != place:
            self.faults.append(f"{text!r} was acknowledged as {self.acknowledged[text]} and as {place}")
        if self.texts.setdefault(place, text) != text:
            self.faults.append(f"{place} was seen as {self.texts[place]!r} and is acknowledged for {text!r}")

    def compare(self, room: str, stored: list[dict[str, Any]]) -> None:
        """The whole room as it is stored at the end."""
        if [message["seq"] for message in stored] != list(range(1, len(stored) + 1)):
            self.faults.append(f"room {room}: the numbers have holes")
        texts = [message["text"] for message in stored]
        self.faults += [f"{text!r} is stored twice" for text in {text for text in texts if texts.count(text) > 1}]
        there = {(room, message["epoch"], message["seq"]): message["text"] for message in stored}
        for place, text in self.texts.items():
            if place[0] == room and there.get(place) != text:
                self.faults.append(f"{place} was {text!r} and is {there.get(place)!r} at the end")
        for text, place in self.acknowledged.items():
            if place[0] == room and there.get(place) != text:
                self.faults.append(f"{text!r} was acknowledged as {place} and is missing")


class Chatter:
    """A guest in one room who sends one text after the other, each until it is acknowledged."""

    def __init__(self, name: str, room: str, ledger: Ledger) -> None:
        self.name, self.room, self.ledger = name, room, ledger
        self.id = self.token = ""
        self.number = 0
        self.attempts = 0

    async def run(self, url: str) -> None:
        """Live as long as the server does."""
        with suppress(OSError, WebSocketException, asyncio.TimeoutError):
            async with connect(url, ping_interval=None, max_size=None, close_timeout=0.1) as ws:
                await self._talk(ws)

    async def _talk(self, ws: ClientConnection) -> None:
        hello: dict[str, Any] = {"type": "hello", "id": "hello"}
        if self.token:
            hello["auth"] = {"scheme": "resume_guest", "token": self.token}
        welcome = await self._ask(ws, hello)
        if welcome["type"] != "welcome":
            self.ledger.faults.append(f"{self.name} is not known any more: {welcome}")
            return
        if self.id not in ("", welcome["user"]["id"]):
            self.ledger.faults.append(f"{self.name} was {self.id} and is {welcome['user']['id']}")
        self.id, self.token = welcome["user"]["id"], welcome["guest_token"]
        joined = await self._ask(ws, {"type": "join", "id": "join", "room": self.room, "history": 50})
        self.ledger.epoch(self.room, joined["epoch"])
        for message in joined["messages"]:
            self.ledger.message(message)
        while True:
            text = f"{self.name}, text {self.number}"
            request = {"type": "send", "id": f"s{self.number}", "room": self.room, "text": text}
            self.attempts += 1
            reply = await self._ask(ws, {**request, "mid": f"{self.name}-{self.number:06}"})
            if reply["type"] != "sent":
                self.ledger.faults.append(f"{text!r} was refused: {reply}")
                return
            self.ledger.sent(text, reply)
            if self.attempts > 1:
                self.ledger.retries += 1
                self.ledger.retries_known += reply["duplicate"]
            self.number, self.attempts = self.number + 1, 0

    async def _ask(self, ws: ClientConnection, request: dict[str, Any]) -> dict[str, Any]:
        await ws.send(json.dumps(request))
        while True:
            message: dict[str, Any] = json.loads(await asyncio.wait_for(ws.recv(), 20))
            if message["type"] == "message":
                self.ledger.message(message)
            elif message.get("re") == request["id"]:
                return message


async def start(state: Path) -> tuple[asyncio.subprocess.Process, str]:
    """A server on the store in that folder, and its URL."""
    environment = {"ROOMPROOF_STATE": str(state), "ROOMPROOF_SETTINGS": json.dumps(SETTINGS), "ROOMPROOF_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "roomproof_server.hook", env=os.environ | environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while line := await process.stdout.readline():
            if line.startswith(b"socket"):
                return process, line.split()[-1].decode()
    raise RuntimeError("the server did not start")


async def history(url: str, room: str) -> list[dict[str, Any]]:
    """All messages of a room."""
    ledger = Ledger()
    reader = Chatter("reader", room, ledger)
    async with connect(url, ping_interval=None, max_size=None) as ws:
        await reader._ask(ws, {"type": "hello", "id": "1"})
        await reader._ask(ws, {"type": "join", "id": "2", "room": room, "history": 0})
        messages: list[dict[str, Any]] = []
        while True:
            after = messages[-1]["seq"] if messages else 0
            page = await reader._ask(ws, {"type": "history", "id": "3", "room": room, "after": after, "limit": 100})
            messages += page["messages"]
            if not page["more"]:
                return messages


async def kill_repeatedly(
    state: Path, *, kills: int, rooms: int, clients: int, longest: float, seed: int
) -> tuple[Ledger, dict[str, Any]]:
    """The whole test: the ledger, whose ``faults`` should be empty, and the figures."""
    chance = random.Random(seed)
    ledger = Ledger()
    names = [f"room{n}" for n in range(rooms)]
    chatters = [Chatter(f"client{n:03}", names[n % rooms], ledger) for n in range(clients)]
    began = time.monotonic()
    for _ in range(kills):
        process, url = await start(state)
        talks = [asyncio.create_task(chatter.run(url)) for chatter in chatters]
        await asyncio.sleep(chance.uniform(0.05, longest))
        process.kill()
        await process.wait()
        await asyncio.gather(*talks)
    process, url = await start(state)
    try:
        for room in names:
            ledger.compare(room, await history(url, room))
    finally:
        process.terminate()
        await process.wait()
    return ledger, {
        "kills": kills,
        "rooms": rooms,
        "clients": clients,
        "seed": seed,
        "messages_seen": len(ledger.texts),
        "acknowledged": len(ledger.acknowledged),
        "retries": ledger.retries,
        "retries_that_were_stored_already": ledger.retries_known,
        "faults": ledger.faults[:20],
        "seconds": round(time.monotonic() - began, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; exit code 1 when anything was lost, doubled or renamed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--rooms", type=int, default=5)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--longest", type=float, default=1.5, help="seconds of load before a kill, at most")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    write_options(parser, "kill")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as state:
        ledger, figures = asyncio.run(
            kill_repeatedly(
                Path(state),
                kills=options.kills,
                rooms=options.rooms,
                clients=options.clients,
                longest=options.longest,
                seed=options.seed,
            )
        )
    keep(options, figures)
    print(json.dumps(figures, indent=2))
    return 1 if ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
