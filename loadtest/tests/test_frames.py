"""Frames cut from a stream: however it is split, the same messages come out."""

from __future__ import annotations

import random

import pytest

from roomproof_loadtest.frames import CLOSE, TEXT, Broken, Cutter, close_code


def frame(payload: bytes, first: int = 0x81) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65536:
        return bytes([first, 126]) + size.to_bytes(2) + payload
    return bytes([first, 127]) + size.to_bytes(8) + payload


@pytest.mark.parametrize("seed", range(20))
def test_any_split_gives_the_same_messages(seed: int) -> None:
    rng = random.Random(seed)
    whole = [bytes(rng.randrange(256) for _ in range(rng.choice((0, 5, 125, 126, 300, 70_000)))) for _ in range(12)]
    stream = b"".join(frame(payload) for payload in whole)
    cutter, got = Cutter(), []
    while stream:
        size = rng.choice((1, 2, 3, 7, 1000, 100_000))
        got += cutter.feed(stream[:size])
        stream = stream[size:]
    assert got == [(TEXT, payload) for payload in whole]
    assert cutter.empty


def test_fragments_are_put_together_and_control_frames_come_between() -> None:
    cutter = Cutter()
    stream = frame(b"he", 0x01) + frame(b"!", 0x89) + frame(b"llo", 0x80) + frame(b"\x03\xe8bye", 0x88)
    assert cutter.feed(stream) == [(9, b"!"), (TEXT, b"hello"), (CLOSE, b"\x03\xe8bye")]
    assert close_code(b"\x03\xe8bye") == (1000, "bye")
    assert close_code(b"") == (None, "")


@pytest.mark.parametrize("stream", [b"\x81\x85abcdefghi", b"\xc1\x01a"])
def test_a_server_that_breaks_the_framing_is_named(stream: bytes) -> None:
    with pytest.raises(Broken):
        Cutter().feed(stream)
