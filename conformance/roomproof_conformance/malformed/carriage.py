"""Operators on how a message is carried: binary, in fragments, at the size limit, in bytes that are no text.

They meet the frame itself, once for each type of message. Knows no constraint of a schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .constraints import Bench
from .jsontext import write
from .specimens import Piece, Specimen, accepted, refused

CONTINUATION, TEXT, BINARY, PING = 0, 1, 2, 9


def carried(bench: Bench, frame_bytes: int) -> Iterator[Specimen]:
    """The valid frame, carried well and badly."""
    if bench.place.path:
        return
    yield from _not_text(bench)
    yield from _fragmented(bench)
    yield from _sized(bench, frame_bytes)


def _valid(bench: Bench, operator: str, base: dict[str, Any], *pieces: Piece, row: str = "ERR-10") -> Specimen:
    row = "CONN-6" if bench.place.type == "hello" else row
    return replace(accepted(bench.place, operator, base, bench.reply, base["id"], row=row), pieces=pieces)


def _bad(
    bench: Bench, operator: str, base: dict[str, Any], *pieces: Piece, row: str, close: int | None = None
) -> Specimen:
    if close is None and bench.place.type == "hello":
        row = "CONN-13"
    codes = () if close else ("unsupported_data",)
    made = refused(bench.place, operator, base, base, bench.reply, codes, usable_id=False, row=row)
    outcome = made.outcome if close is None else "closed"
    return replace(made, pieces=pieces, close=close, outcome=outcome)


def _octets(base: dict[str, Any]) -> bytes:
    return write(base).encode()


def _not_text(bench: Bench) -> Iterator[Specimen]:
    base = bench.frame()
    yield _bad(bench, "binary", base, (BINARY, _octets(base), True), row="ERR-7")
    base = bench.frame()
    one, two = _octets(base)[:7], _octets(base)[7:]
    yield _bad(bench, "binary-fragments", base, (BINARY, one, False), (CONTINUATION, two, True), row="ERR-7")
    base = bench.frame()
    broken = _octets(base)[:-2] + b"\xff" + _octets(base)[-2:]
    yield _bad(bench, "bad-utf8", base, (TEXT, broken, True), row="ERR-9", close=1007)
    base = bench.frame()
    one, two = _octets(base)[:-2] + b"\xe2\x82", _octets(base)[-2:]
    pieces = (TEXT, one, False), (CONTINUATION, two, True)
    yield _bad(bench, "bad-utf8-fragments", base, *pieces, row="ERR-9", close=1007)


def _fragmented(bench: Bench) -> Iterator[Specimen]:
    base = bench.frame()
    data = _octets(base)
    parts: tuple[Piece, ...] = (
        (TEXT, data[:3], False),
        (CONTINUATION, data[3:9], False),
        (CONTINUATION, data[9:], True),
    )
    yield _valid(bench, "fragments", base, *parts)
    base = bench.frame()
    data = _octets(base)
    empty: Piece = (CONTINUATION, b"", False)
    parts = ((TEXT, b"", False), empty, (CONTINUATION, data, False), (CONTINUATION, b"", True))
    yield _valid(bench, "empty-fragments", base, *parts)
    base = bench.frame()
    data = _octets(base)
    parts = ((TEXT, data[:5], False), (PING, b"between", True), (CONTINUATION, data[5:], True))
    yield _valid(bench, "ping-between", base, *parts)


def _sized(bench: Bench, frame_bytes: int) -> Iterator[Specimen]:
    base = bench.frame()
    yield _valid(bench, "largest", base, (TEXT, _padded(base, frame_bytes), True), row="LIMIT-1")
    base = bench.frame()
    yield _bad(bench, "oversize", base, (TEXT, _padded(base, frame_bytes + 1), True), row="ERR-8", close=1009)
    base = bench.frame()
    data, half = _padded(base, frame_bytes + 1), frame_bytes // 2
    pieces = (TEXT, data[:half], False), (CONTINUATION, data[half:], True)
    yield _bad(bench, "oversize-fragments", base, *pieces, row="ERR-8", close=1009)


def _padded(base: dict[str, Any], size: int) -> bytes:
    """The frame with blanks behind it: so its size is all that is unusual."""
    return write(base).encode().ljust(size)
