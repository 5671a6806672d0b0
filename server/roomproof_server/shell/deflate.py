"""permessage-deflate (RFC 7692) such that a room's frame is compressed once, whoever it goes to.

Without context takeover every message stands alone, so equal parameters give equal bytes. The library
negotiates and inflates, with its limit on the size afterwards (LIMIT-4); only outgoing frames are made here.
"""

from __future__ import annotations

from collections.abc import Iterable

from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

# 4 KiB of window and a small table hold a chat message whole; a client may ask for less.
WINDOW_BITS = 12
SETTINGS = {"memLevel": 5}
LEAST = 64  # shorter payloads gain nothing
KEPT = 4  # a room's frame, the sender's own with ``mid``, and what comes between them

OFFER = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=WINDOW_BITS,
    compress_settings=SETTINGS,
)


class Deflater:
    """Compresses finished text frames for all connections with one window size; remembers the last few."""

    def __init__(self, window_bits: int) -> None:
        self._extension = PerMessageDeflate(True, True, 15, window_bits, dict(SETTINGS))
        self._kept: dict[bytes, bytes] = {}

    def __call__(self, frame: bytes) -> bytes:
        """The frame with its payload compressed, or as it is where that would not be shorter."""
        length = frame[1]
        start = 2 if length < 126 else 4 if length == 126 else 10
        if len(frame) - start < LEAST:
            return frame
        made = self._kept.get(frame)
        if made is None:
            whole = Frame(Opcode.TEXT, frame[start:]).serialize(mask=False, extensions=[self._extension])
            made = whole if len(whole) < len(frame) else frame
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[frame] = made
        return made


class Deflaters:
    """The deflaters of one server by window size: at most seven."""

    def __init__(self) -> None:
        self._made: dict[int, Deflater] = {}

    def for_extensions(self, extensions: Iterable[object]) -> Deflater | None:
        """The one for what a handshake agreed on; None without compression."""
        for extension in extensions:
            if isinstance(extension, PerMessageDeflate):
                bits = extension.local_max_window_bits
                return self._made.setdefault(bits, Deflater(bits))
        return None
