"""RFC 6455 and the HTTP before it, on the sans-I/O core of websockets: bytes in, events and bytes out.

Added to the library: roomproof's handshake rules, a size limit that control frames within a fragmented
message do not eat into, and close reasons from the protocol's table. It must not know sessions or sockets.
"""

from __future__ import annotations

import http
import logging
from collections.abc import Collection, Sequence
from functools import lru_cache

from websockets.datastructures import Headers
from websockets.exceptions import InvalidOrigin, NegotiationError, PayloadTooBig, ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from roomproof_protocol import CLOSES, ENDPOINT, SUBPROTOCOL
from roomproof_server.shell.deflate import OFFER
from roomproof_server.shell.pages import Pages, plain

# The library tells every open and close at INFO; the shell does its own telling.
_quiet = logging.getLogger("roomproof.server.wire")
_quiet.setLevel(logging.ERROR)

MAX_CONTROL = 125
MAX_HEAD = 16 * 1024  # bytes of the HTTP request; the library bounds lines and their number, not their sum
DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def text_frame(payload: bytes) -> bytes:
    """A finished server-to-client text frame, the same for every connection: no mask, no extension."""
    return _head(len(payload)) + payload


@lru_cache(maxsize=4096)
def _head(length: int) -> bytes:
    """What the library writes before a payload of that length."""
    frame = Frame(Opcode.TEXT, bytes(length)).serialize(mask=False)
    return frame[: len(frame) - length]


class Wire(ServerProtocol):
    """One connection's wire.

    ``frame_bytes`` is the most a whole client message may have (ERR-8).
    """

    def __init__(
        self,
        frame_bytes: int,
        origins: Collection[str],
        pages: Pages,
        *,
        compression: bool,
    ) -> None:
        super().__init__(
            max_size=(None, max(frame_bytes, MAX_CONTROL)),
            extensions=[OFFER] if compression else None,
            logger=_quiet,
        )
        self._frame_bytes, self._allowed_origins = frame_bytes, origins
        self._pages = pages
        self._received = 0

    def respond(self, request: Request, refusal: Response | None) -> int:
        """Answer the HTTP request and return the status; with 101 the connection is a WebSocket now.

        ``refusal`` is the answer to a handshake that is fine in itself, but cannot be taken now.
        """
        path = request.path.partition("?")[0]
        if path == ENDPOINT:
            response = self.accept(request)
            if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS:
                response = refusal or response
        else:
            response = self._pages.answer(path, request)
        self.send_response(response)
        request.headers.clear()  # the library's parser holds the request as long as the connection lives
        return response.status_code

    def check_head(self, received: int) -> None:
        """Refuse a request that is too long; ``received`` is all that came so far (LIMIT-5)."""
        if received - (len(self.reader.buffer) if self.events else 0) > MAX_HEAD and not self.eof_sent:
            self.events.clear()
            status = http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self.send_response(plain(status, f"at most {MAX_HEAD} bytes of request line and headers\n"))

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Ours if it was offered; none if none was; else HTTP 400 (CONN-1, CONN-2)."""
        if not subprotocols:
            return None
        if SUBPROTOCOL in subprotocols:
            return Subprotocol(SUBPROTOCOL)
        raise NegotiationError(f"this server speaks {SUBPROTOCOL} only")

    def process_origin(self, headers: Headers) -> Origin | None:
        """Refuse foreign web pages with HTTP 403 (CONN-3)."""
        origin = super().process_origin(headers)
        if origin is None or origin in self._allowed_origins:
            return origin
        scheme, _, host = origin.lower().partition("://")
        default = DEFAULT_PORTS.get(scheme, "")
        own = {value.strip().lower().removesuffix(default) for value in headers.get_all("Host")}
        if default and {host.removesuffix(default)} == own:
            return origin
        raise InvalidOrigin(origin)

    def recv_frame(self, frame: Frame) -> None:
        """The library's, with the size counted here: its own count would refuse a Ping between fragments."""
        if frame.opcode in DATA:
            self._received = self._received + len(frame.data) if frame.opcode is Opcode.CONT else len(frame.data)
            if self._received > self._frame_bytes:
                raise PayloadTooBig(self._received, self._frame_bytes)
            left = self._frame_bytes - (0 if frame.fin else self._received)
            self.max_fragment_size = max(left, MAX_CONTROL)
        elif self.state is CONNECTING:
            raise ProtocolError("a control frame before the handshake was answered")
        elif frame.opcode is Opcode.PING and self.state is not OPEN:
            return  # nothing follows our Close
        super().recv_frame(frame)

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """The library's, with the reason from the table (section 5) in place of its own words."""
        super().fail(code, CLOSES[code].name if code in CLOSES else reason)
