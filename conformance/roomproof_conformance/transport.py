"""One WebSocket connection to the server under judgement: handshake, any frame or byte, any rude end.

The library makes the request and checks a 101; what follows goes to the tolerant reader of `frames`. Knows no clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
import string
import struct
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, cast

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.extensions import Extension
from websockets.headers import parse_extension
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from .frames import BINARY, CLOSE, PING, PONG, TEXT, Fault, Frame, FrameReader, close_code_allowed, serialize

HEAD_LIMIT: Final = 64 * 2**10  # bytes of an HTTP response head
BODY_LIMIT: Final = 4 * 2**10  # bytes kept of the body of a refusal
BODY_WAIT: Final = 1.0  # seconds that the body of a refusal may take
SALVAGE_LIMIT: Final = 2**20  # bytes read from a socket that refused a write

_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/\d\.\d (\d{3})\b")

How = Literal["close", "eof", "reset", "aborted"]
Side = Literal["server", "kit"]


class Unreachable(Exception):
    """No WebSocket handshake took place: one clear line says why."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """The server's answer to the upgrade request.

    `ok` only if the upgrade holds (RFC 6455 4.1); otherwise `problem` says what is wrong with it.
    `body` is what a refusal carried, cut at `BODY_LIMIT`, transfer coding included.
    """

    status: int
    headers: list[tuple[str, str]]
    subprotocol: str | None = None
    extensions: str | None = None
    body: bytes = b""
    ok: bool = False
    problem: str = ""

    @property
    def deflate(self) -> bool:
        """Whether permessage-deflate (RFC 7692) is in force."""
        return self.ok and "permessage-deflate" in (self.extensions or "")


@dataclass(frozen=True, slots=True)
class End:
    """How a connection ended.

    `how`: `close` if the server sent a close frame, else how TCP ended: `eof`, `reset`, or `aborted` by the kit.
    `code` (None without one) and `reason` are the server's. `clean`: both sides sent a close frame (RFC 6455
    7.1.4). `by`: who began to end it; `tcp`: who ended TCP.
    """

    how: How
    code: int | None
    reason: str
    clean: bool
    by: Side
    tcp: Side


class Listener(Protocol):
    """Is told, in the order of the wire, everything that the server writes."""

    def frame(self, frame: Frame) -> None: ...
    def fault(self, fault: Fault) -> None: ...
    def ended(self, end: End) -> None: ...


class Connection(asyncio.Protocol):
    """An open connection; made by `open_connection`.

    Every writing method returns what it wrote, for the record. A write after the end goes nowhere and is
    no error: a server may hang up at any time.
    """

    auto_pong = True  # answer pings
    auto_close = True  # answer a close frame, and end TCP when the server does not:
    close_timeout = 10.0  # seconds that the server has to answer our close frame
    close_grace = 1.0  # seconds that it has to end TCP once both close frames were sent
    answered: Callable[[Frame], None] | None = None  # told of each frame written by `auto_pong`, `auto_close`

    def __init__(self, listener: Listener) -> None:
        self.ended: End | None = None
        self.bytes_in = self.bytes_out = 0
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._reader: FrameReader | None = None  # None until the handshake is over
        self._held = bytearray()  # what came before that
        self._news = asyncio.Event()  # set by whatever arrives before that
        self.transport: asyncio.Transport | None = None  # asyncio's, for the details of socket and TLS
        self._lost: tuple[Exception | None] | None = None  # connection_lost came
        self._over = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._first: Side | None = None  # who began to end the connection
        self._cut = self._eof = False  # the kit, the server ended TCP
        self._stalled = False  # the caller paused reading
        self._close_sent = False
        self._close: Frame | None = None  # the server's

    # Writing

    def text(self, s: str) -> Frame:
        """A text frame; lone surrogates are written as their three bytes, which is not UTF-8."""
        return self.frame(TEXT, s.encode(errors="surrogatepass"))

    def binary(self, b: bytes) -> Frame:
        return self.frame(BINARY, b)

    def ping(self, payload: bytes = b"") -> Frame:
        return self.frame(PING, payload)

    def close(self, code: int | None = 1000, reason: str = "") -> Frame:
        """A close frame with any code; None for an empty one. With `auto_close`, TCP ends in bounded time."""
        payload = b"" if code is None else struct.pack("!H", code) + reason.encode(errors="surrogatepass")
        return self.frame(CLOSE, payload)

    def frame(
        self,
        opcode: int,
        payload: bytes,
        *,
        fin: bool = True,
        rsv: int = 0,
        mask: bool = True,
        mask_key: bytes | None = None,
    ) -> Frame:
        """Any frame, legal or not. `rsv`: RSV1, RSV2, RSV3 as 4, 2, 1."""
        frame = Frame(opcode, payload, fin, rsv, mask)
        closing = opcode == CLOSE and not self._close_sent and self._live is not None
        self.raw(serialize(frame, mask_key))
        if closing:
            self._close_sent = True
            self._first = self._first or "kit"
            if self.auto_close:
                self._abort_in(self.close_grace if self._close else self.close_timeout)
        return frame

    def raw(self, data: bytes) -> bytes:
        """Any bytes."""
        if live := self._live:
            with contextlib.suppress(RuntimeError):  # asyncio's word for: our side is half-closed
                live.write(data)
                self.bytes_out += len(data)
        return data

    @property
    def unsent(self) -> int:
        """Bytes written that the kernel has not taken yet, because the server does not read."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    # Reading and ending

    def pause_reading(self) -> None:
        """Stop taking bytes from the kernel: a stalled client."""
        self._stalled = True
        if live := self._live:
            live.pause_reading()

    def resume_reading(self) -> None:
        self._stalled = False
        if live := self._live:
            live.resume_reading()

    def half_close(self) -> bool:
        """Send FIN and go on reading; False where that is impossible (TLS)."""
        if (live := self._live) is None or not live.can_write_eof():
            return False
        self._first = self._first or "kit"
        live.write_eof()
        return True

    def reset(self) -> None:
        """Send RST, as a client does whose process or network is gone."""
        if live := self._live:
            linger = struct.pack("ii", 1, 0)
            live.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.abort()

    def abort(self) -> None:
        """End TCP at once, without a close frame; what is unsent is dropped."""
        if self.transport is not None and self._lost is None:
            self._first = self._first or "kit"
            self._cut = not self._eof
            self.transport.abort()

    async def wait_ended(self, timeout: float) -> End | None:
        """The end, or None if there is none within `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), timeout)
        return self.ended

    # asyncio's side

    @property
    def _live(self) -> asyncio.Transport | None:
        return None if self.transport is None or self.transport.is_closing() else self.transport

    @property
    def _encrypted(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.bytes_in += len(data)
        if self._reader is not None:
            self._read(data)
            return
        self._held += data
        if len(self._held) > HEAD_LIMIT + BODY_LIMIT and (live := self._live):
            live.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        self._eof = True
        self._first = self._first or "server"
        self._abort_in(self.close_grace)  # asyncio closes now, but would wait for what is unsent
        self._news.set()
        # What came with the handshake is still to be read and answered (TLS cannot stay half open).
        return self._reader is None and not self._encrypted

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = (exc,)
        self._news.set()
        if self._reader is not None:
            self._finish(exc)

    # The opening, for `open_connection`

    async def read_head(self) -> bytes:
        """The response head with its empty line; raises `Unreachable`, EOFError or OSError without one."""
        held, searched = self._held, 0
        while True:
            self._news.clear()
            if not held.startswith(b"HTTP/"[: len(held)]):
                raise Unreachable(f"not HTTP but {bytes(held[:40])!r}; is this the WebSocket port?")
            if end := _HEAD_END.search(held, searched):
                return bytes(held[: end.end()])
            if len(held) > HEAD_LIMIT:
                raise Unreachable(f"the handshake's answer has a head of more than {HEAD_LIMIT} bytes")
            if self._lost is not None or self._eof:
                raise (self._lost and self._lost[0]) or EOFError
            searched = max(0, len(held) - 3)
            await self._news.wait()

    async def read_body(self, handshake: Handshake, start: int) -> bytes:
        """What comes of the body of a refusal within `BODY_WAIT` and `BODY_LIMIT`; `start` is its offset."""
        fields = {name.lower(): value for name, value in handshake.headers}
        length = fields.get("content-length", "")
        wanted = min(BODY_LIMIT, int(length)) if re.fullmatch("[0-9]{1,18}", length) else BODY_LIMIT
        if handshake.status < 200 or handshake.status in (204, 304):
            wanted = 0
        chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        held = self._held
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BODY_WAIT):
                while len(held) - start < wanted and self._lost is None and not self._eof:
                    if chunked and held.endswith(b"0\r\n\r\n"):
                        break
                    self._news.clear()
                    await self._news.wait()
        return bytes(held[start : start + wanted])

    def begin(self, reader: FrameReader, start: int) -> None:
        """Give `reader` what came behind the head, which ends at `start`, and everything from now on."""
        self._reader, held = reader, self._held
        if not self._stalled:
            self.resume_reading()
        self._read(bytes(held[start:]))
        held.clear()
        if self._eof and (live := self._live):
            live.close()
        if self._lost is not None:
            self._finish(*self._lost)

    def _read(self, data: bytes) -> None:
        assert self._reader is not None
        for item in self._reader.feed(data):
            if isinstance(item, Fault):
                self._listener.fault(item)
            else:
                self._listener.frame(item)
                self._react(item)

    def _react(self, frame: Frame) -> None:
        if frame.opcode == PING and self.auto_pong and frame.length <= 125:
            self._answer(PONG, frame.payload)
        elif frame.opcode == CLOSE and self._close is None:
            self._close = frame
            self._first = self._first or "server"
            if self.auto_close and self._close_sent:
                self._abort_in(self.close_grace)
            elif self.auto_close:
                code = frame.close_code
                legal = not frame.payload or (code is not None and close_code_allowed(code))
                self._answer(CLOSE, frame.payload[:2] if legal else struct.pack("!H", 1002))

    def _answer(self, opcode: int, payload: bytes) -> None:
        if self._live is not None:
            frame = self.frame(opcode, payload)
            if self.answered is not None:
                self.answered(frame)

    def _abort_in(self, seconds: float) -> None:
        """Bound the time until TCP ends: a client that stays connected stalls servers that wait for it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._lost is None:
            self._timer = self._loop.call_later(seconds, self.abort)

    def _finish(self, exc: Exception | None) -> None:
        assert self._reader is not None
        assert self.transport is not None
        if self._timer is not None:
            self._timer.cancel()
        if isinstance(exc, OSError) and not self._cut and not self._encrypted:
            self._salvage(self.transport.get_extra_info("socket").fileno())
        how: How = "aborted" if self._cut else "reset" if isinstance(exc, ConnectionError) else "eof"
        if how == "eof":
            for fault in self._reader.eof():
                self._listener.fault(fault)
        close = self._close
        code, reason = (close.close_code, close.close_reason) if close else (None, "")
        clean = close is not None and self._close_sent
        tcp: Side = "kit" if self._cut else "server"
        self.ended = End("close" if close else how, code, reason, clean, self._first or "server", tcp)
        self._listener.ended(self.ended)
        self._over.set()

    def _salvage(self, descriptor: int) -> None:
        """Read what the server wrote before it refused our bytes: asyncio gives it up, and it may say why."""
        left = SALVAGE_LIMIT
        with contextlib.suppress(OSError):
            while left > 0 and (data := os.read(descriptor, left)):
                left -= len(data)
                self.data_received(data)


