"""What is known by hand of servers that nobody here wrote, found by the kit: each known behaviour is one assertion.

The dialects ship with the kit, and nothing else of it knows these servers.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import roomproof_conformance

from .conftest import Judged

Found = dict[str, dict[str, Judged]]

KNOWN = [
    ("inspircd", "HIST-2.at-the-bound", "pass", "", "20 lines of history on join"),
    ("inspircd", "HIST-2.far-over", "pass", "", "the newest 20, whatever was said before"),
    ("inspircd", "RATE-2.by-effect", "pass", "", "+f 6:3 lets five messages in 3 s through"),
    ("inspircd", "RATE-1.by-effect", "pass", "", "and throws the sender out at the sixth"),
    ("inspircd", "BEAT-1.idle", "pass", "", "a PING line at 15 s"),
    ("inspircd", "BEAT-4.mute", "pass", "", "gone at 30 s"),
    ("inspircd", "ERR-6.unknown-type", "pass", "", "421 for unknown commands"),
    ("inspircd", "ERR-8.oversize", "pass", "", "1009 for over-size"),
    ("inspircd", "ERR-9.unmasked-frames", "fail", "no answer", "waits for ever on an unmasked frame"),
    ("prosody", "HIST-2.at-the-bound", "pass", "", "10 messages of history"),
    ("prosody", "HIST-2.far-over", "pass", "", "however many were said"),
    ("prosody", "RATE-1.bytes", "pass", "", "rate by bytes per second, delaying"),
    ("prosody", "RATE-2.nothing-lost", "pass", "", "nothing lost"),
    ("prosody", "BEAT-2.between-fragments", "fail", "1003", "refuses fragmented messages with 1003"),
    ("prosody", "ERR-9.unmasked", "fail", "as a message", "accepts unmasked ones"),
    ("prosody", "ROOM-3.outsider-writes", "pass", "", "not-acceptable for writing into a room one is not in"),
    ("socketio", "HIST-2.far-over", "pass", "", "50 messages of history, as one event"),
    ("socketio", "BEAT-1.idle", "pass", "", "pings of Engine.IO"),
    ("socketio", "BEAT-4.mute", "pass", "", "who answers none of them is let go"),
    ("socketio", "ROOM-3.outsider-writes", "pass", "", "an acknowledgement refuses whoever is not in the room"),
    ("socketio", "ERR-9.unmasked", "fail", "as a message", "its WebSocket library accepts unmasked frames"),
]


@pytest.mark.parametrize(("server", "check", "verdict", "seen", "known"), KNOWN, ids=lambda part: str(part)[:30])
def test_known_behaviour(judged: Found, server: str, check: str, verdict: str, seen: str, known: str) -> None:
    found = judged[server][check]
    assert (found.verdict, seen in found.seen) == (verdict, True), f"{known}: {found}"


@pytest.mark.parametrize("server", ["inspircd", "prosody", "socketio"])
def test_most_of_it_is_judged_and_the_kit_is_never_at_fault(judged: Found, server: str) -> None:
    verdicts = Counter(found.verdict for found in judged[server].values())
    print(server, dict(verdicts))
    assert verdicts["pass"] >= 18
    assert not verdicts["kit-error"] + verdicts["inconclusive"]


def test_no_server_is_named_in_the_code_of_the_kit() -> None:
    package = Path(roomproof_conformance.__file__).parent
    named = [path for path in package.rglob("*.py") if re.search("inspircd|prosody", path.read_text(), re.IGNORECASE)]
    assert not named
