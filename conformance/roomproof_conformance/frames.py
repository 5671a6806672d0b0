"""RFC 6455 frames, read with tolerance: what a server really wrote, and what is wrong with it.

A client library stops at the first fault and hides what came; a kit that judges servers needs the
frame, the fault's name and the bytes. Sans-I/O: knows no socket, no clock, no chat and no verdict.
A fault is a fact about the wire; which requirement it breaks is decided elsewhere.
"""

from __future__ import annotations

import codecs
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from websockets import frames as library
from websockets.exceptions import ProtocolError
from websockets.utils import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NAMES: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
RSV1: Final = 4

KEPT: Final = 2 * 2**20  # bytes of one frame or message that are kept
EVIDENCE: Final = 4096  # bytes of evidence that one fault carries


class FaultKind(NamedTuple):
    meaning: str
    section: str


FAULTS: Final[Mapping[str, FaultKind]] = MappingProxyType(
    {
        "reserved-bits": FaultKind("RSV bits set that no extension gave a meaning", "RFC 6455 5.2"),
        "reserved-opcode": FaultKind("an opcode that RFC 6455 reserves", "RFC 6455 5.2"),
        "masked-by-server": FaultKind("a server must not mask its frames", "RFC 6455 5.1"),
        "length-not-minimal": FaultKind("the length is not written in its shortest form", "RFC 6455 5.2"),
        "length-64-bit-sign": FaultKind("the highest bit of a 64-bit length is set", "RFC 6455 5.2"),
        "control-fragmented": FaultKind("a control frame without FIN", "RFC 6455 5.5"),
        "control-too-long": FaultKind("a control frame of more than 125 bytes", "RFC 6455 5.5"),
        "bad-continuation": FaultKind("a continuation frame without a message to continue", "RFC 6455 5.4"),
        "unfinished-fragment": FaultKind("a fragmented message that was never finished", "RFC 6455 5.4"),
        "text-utf8": FaultKind("a text message that is not UTF-8", "RFC 6455 8.1"),
        "close-payload-short": FaultKind("a close frame with one byte of payload", "RFC 6455 5.5.1"),
        "close-code-reserved": FaultKind("a close code that must not be on the wire", "RFC 6455 7.4"),
        "close-reason-utf8": FaultKind("a close reason that is not UTF-8", "RFC 6455 5.5.1"),
        "data-after-close": FaultKind("more frames after the close frame", "RFC 6455 5.5.1"),
        "truncated-frame": FaultKind("the connection ended inside a frame", "RFC 6455 5.2"),
        "http-in-stream": FaultKind("an HTTP response where a frame should begin", "RFC 6455 5.2"),
        "deflate-data": FaultKind("a compressed message that does not inflate", "RFC 7692 7.2.2"),
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it was on the wire.

    `rsv` holds RSV1, RSV2, RSV3 as 4, 2, 1. `payload` is unmasked and cut at the reader's limit;
    `omitted` counts the bytes beyond.
    """

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False
    omitted: int = 0

    @property
    def name(self) -> str:
        """`text`, `binary`, `continuation`, `close`, `ping`, `pong`, or `reserved-3` and its like."""
        return NAMES.get(self.opcode, f"reserved-{self.opcode}")

    @property
    def length(self) -> int:
        """Bytes of payload on the wire."""
        return len(self.payload) + self.omitted

    @property
    def text(self) -> str:
        """The payload for display: bytes that are not UTF-8 become lone surrogates (PEP 383)."""
        return self.payload.decode(errors="surrogateescape")

    @property
    def close_code(self) -> int | None:
        """The code of a close frame, reserved or not; None without one."""
        if self.opcode != CLOSE or len(self.payload) < 2:
            return None
        return int.from_bytes(self.payload[:2], "big")

    @property
    def close_reason(self) -> str:
        return self.payload[2:].decode(errors="surrogateescape") if self.opcode == CLOSE else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A deviation from RFC 6455. `name` is a key of `FAULTS`; `data` holds at most `EVIDENCE` bytes."""

    name: str
    detail: str
    data: bytes

    @property
    def section(self) -> str:
        return FAULTS[self.name].section


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message. `payload` is inflated, and cut at the assembler's limit; `omitted` counts the rest."""

    text: bool
    payload: bytes
    frames: int
    omitted: int = 0

    @property
    def value(self) -> str | bytes:
        """What a dialect reads: `str` for text (see `Frame.text` for what is not UTF-8), else `bytes`."""
        return self.payload.decode(errors="surrogateescape") if self.text else self.payload


def close_code_allowed(code: int) -> bool:
    """Whether a close frame may carry `code`: RFC 6455 7.4 and the IANA registry (1012 to 1014)."""
    return code in library.EXTERNAL_CLOSE_CODES or 3000 <= code < 5000


def serialize(frame: Frame, mask_key: bytes | None = None) -> bytes:
    """The bytes of `frame` (masked if `frame.masked`, by a random key unless one is given).

    The library writes whatever it agrees to write; the rest is what the malformed cases are made of.
    """
    if mask_key is None:
        try:
            opcode = library.Opcode(frame.opcode)
            rsv = [bool(frame.rsv & bit) for bit in (4, 2, 1)]
            return library.Frame(opcode, frame.payload, frame.fin, *rsv).serialize(mask=frame.masked)
        except (ValueError, ProtocolError):
            mask_key = secrets.token_bytes(4)
    size = len(frame.payload)
    short = size if size < 126 else 126 if size < 2**16 else 127
    head = bytes((frame.fin << 7 | frame.rsv << 4 | frame.opcode, frame.masked << 7 | short))
    head += size.to_bytes({126: 2, 127: 8}.get(short, 0), "big") if short > 125 else b""
    return head + (mask_key + apply_mask(frame.payload, mask_key) if frame.masked else frame.payload)


def deflate(payload: bytes) -> bytes:
    """`payload` as a permessage-deflate message of its own (RFC 7692 7.2.1), to be sent with RSV1."""
    coder = zlib.compressobj(wbits=-15)
    return (coder.compress(payload) + coder.flush(zlib.Z_SYNC_FLUSH))[:-4]


class _Head(NamedTuple):
    opcode: int
    fin: bool
    rsv: int
    key: bytes | None
    length: int


class FrameReader:
    """Reads what a server writes after the handshake; raises nothing and reads on after a fault.

    The faults of a frame come before it: those of its head as soon as the head is there.
    `limit` is how many bytes of one frame are kept; `deflate` says that RSV1 has a meaning.
    """

    def __init__(self, *, limit: int = KEPT, deflate: bool = False) -> None:
        self._limit = limit
        self._deflate = deflate
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._payload = bytearray()
        self._missing = 0
        self._open = False  # a fragmented message is unfinished
        self._utf8: codecs.IncrementalDecoder | None = None  # of the text message being read
        self._closed = False  # a close frame came
        self._late = False  # and the fault for what came behind it was given
        self._http: bytearray | None = None
        self._found: list[Frame | Fault] = []

    @property
    def buffered(self) -> int:
        """Bytes held for what is not complete yet."""
        return len(self._buffer) + len(self._payload)

    def feed(self, data: bytes) -> list[Frame | Fault]:
        """Everything that `data` completes, in the order of the wire."""
        self._buffer += data
        while self._step():
            pass
        found, self._found = self._found, []
        return found

    def eof(self) -> list[Fault]:
        """What is wrong with ending here. To be called once, when the server has ended its side."""
        if self._http:
            self._page(ended=True)
        elif self._head is not None:
            got = self._head.length - self._missing
            self._fault("truncated-frame", f"{got} of {self._head.length} bytes of payload", self._payload)
        elif self._buffer:
            self._fault("truncated-frame", f"{len(self._buffer)} bytes of a head", self._buffer)
        self._expect_finished("the connection ended")
        found, self._found = self._found, []
        return [item for item in found if isinstance(item, Fault)]

    def _fault(self, name: str, detail: str, data: bytes | bytearray) -> None:
        self._found.append(Fault(name, detail, bytes(data[:EVIDENCE])))

    def _step(self) -> bool:
        """Take one part of the buffer; False when it holds no whole part."""
        if self._http is not None:
            return self._page()
        if self._head is None:
            return self._read_head()
        taken = min(self._missing, len(self._buffer))
        self._payload += self._buffer[: min(taken, self._limit - len(self._payload))]
        del self._buffer[:taken]
        self._missing -= taken
        if self._missing:
            return False
        self._finish(self._head)
        return True

    def _read_head(self) -> bool:
        buffer = self._buffer
        # "HT" would open a fragmented close frame with RSV1, which no server means.
        if buffer and b"HTTP/1.".startswith(buffer[:7]):
            if len(buffer) >= 7:
                self._http = bytearray()
            return len(buffer) >= 7
        if len(buffer) < 2:
            return False
        first, second = buffer[0], buffer[1]
        short = second & 0x7F
        wide = {126: 2, 127: 8}.get(short, 0)
        size = 2 + wide + (4 if second & 0x80 else 0)
        if len(buffer) < size:
            return False
        raw = bytes(buffer[:size])
        del buffer[:size]
        length = int.from_bytes(raw[2 : 2 + wide], "big") if wide else short
        key = raw[-4:] if second & 0x80 else None
        self._head = _Head(first & 0x0F, first >= 0x80, first >> 4 & 7, key, length)
        self._missing = length
        self._check_head(self._head, wide, raw)
        return True

    def _check_head(self, head: _Head, wide: int, raw: bytes) -> None:
        opcode = head.opcode
        if self._closed and not self._late and opcode not in (PING, PONG):
            self._late = True
            self._fault("data-after-close", f"opcode {opcode} behind the close frame", raw)
        if head.rsv & ~(RSV1 if self._deflate and opcode in (TEXT, BINARY) else 0):
            self._fault("reserved-bits", f"RSV1 RSV2 RSV3 = {head.rsv:03b}", raw)
        if opcode not in NAMES:
            self._fault("reserved-opcode", f"opcode {opcode}", raw)
        if head.key is not None:
            self._fault("masked-by-server", f"mask key {head.key.hex()}", raw)
        if head.length >= 2**63:
            self._fault("length-64-bit-sign", f"length {head.length}", raw)
        if wide and head.length < (126 if wide == 2 else 2**16):
            self._fault("length-not-minimal", f"length {head.length} in {wide} bytes", raw)
        if opcode in (CLOSE, PING, PONG):
            if not head.fin:
                self._fault("control-fragmented", f"{NAMES[opcode]} without FIN", raw)
            if head.length > 125:
                self._fault("control-too-long", f"{NAMES[opcode]} of {head.length} bytes", raw)
        elif opcode in (TEXT, BINARY):
            self._expect_finished(f"a {NAMES[opcode]} frame began")
            plain_text = opcode == TEXT and not head.rsv
            self._utf8 = codecs.getincrementaldecoder("utf-8")() if plain_text else None
            self._open = not head.fin
        elif opcode == CONTINUATION:
            if not self._open:
                self._fault("bad-continuation", f"{head.length} bytes that continue nothing", raw)
            self._open = self._open and not head.fin

    def _expect_finished(self, instead: str) -> None:
        if self._open:
            self._fault("unfinished-fragment", f"{instead} inside a fragmented message", b"")
        self._open, self._utf8 = False, None

    def _finish(self, head: _Head) -> None:
        payload, self._payload, self._head = bytes(self._payload), bytearray(), None
        omitted = head.length - len(payload)
        if head.key is not None:
            payload = apply_mask(payload, head.key)
        frame = Frame(head.opcode, payload, head.fin, head.rsv, head.key is not None, omitted)
        if head.opcode in (CONTINUATION, TEXT):
            self._check_text(frame)
        elif head.opcode == CLOSE:
            self._check_close(frame)
        self._found.append(frame)

    def _check_text(self, frame: Frame) -> None:
        if self._utf8 is None:
            return
        try:
            self._utf8.decode(frame.payload, final=frame.fin and not frame.omitted)
        except UnicodeDecodeError as error:
            bad = bytes(error.object[error.start : error.end])
            self._fault("text-utf8", f"{error.reason}: {bad!r}", frame.payload)
            self._utf8 = None
        if frame.fin or frame.omitted:
            self._utf8 = None

    def _check_close(self, frame: Frame) -> None:
        code = frame.close_code
        if len(frame.payload) == 1:
            self._fault("close-payload-short", "one byte is neither empty nor a code", frame.payload)
        if code is not None and not close_code_allowed(code):
            self._fault("close-code-reserved", f"close code {code}", frame.payload)
        try:
            frame.payload[2:].decode()
        except UnicodeDecodeError as error:
            self._fault("close-reason-utf8", f"{error.reason} at byte {error.start}", frame.payload)
        if not self._closed:
            self._expect_finished("a close frame came")
        self._closed = True

    def _page(self, *, ended: bool = False) -> bool:
        """Collect an HTTP page up to its status line, report it once and drop what follows."""
        assert self._http is not None
        page = self._http
        reported = len(page) >= EVIDENCE or b"\n" in page
        page += self._buffer[: EVIDENCE - len(page)]
        self._buffer.clear()
        if not reported and (ended or len(page) >= EVIDENCE or b"\n" in page):
            line = page.partition(b"\n")[0].rstrip().decode("latin-1")
            self._fault("http-in-stream", line[:100], page)
        return False


class MessageAssembler:
    """Joins frames to messages. The reader has named the faults of framing; control frames pass unseen.

    `deflate` inflates messages that begin with RSV1 (permessage-deflate, RFC 7692).
    """

    def __init__(self, *, limit: int = KEPT, deflate: bool = False) -> None:
        self._limit = limit
        self._deflate = deflate
        self._inflater = zlib.decompressobj(wbits=-15)
        self._first: Frame | None = None
        self._payload = bytearray()
        self._frames = self._omitted = 0

    def feed(self, frame: Frame) -> Message | Fault | None:
        """The message that `frame` completes, None while it is incomplete.

        A `Fault` is given instead when a compressed message cannot be inflated, or is not UTF-8:
        the reader could not see that. A message that another one interrupts is dropped.
        """
        if frame.opcode in (TEXT, BINARY):
            self._first, self._payload, self._frames, self._omitted = frame, bytearray(), 0, 0
        elif frame.opcode != CONTINUATION:
            return None
        first = self._first
        if first is None:
            return None
        kept = frame.payload[: max(0, self._limit - len(self._payload))]
        self._payload += kept
        self._omitted += frame.length - len(kept)
        self._frames += 1
        if not frame.fin:
            return None
        payload, self._payload, self._first = bytes(self._payload), bytearray(), None
        message = Message(first.opcode == TEXT, payload, self._frames, self._omitted)
        return self._inflate(message) if self._deflate and first.rsv & RSV1 else message

    def _inflate(self, message: Message) -> Message | Fault:
        if self._inflater.eof:  # a sender without context takeover may end its stream with each message
            self._inflater = zlib.decompressobj(wbits=-15)
        try:
            data = self._inflater.decompress(message.payload + b"\x00\x00\xff\xff", self._limit + 1)
            problem = f"more than {self._limit} bytes when inflated" if len(data) > self._limit else ""
        except zlib.error as error:
            data, problem = b"", str(error)
        if problem or message.omitted:
            self._inflater = zlib.decompressobj(wbits=-15)
            return Fault("deflate-data", problem or "too long to be kept whole", message.payload[:EVIDENCE])
        if message.text:
            try:
                data.decode()
            except UnicodeDecodeError as error:
                return Fault("text-utf8", f"{error.reason} at byte {error.start}, inflated", data[:EVIDENCE])
        return Message(message.text, data, message.frames)
