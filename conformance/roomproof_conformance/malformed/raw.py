"""What RFC 6455 forbids on the wire, and the little that it allows and servers trip over: a catalogue.

Every entry makes its frames from a valid message of the target. Knows no schema and no dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from roomproof_conformance.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame

Wire: TypeAlias = tuple[Frame | bytes, ...]
"""Frames, or bytes that are none, in the order in which they are written."""

RESERVED_OPCODES = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
RESERVED_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 2999)
"""Close codes that must not be on the wire (RFC 6455 7.4); what servers make of 5000 and above is not laid down."""

NOT_UTF8: Mapping[str, bytes] = {
    "stray-continuation-byte": b"\x80",
    "overlong": b"\xc0\x80",
    "overlong-three": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "above-10ffff": b"\xf4\x90\x80\x80",
    "five-bytes": b"\xf8\x88\x80\x80\x80",
    "ff": b"\xff",
}


@dataclass(frozen=True)
class RawCase:
    """One entry; `make` gives what is written instead of the valid message."""

    group: str
    name: str
    make: Callable[[bytes], Wire]

    @property
    def id(self) -> str:
        return f"{self.group}:{self.name}"


@dataclass(frozen=True)
class Group:
    """Entries that one sentence speaks of: what they are in words, and the Close that is right."""

    name: str
    what: str
    codes: tuple[int, ...]
    cases: tuple[RawCase, ...]


def _client(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, masked: bool = True) -> Frame:
    return Frame(opcode, payload, fin, rsv, masked)


def _group(name: str, what: str, codes: tuple[int, ...], made: Mapping[str, Callable[[bytes], Wire]]) -> Group:
    return Group(name, what, codes, tuple(RawCase(name, case, make) for case, make in made.items()))


def _reserved_bits(rsv: int) -> Callable[[bytes], Wire]:
    return lambda valid: (_client(TEXT, valid, rsv=rsv),)


def _close(payload: bytes) -> Callable[[bytes], Wire]:
    return lambda valid: (_client(CLOSE, payload),)


def _opcode(opcode: int) -> Callable[[bytes], Wire]:
    return lambda valid: (_client(opcode, valid[:100]),)


def _not_utf8(spoilt: bytes) -> Callable[[bytes], Wire]:
    return lambda valid: (_client(TEXT, valid[:-2] + spoilt + valid[-2:]),)


def _half(valid: bytes) -> tuple[bytes, bytes]:
    return valid[: len(valid) // 2], valid[len(valid) // 2 :]


def _inside(outer: int, inner: int) -> Callable[[bytes], Wire]:
    return lambda valid: (_client(outer, _half(valid)[0], fin=False), _client(inner, valid))


GROUPS: tuple[Group, ...] = (
    _group(
        "reserved-bits",
        "A frame with reserved bits that no extension has given a meaning",
        (1002,),
        {f"text-rsv-{rsv:03b}": _reserved_bits(rsv) for rsv in (4, 2, 1, 7)}
        | {
            "ping": lambda valid: (_client(PING, b"p", rsv=4),),
            "continuation": lambda valid: (
                _client(TEXT, _half(valid)[0], fin=False),
                _client(CONTINUATION, _half(valid)[1], rsv=1),
            ),
        },
    ),
    _group(
        "reserved-opcodes",
        "A frame of an opcode that RFC 6455 reserves",
        (1002,),
        {f"opcode-{opcode}": _opcode(opcode) for opcode in RESERVED_OPCODES},
    ),
    _group(
        "unmasked-frames",
        "A frame without a mask",
        (1002,),
        {
            "text": lambda valid: (_client(TEXT, valid, masked=False),),
            "empty": lambda valid: (_client(TEXT, b"", masked=False),),
            "ping": lambda valid: (_client(PING, b"p", masked=False),),
            "second-fragment": lambda valid: (
                _client(TEXT, _half(valid)[0], fin=False),
                _client(CONTINUATION, _half(valid)[1], masked=False),
            ),
        },
    ),
    _group(
        "fragmented-controls",
        "A control frame in fragments",
        (1002,),
        {
            "ping": lambda valid: (_client(PING, b"p", fin=False), _client(CONTINUATION, b"q")),
            "pong": lambda valid: (_client(PONG, b"p", fin=False), _client(CONTINUATION, b"q")),
            "close": lambda valid: (_client(CLOSE, b"\x03\xe8", fin=False),),
        },
    ),
    _group(
        "long-controls",
        "A control frame of more than 125 bytes",
        (1002,),
        {
            "ping-126": lambda valid: (_client(PING, b"p" * 126),),
            "pong-126": lambda valid: (_client(PONG, b"p" * 126),),
            "close-126": lambda valid: (_client(CLOSE, b"\x03\xe8" + b"x" * 124),),
            "ping-1000": lambda valid: (_client(PING, b"p" * 1000),),
        },
    ),
    _group(
        "close-codes",
        "A Close frame with a code that must not be sent",
        (1002,),
        {f"code-{code}": _close(code.to_bytes(2, "big")) for code in RESERVED_CODES},
    ),
    _group(
        "close-payloads",
        "A Close frame whose payload is one byte, or whose reason is not UTF-8",
        (1002, 1007),
        {"one-byte": _close(b"\x03"), "reason-not-utf8": _close(b"\x03\xe8\xff\xfe")},
    ),
    _group(
        "continuations",
        "A continuation of nothing",
        (1002,),
        {
            "last": lambda valid: (_client(CONTINUATION, valid),),
            "not-last": lambda valid: (_client(CONTINUATION, valid, fin=False),),
            "empty": lambda valid: (_client(CONTINUATION, b""),),
            "behind-a-whole-message": lambda valid: (
                _client(TEXT, _half(valid)[0], fin=False),
                _client(CONTINUATION, _half(valid)[1]),
                _client(CONTINUATION, b""),
            ),
        },
    ),
    _group(
        "messages-inside",
        "A new message inside a fragmented one",
        (1002,),
        {
            "text-in-text": _inside(TEXT, TEXT),
            "binary-in-text": _inside(TEXT, BINARY),
            "text-in-binary": _inside(BINARY, TEXT),
        },
    ),
    _group(
        "top-bit",
        "A 64-bit length whose top bit is set",
        (1002, 1009),  # a framing fault, and too long as well: which is said is the server's affair
        {
            "text": lambda valid: (b"\x81\xff" + (2**63 + 5).to_bytes(8, "big") + b"\1\2\3\4",),
            "all-ones": lambda valid: (b"\x81\xff" + b"\xff" * 8 + b"\1\2\3\4",),
        },
    ),
    _group(
        "utf8-forms",
        "Text that is not UTF-8, in each of its forms",
        (1007,),
        {name: _not_utf8(spoilt) for name, spoilt in NOT_UTF8.items()}
        | {
            "cut-character": lambda valid: (_client(TEXT, valid + b"\xe2\x82"),),
            "cut-character-in-fragments": lambda valid: (
                _client(TEXT, valid, fin=False),
                _client(CONTINUATION, b"\xf0\x9f", fin=False),
                _client(CONTINUATION, b""),
            ),
            "split-surrogate": lambda valid: (
                _client(TEXT, valid[:-2] + b"\xed", fin=False),
                _client(CONTINUATION, b"\xa0\x80" + valid[-2:]),
            ),
            "ping-inside": lambda valid: (
                _client(TEXT, valid[:-2] + b"\xe2", fin=False),
                _client(PING, b"p"),
                _client(CONTINUATION, b"\x28\xa1" + valid[-2:]),
            ),
        },
    ),
)
"""Everything that must end the connection (ERR-9)."""


def too_long_by_length(frame_bytes: int) -> tuple[RawCase, ...]:
    """Heads that announce more than `frame_bytes` bytes, with nothing behind them (ERR-8)."""
    mask = b"\1\2\3\4"
    lengths = {"one-byte-more": frame_bytes + 1, "2-to-the-31": 2**31, "2-to-the-62": 2**62, "most": 2**63 - 1}
    made: dict[str, Wire] = {name: (_head(0x81, length) + mask,) for name, length in lengths.items()}
    made["no-mask-key-yet"] = (_head(0x81, 2 * frame_bytes),)
    full = Frame(TEXT, b"x" * frame_bytes, False, 0, True)
    made["second-fragment"] = (full, _head(0x80, 1) + mask)
    return tuple(RawCase("length-alone", name, partial(_whatever, wire)) for name, wire in made.items())


def _whatever(wire: Wire, valid: bytes) -> Wire:
    return wire


def _head(first: int, length: int) -> bytes:
    """The head of a masked frame, without the key."""
    if length < 126:
        return bytes((first, 0x80 | length))
    if length < 2**16:
        return bytes((first, 0x80 | 126)) + length.to_bytes(2, "big")
    return bytes((first, 0x80 | 127)) + length.to_bytes(8, "big")