class _Client(ClientProtocol):
    """The library's handshake. Extensions are offered and accepted as text: the kit decodes frames itself."""

    offered = ""

    def process_extensions(self, headers: Headers) -> list[Extension]:
        offered = {name for name, _ in parse_extension(self.offered)} if self.offered else set()
        answers = headers.get_all("Sec-WebSocket-Extensions")
        accepted = {name for answer in answers for name, _ in parse_extension(answer)}
        if unasked := sorted(accepted - offered):
            raise InvalidHandshake(f"unsupported extension: {', '.join(unasked)}")
        return []


async def open_connection(
    url: str,
    listener: Listener,
    *,
    subprotocols: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    timeout: float = 10,
    receive_buffer: int | None = None,
    extensions: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> tuple[Handshake, Connection | None]:
    """Connect to a `ws://` or `wss://` URL; path and query go on the wire as given.

    A refused or faulty upgrade is an outcome (`Handshake.ok` false, no connection), not an error.
    `headers` are added to the request, or replace those that it has anyway (`Host` and its like).
    `receive_buffer` is SO_RCVBUF in bytes; `ssl_context` replaces the default, which verifies certificates;
    `timeout` is in seconds, for everything. The listener hears nothing before this has returned.

    Raises `Unreachable`: bad URL, no such host, refused, timeout, TLS, or an answer that is not HTTP.
    """
    client, request = _request(url, subprotocols, headers, extensions)
    context = (ssl_context or ssl.create_default_context()) if client.uri.secure else None
    loop = asyncio.get_running_loop()
    connection, opened = Connection(listener), False
    try:
        async with asyncio.timeout(timeout):
            sock = await _connect(client.uri, receive_buffer)
            name = client.uri.host if context else None
            await loop.create_connection(lambda: connection, sock=sock, ssl=context, server_hostname=name)
            connection.raw(request)
            head = await connection.read_head()
        handshake = _judge(client, head)
        if not handshake.ok:
            return replace(handshake, body=await connection.read_body(handshake, len(head))), None
        opened = True
    except (OSError, EOFError, UnicodeError, Unreachable) as error:
        raise Unreachable(f"{url}: {_why(error, client.uri, timeout)}") from None
    finally:
        if not opened:
            connection.abort()
    loop.call_soon(connection.begin, FrameReader(deflate=handshake.deflate), len(head))
    return handshake, connection


def _request(
    url: str, subprotocols: Sequence[str], headers: Sequence[tuple[str, str]], extensions: str | None
) -> tuple[_Client, bytes]:
    """The library's client and the bytes of its request; raises `Unreachable` for what cannot be written."""
    try:
        client = _Client(parse_uri(url), subprotocols=[Subprotocol(name) for name in subprotocols] or None)
        client.offered = extensions or ""
        request = client.connect()
        request.path = _target(url)
        if extensions:
            request.headers["Sec-WebSocket-Extensions"] = extensions
        for name in {name.lower() for name, _ in headers if name in request.headers}:
            del request.headers[name]
        for name, value in headers:
            request.headers[name] = value
        client.key = request.headers.get("Sec-WebSocket-Key", client.key)
        return client, request.serialize()
    except (InvalidURI, InvalidHandshake, ValueError) as error:
        raise Unreachable(f"{url!r}: no handshake request: {error}; expected ws://host:port/path") from None


def _target(url: str) -> str:
    """Path and query as given; only what HTTP cannot carry (blanks, not ASCII) is percent-encoded."""
    rest = re.sub("^[^/?#]*", "", url.partition("://")[2])
    return "/" + urllib.parse.quote(rest, safe=string.punctuation).removeprefix("/")


async def _connect(uri: WebSocketURI, receive_buffer: int | None) -> socket.socket:
    loop = asyncio.get_running_loop()
    problem: OSError = OSError(f"no address for {uri.host}")
    for family, kind, _, _, address in await loop.getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            await loop.sock_connect(sock, address)
            return sock
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            problem = error
    raise problem


def _judge(client: _Client, head: bytes) -> Handshake:
    """Read the head with tolerance; the library decides whether a 101 holds."""
    if (match := _STATUS.match(head)) is None:
        raise Unreachable(f"no HTTP status line but {head[:40]!r}; is this the WebSocket port?")
    status = int(match[1])
    pairs = [line.decode("latin-1").partition(":") for line in head.splitlines()[1:] if b":" in line]
    headers = [(name.strip(), value.strip()) for name, _, value in pairs]
    if status != 101:
        return Handshake(status, headers, problem=f"the upgrade was refused with HTTP status {status}")
    client.receive_data(head)
    if (error := client.handshake_exc) is not None:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        return Handshake(status, headers, problem=f"{error}{cause}")
    accepted = [value for name, value in headers if name.lower() == "sec-websocket-extensions"]
    return Handshake(status, headers, client.subprotocol, ", ".join(accepted) or None, ok=True)


def _why(error: Exception, uri: WebSocketURI, timeout: float) -> str:
    """One line for a failed attempt to connect."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s; is the server up?"
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        return f"TLS failed: {why}; expected a wss:// port with a trusted certificate"
    if isinstance(error, socket.gaierror):
        return f"no such host: {uri.host}; check the URL"
    if isinstance(error, ConnectionRefusedError):
        return f"connection refused at port {uri.port}; is the server running there?"
    if isinstance(error, EOFError | ConnectionError):
        return "the server hung up before it answered the handshake; is this its WebSocket port?"
    return getattr(error, "strerror", None) or str(error)
