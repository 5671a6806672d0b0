"""Short conversations with the reference server, recorded as transcripts for the drawings of the protocol pages.

python -m tools.docs.record    # plays all of them again; then `make generate` draws them

Played by hand, one step after the other, and not by the kit: its own conversations prove something and are too long to
be read. Ids, tokens and times are those that the server gave; a second recording differs from the first in them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from websockets.sync.client import ClientConnection, connect

from roomproof_conformance.transcript import Transcript, payload_fields
from roomproof_protocol import ENDPOINT
from tools import ROOT
from tools.support.child import Child

FOLDER = ROOT / "docs" / "protocol" / "transcripts"
PATIENCE = 5.0


class Stage:
    """A server's address, and the transcript of what is played before it."""

    def __init__(self, url: str) -> None:
        self.url, self.transcript, self._began = url, Transcript(), time.monotonic()
        self.note("", "case", format=2, checks=[], target="reference", dialect="roomproof.v1")

    def note(self, conn: str, kind: Any, /, **data: Any) -> int:
        return self.transcript.add(time.monotonic() - self._began, conn, kind, **data).index

    def actor(self, name: str) -> Actor:
        return Actor(self, name)


class Actor:
    """One connection: says requests, and reads until what it was told to wait for has come."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage, self.name = stage, name
        self._unasked: list[dict[str, Any]] = []  # came, and was not waited for yet
        stage.note(name, "open", url="/ws")
        self._socket: ClientConnection = connect(stage.url, subprotocols=["roomproof.v1"], open_timeout=PATIENCE)  # type: ignore[list-item]  # a NewType of str
        stage.note(name, "handshake", status=101)

    def say(self, **request: Any) -> None:
        """Send a request, and wait for nothing."""
        text = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
        self.stage.note(self.name, "op", op=request["type"], args=request)
        self.stage.note(self.name, "sent", opcode=1, fin=True, masked=True, **payload_fields(text.encode()))
        self._socket.send(text)

    def hears(self, *types: str) -> dict[str, Any]:
        """Read what comes until the last of these types came; the message of that type."""
        message: dict[str, Any] = {}
        for wanted in types:
            while all(message["type"] != wanted for message in self._unasked):
                self._unasked.append(self._read())
            message = next(message for message in self._unasked if message["type"] == wanted)
            self._unasked.remove(message)
        return message

    def lost(self) -> None:
        """The network takes the connection away."""
        self.stage.note(self.name, "end", how="reset", by="kit")
        self._socket.socket.close()

    def quiet(self) -> None:
        """Leave without a line in the transcript."""
        self._socket.close()

    def _read(self) -> dict[str, Any]:
        text = self._socket.recv(timeout=PATIENCE)
        message: dict[str, Any] = json.loads(text)
        frame = self.stage.note(self.name, "received", opcode=1, fin=True, **payload_fields(str(text).encode()))
        self.stage.note(self.name, "event", frame=frame, kind=message["type"], fields=message)
        return message


def first_words(stage: Stage) -> None:
    """hello and join in one go; then what one says, the other hears."""
    zoe = stage.actor("zoe")
    zoe.say(type="hello", id="1", name="Zoë")
    zoe.say(type="join", id="2", room="lobby")
    zoe.hears("welcome", "joined")
    bob = stage.actor("bob")
    bob.say(type="hello", id="1", name="Bob")
    bob.say(type="join", id="2", room="lobby")
    bob.hears("welcome", "joined")
    zoe.hears("presence_event")
    zoe.say(type="send", id="3", room="lobby", text="hello", mid="k3v9-0001")
    zoe.hears("sent", "message")
    bob.hears("message")
    bob.quiet()
    zoe.quiet()


def resume(stage: Stage) -> None:
    """A connection is lost, two messages are missed, and the next join brings them."""
    zoe, bob = stage.actor("zoe"), stage.actor("bob")
    for actor, name in ((zoe, "Zoë"), (bob, "Bob")):
        actor.say(type="hello", id="1", name=name)
        actor.say(type="join", id="2", room="tea", history=0)
    token = zoe.hears("welcome")["guest_token"]
    place = zoe.hears("joined")
    bob.hears("welcome", "joined")
    zoe.lost()
    for number in ("one", "two"):
        bob.say(type="send", id=number, room="tea", text=number)
        bob.hears("message")
    zoe = stage.actor("zoe 2")
    zoe.say(type="hello", id="1", auth={"scheme": "resume_guest", "token": token})
    zoe.say(type="join", id="2", room="tea", after={"epoch": place["epoch"], "seq": place["head"]})
    zoe.hears("welcome", "joined")
    zoe.quiet()
    bob.quiet()


def retry(stage: Stage) -> None:
    """The connection is lost before the answer; the same mid gets the same number, and nobody hears it twice."""
    zoe, bob = stage.actor("zoe"), stage.actor("bob")
    for actor, name in ((zoe, "Zoë"), (bob, "Bob")):
        actor.say(type="hello", id="1", name=name)
        actor.say(type="join", id="2", room="den", history=0)
    token = zoe.hears("welcome")["guest_token"]
    zoe.hears("joined")
    bob.hears("welcome", "joined")
    zoe.say(type="send", id="3", room="den", text="once", mid="k3v9-0002")
    bob.hears("message")
    zoe.lost()
    zoe = stage.actor("zoe 2")
    zoe.say(type="hello", id="1", auth={"scheme": "resume_guest", "token": token})
    zoe.say(type="join", id="2", room="den")
    zoe.hears("welcome", "joined")
    zoe.say(type="send", id="3", room="den", text="once", mid="k3v9-0002")
    zoe.hears("sent")
    zoe.quiet()
    bob.quiet()


def rate_limit(stage: Stage) -> None:
    """Six at once: five are admitted, the sixth is told how long to wait, and is admitted then."""
    zoe = stage.actor("zoe")
    zoe.say(type="hello", id="1", name="Zoë")
    zoe.say(type="join", id="2", room="rush", history=0)
    zoe.hears("welcome", "joined")
    for number in range(1, 7):
        zoe.say(type="send", id=f"s{number}", room="rush", text=f"{number}", mid=f"k3v9-100{number}")
    wait = zoe.hears("error")["retry_after_ms"]
    zoe.hears("message")
    stage.note("", "mark", name=f"{wait + 25} ms later")
    time.sleep((wait + 25) / 1000)
    zoe.say(type="send", id="s7", room="rush", text="6", mid="k3v9-1006")
    zoe.hears("sent", "message")
    zoe.quiet()


CONVERSATIONS: dict[str, Callable[[Stage], None]] = {
    "first-words": first_words,
    "resume": resume,
    "retry": retry,
    "rate-limit": rate_limit,
}


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Child() as server:
        for name, play in CONVERSATIONS.items():
            stage = Stage(f"ws://127.0.0.1:{server.port}{ENDPOINT}")
            play(stage)
            lines = (json.dumps(record.as_json(), separators=(",", ":")) for record in stage.transcript)
            (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
            print(f"{name}: {len(stage.transcript)} records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
