"""Mutated frames through decoding, schemas and the session rules, in every state a connection can be in.

No socket and no clock: a whole server's rules stand on a memory engine, time is a number. Each broken
invariant is a `Bug`, which names the seed and the frame so that it can be seen again.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from roomproof_protocol import CLOSES, Limits, ProtocolError, check_message, decode, is_identifier, parse_request
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Hub
from roomproof_server.rules.session import Session
from roomproof_server.settings import Settings
from tools.fuzz.mutations import Mutator

STATES = ("fresh", "identified", "joined", "full rooms", "congested", "late engine", "ending")
PER_EPISODE = 40
LEAKS = ("Traceback", ".py", "/home/", "object at 0x", "site-packages")
LATE = frozenset({"join", "leave", "publish", "page", "present", "new_guest", "find_guest"})


class Bug(Exception):
    """An invariant that did not hold."""


class Late:
    """An engine whose answers wait until `settle`, in order."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self.late = False
        self._waiting: list[Callable[[], Any]] = []

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._engine, name)
        if name not in LATE or not self.late:
            return operation
        return lambda *args, **kwargs: self._waiting.append(partial(operation, *args, **kwargs))

    def settle(self) -> None:
        while self._waiting:
            self._waiting.pop(0)()


class Peer:
    """The way out of one session, which checks what goes out."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.congested = self.apart = False
        self.gone = False  # ended by the client
        self.closed: int | None = None
        self.replies: list[dict[str, Any]] = []
        self.session = Session(house.hub, self, f"c{house.sessions}", house.ms)

    def send(self, frame: bytes) -> None:
        if self.closed is not None:
            raise Bug("a frame after the Close")
        text = frame.decode()
        message: dict[str, Any] = json.loads(text)
        if faults := check_message(message):
            raise Bug(f"what the server says is against its schema: {faults[0]}: {text[:200]}")
        if message["type"] == "error":
            if message["code"] == "internal":
                raise Bug("internal error")
            if any(leak in message["message"] for leak in LEAKS):
                raise Bug(f"an error tells too much: {message['message']}")
        if "re" in message:
            self.replies.append(message)

    def keep(self, frame: bytes) -> None:
        self.send(frame)

    @property
    def write(self) -> Callable[[bytes], object]:
        return self.send

    def flush(self) -> None:
        pass

    def owed(self, size: int) -> None:
        pass

    def welcomed(self) -> None:
        pass

    def wake(self) -> None:
        pass

    def resume(self) -> None:
        self.session.pump()

    def close(self, code: int, reason: str) -> None:
        if self.closed is not None:
            raise Bug("two Closes")
        if code not in CLOSES or len(reason.encode()) > 123:
            raise Bug(f"close {code} {reason!r} is not of the table")
        self.closed = code

    def ask(self, kind: str, **members: Any) -> dict[str, Any]:
        """A request as it should be, and its reply."""
        before = len(self.replies)
        self.session.receive(json.dumps({"type": kind, "id": "ask", **members}), self.house.ms)
        self.house.engine.settle()
        if len(self.replies) != before + 1:
            raise Bug(f"{kind} got {len(self.replies) - before} replies")
        return self.replies.pop()


class House:
    """A hub whose time is ``ms``."""

    def __init__(self) -> None:
        self.ms, self.sessions = 1e6, 0
        self.settings = Settings(limits=Limits.from_mapping({"rooms_per_conn": 8}))
        memory = MemoryEngine(self.settings.limits, now=lambda: self.ms, wall=self.wall)
        self.memory, self.engine = memory, Late(memory)
        engine: Any = self.engine
        self.hub = Hub(engine, self.settings, frame=bytes, wall=self.wall)

    def wall(self) -> int:
        return int(self.ms) + 1_700_000_000_000

    def peer(self, state: str) -> Peer:
        """A connection in this state."""
        self.sessions += 1
        peer = Peer(self)
        if state == "fresh":
            return peer
        if peer.ask("hello", name="Ann")["type"] != "welcome":
            raise Bug("no welcome")
        rooms = 8 if state == "full rooms" else 0 if state == "identified" else 2
        for room in ("lobby", "room", *(f"r{n}" for n in range(6)))[:rooms]:
            if peer.ask("join", room=room)["type"] != "joined":
                raise Bug("no joined")
        self.engine.late = state == "late engine"
        peer.congested = state == "congested"
        return peer


def fuzz(frames: int, seed: int, progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Feed that many frames and return the figures. Raises Bug, with what leads to it, at the first one."""
    logging.getLogger("roomproof").setLevel(logging.CRITICAL)
    chance = random.Random(seed)
    mutator = Mutator(chance)
    house = House()
    states: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    done = 0
    while done < frames:
        state = STATES[done // PER_EPISODE % len(STATES)]
        count = min(PER_EPISODE, frames - done)
        batch = [mutator.frame() for _ in range(count)]
        # A connection without hello lives for one frame.
        for part in [[frame] for frame in batch] if state == "fresh" else [batch]:
            _episode(house, state, part, outcomes, f"seed {seed}, frame {done}")
        states[state] += count
        done += count
        if done // PER_EPISODE % 250 == 0:
            house.memory.sweep()
            progress(done)
    _emptied(house)
    return {"frames": done, "seed": seed, "states": dict(states), "outcomes": dict(outcomes.most_common())}


def _episode(house: House, state: str, frames: list[bytes], outcomes: Counter[str], where: str) -> None:
    """One connection: its state, the frames, a last sane request, its end."""
    peer, frame = house.peer(state), b""
    peer.replies.clear()
    answered = 0
    try:
        for number, frame in enumerate(frames):
            house.ms += 25
            if state == "ending" and number == len(frames) // 2:
                peer.session.end(clean=bool(number % 2))
                peer.gone = True
            answered += _feed(house, peer, frame, state, outcomes)
        house.engine.late = peer.congested = False
        house.engine.settle()
        peer.session.pump()
        _judge(peer, frames, answered, state)
        if peer.closed is None and state not in ("fresh", "ending") and peer.ask("ping")["type"] != "pong":
            raise Bug("no pong at the end")
        peer.session.end(clean=True)
    except Bug as bug:
        raise Bug(f"{bug} ({where}, {state}, after {frame[:300]!r})") from bug
    except Exception as error:
        raise Bug(f"{type(error).__name__} escaped ({where}, {state}, after {frame[:300]!r})") from error
    for reply in peer.replies:
        outcomes[reply.get("code", reply["type"])] += 1
    if peer.closed is not None:
        outcomes[f"close {peer.closed}"] += 1


def _feed(house: House, peer: Peer, frame: bytes, state: str, outcomes: Counter[str]) -> int:
    """Give one frame to the session; 1 if it has to be answered."""
    try:
        text = frame.decode()
    except UnicodeDecodeError:  # the shell closes 1007; here the decoder gets it
        outcomes["not UTF-8"] += 1
        _reads_bytes(frame)
        return 0
    over = peer.closed is not None or peer.gone
    before = len(peer.replies)
    peer.session.receive(text, house.ms)
    if over:
        if len(peer.replies) != before:
            raise Bug("an answer after the end")
        return 0
    if state in ("late engine", "congested"):
        return 1
    if len(peer.replies) - before != 1 and peer.closed != 4229:
        raise Bug(f"{len(peer.replies) - before} replies to one frame")
    if peer.replies and peer.replies[-1]["re"] != _expected_re(text):
        raise Bug(f"re is {peer.replies[-1]['re']!r}, expected {_expected_re(text)!r}")
    return 1


def _reads_bytes(frame: bytes) -> None:
    try:
        parse_request(frame)
    except ProtocolError as error:
        if error.code != "invalid_json":
            raise Bug(f"{error.code} for what is not UTF-8") from None
    else:
        raise Bug("took what is not UTF-8")


def _judge(peer: Peer, frames: list[bytes], answered: int, state: str) -> None:
    """Held back or not, each frame has its one reply, in order, unless the connection ended."""
    if peer.closed is None and state != "ending" and len(peer.replies) != answered:
        raise Bug(f"{len(peer.replies)} replies to {answered} frames")
    if peer.closed is None and state in ("late engine", "congested"):
        texts = [text for text in map(_text, frames) if text is not None]
        if [reply["re"] for reply in peer.replies] != [_expected_re(text) for text in texts]:
            raise Bug("replies out of order")


def _text(frame: bytes) -> str | None:
    try:
        return frame.decode()
    except UnicodeDecodeError:
        return None


def _expected_re(text: str) -> str | None:
    try:
        message = decode(text)
    except ProtocolError:
        return None
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str) and is_identifier(found) else None


def _emptied(house: House) -> None:
    """After everybody has left and every time to live is over nothing may be kept."""
    if house.hub.rooms or house.hub.users:
        raise Bug(f"{house.hub.rooms} rooms and {house.hub.users} users are left behind")
    house.ms += 10 * 86_400_000
    house.memory.sweep()
    house.memory.sweep()
    for name, kept in vars(house.memory).items():
        if isinstance(kept, dict) and kept:
            raise Bug(f"{len(kept)} entries of the engine's {name} are left behind")
