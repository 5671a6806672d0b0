"""What one delivery costs the generator, without a socket: frames, dialect, judges, and the lean listener's way.

python -m tools.load.capacity
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace

from roomproof_conformance.dialects import Session, load
from roomproof_conformance.events import Event
from roomproof_conformance.judges.live import Crowd
from roomproof_loadtest.figures import Histogram
from roomproof_loadtest.frames import Cutter
from roomproof_loadtest.lean import Listener, Listeners

COUNT = 20_000
MEMBERS = 10


def _timed(what: Callable[[], None], each: int) -> float:
    """Microseconds for one of `each`; the best of three."""
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        what()
        best = min(best, time.perf_counter() - begin)
    return best / each * 1e6


def main() -> int:
    """Print the table."""
    crowd = Crowd(lambda violation: None, echo=True, acks=True, clock="c", patience=5.0)
    members = [crowd.member(f"m{n}") for n in range(MEMBERS)]
    for member in members:
        op = crowd.op(member, "join", "r", 0.0)
        crowd.reply(member, op, ok=True, event=Event("joined"), t=0.0)
    payloads = []
    for _ in range(COUNT // MEMBERS * 3):
        number, text = crowd.text(members[0], "r", 1.0, 1.0, 120)
        who = {"id": "guest:1234567890abcdef", "name": "guest"}
        body = {"type": "message", "room": "r", "epoch": "e", "seq": number + 1, "ts": 1, "from": who, "text": text}
        payloads.append(json.dumps(body, separators=(",", ":")).encode())
    frames = [bytes([0x81, 126]) + len(p).to_bytes(2) + p for p in payloads]
    session = Session(load("native"), nick="x")
    events = [session.receive(p.decode())[0] for p in payloads]
    cutter, histogram = Cutter(), Histogram()
    rounds = iter(range(3))

    def judge() -> None:
        part = COUNT // MEMBERS
        at = next(rounds) * part
        for event in events[at : at + part]:
            for member in members:
                crowd.event(member, event, 1.0)

    def cut() -> None:
        for frame in frames:
            cutter.feed(frame)

    def decode() -> None:
        for payload in payloads:
            session.receive(payload.decode())

    def count() -> None:
        for number in range(COUNT):
            histogram.add(number % 97 + 0.5)

    lean = Listeners("ws://127.0.0.1/", "native", "r", "t", 5.0)
    listeners = [Listener(f"l{n}", session, SimpleNamespace(sock=None)) for n in range(100)]

    def listen() -> None:
        for frame in frames[:200]:
            for listener in listeners:
                lean._chunk(listener, frame, 1.0)
        for listener in listeners:
            listener.seq = None

    rows = (
        ("cutting frames", _timed(cut, len(frames))),
        ("dialect: bytes to an event", _timed(decode, len(payloads))),
        ("judges", _timed(judge, COUNT)),
        ("histogram", _timed(count, COUNT)),
    )
    for name, cost in rows:
        print(f"{name:28} {cost:6.2f} us")
    whole = sum(cost for _, cost in rows)
    print(f"{'a lean listener, in all':28} {_timed(listen, 200 * len(listeners)):6.2f} us")
    print(f"{'in all, without the socket':28} {whole:6.2f} us; the judges are {rows[2][1] / whole:.0%} of it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
