"""Frames of a server, cut out of what its socket gave: the fast path of every generator process.

A load process reads tens of thousands of frames a second, most of them short texts that arrive several in one read.
The handshake and what is sent are websocket-client's; its reader takes two system calls for each frame.
Knows no socket.
"""

from __future__ import annotations

from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Broken(ValueError):
    """The server broke RFC 6455; `str()` says how."""


class Message(NamedTuple):
    """A whole message or a control frame."""

    opcode: int
    payload: bytes


class Cutter:
    """Bytes in, whole messages out."""

    __slots__ = ("_kind", "_parts", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._parts: list[bytes] = []
        self._kind = 0

    @property
    def empty(self) -> bool:
        """Whether no part of a frame or message waits for the rest."""
        return not self._rest and not self._parts

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with `data`. Raises Broken."""
        if self._rest:
            data = self._rest + data
        out: list[Message] = []
        at, end = 0, len(data)
        while end - at >= 2:
            first, length = data[at], data[at + 1]
            start = at + 2
            if length >= 126:
                if length & 0x80:
                    raise Broken("the server masks its frames")
                wide = 2 if length == 126 else 8
                if end - start < wide:
                    break
                length = int.from_bytes(data[start : start + wide])
                start += wide
            at_end = start + length
            if at_end > end:
                break
            if first & 0x70:
                raise Broken(f"a frame with reserved bits {first >> 4 & 7}")
            opcode = first & 0x0F
            if first & 0x80 and opcode:
                out.append(Message(opcode, data[start:at_end]))
            else:
                self._fragment(first, data[start:at_end], out)
            at = at_end
        self._rest = data[at:] if at < end else b""
        return out

    def _fragment(self, first: int, payload: bytes, out: list[Message]) -> None:
        if first & 0x0F:
            self._kind = first & 0x0F
        self._parts.append(payload)
        if first & 0x80:
            out.append(Message(self._kind, b"".join(self._parts)))
            self._parts.clear()


def close_code(payload: bytes) -> tuple[int | None, str]:
    """Code and reason of a Close frame; None for one without."""
    if len(payload) < 2:
        return None, ""
    return int.from_bytes(payload[:2]), payload[2:].decode("utf-8", "replace")
