"""The connection against small servers that write raw bytes, and against the library's server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol
from websockets.utils import accept_key

from roomproof_conformance.frames import (
    CLOSE,
    KEPT,
    PING,
    PONG,
    TEXT,
    Fault,
    Frame,
    FrameReader,
    deflate,
    serialize,
)
from roomproof_conformance.transport import (
    BODY_LIMIT,
    Connection,
    End,
    Handshake,
    Unreachable,
    open_connection,
)

PATIENCE, LINGER = 10, struct.pack("ii", 1, 0)  # seconds, a bound and never a wait; what makes a RST


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.items: list[Frame | Fault | End] = []
        self._arrived = asyncio.Event()

    def frame(self, frame: Frame) -> None:
        self._add(frame)

    def fault(self, fault: Fault) -> None:
        self._add(fault)

    def ended(self, end: End) -> None:
        self._add(end)

    def _add(self, item: Frame | Fault | End) -> None:
        self.items.append(item)
        self._arrived.set()

    async def until(self, *names: str) -> None:
        """Wait for frames or faults of these names."""
        async with asyncio.timeout(PATIENCE):
            while not set(names) <= set(self.names):
                self._arrived.clear()
                await self._arrived.wait()

    @property
    def frames(self) -> list[Frame]:
        return [item for item in self.items if isinstance(item, Frame)]

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.items if not isinstance(item, End)]


class Peer:
    """The server's side of one TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.request = b""
        self._frames = FrameReader()
        self._ready: list[Frame] = []

    async def answer(self, data: bytes) -> None:
        """Read the request and write any bytes."""
        self.request = await self.reader.readuntil(b"\r\n\r\n")
        self.writer.write(data)

    async def upgrade(self, *headers: str, behind: bytes = b"") -> None:
        """Accept the handshake; `behind` goes into the same write."""
        self.request = await self.reader.readuntil(b"\r\n\r\n")
        match = re.search(rb"Sec-WebSocket-Key: (\S+)", self.request)
        assert match is not None
        head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *headers]
        head.append(f"Sec-WebSocket-Accept: {accept_key(match[1].decode())}")
        self.writer.write("\r\n".join([*head, "", ""]).encode() + behind)

    async def frame(self) -> Frame:
        """The kit's next frame."""
        while not self._ready:
            data = await self.reader.read(65536)
            assert data, "the kit hung up"
            self._ready += [item for item in self._frames.feed(data) if isinstance(item, Frame)]
        return self._ready.pop(0)

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(handler: Handler, host: str = "127.0.0.1", tls: Any = None) -> AsyncGenerator[str]:
    """A server on a free port; gives its URL. TCP ends with the handler; what that raises fails the test."""
    running: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):  # the kit may be rude
            try:
                await handler(Peer(reader, writer))
            finally:
                writer.close()
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.create_task(serve_one(reader, writer)))

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"{'wss' if tls else 'ws'}://{name}:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*running)
    finally:
        server.close()
        for task in running:
            task.cancel()


def upgrades(behind: bytes = b"", *, until_eof: bool = False) -> Handler:
    """A handler that accepts, writes `behind` with it, and hangs up: at once, or after the kit's FIN."""

    async def handler(peer: Peer) -> None:
        await peer.upgrade(behind=behind)
        if until_eof:
            await peer.reader.read()

    return handler


async def connect(url: str, heard: Heard | None = None, **options: Any) -> Connection:
    _, connection = await open_connection(url, heard or Heard(), **options)
    assert connection is not None
    return connection


async def ended(connection: Connection) -> End:
    end = await connection.wait_ended(PATIENCE)
    assert end is not None
    return end


def closing(code: int, reason: bytes = b"") -> bytes:
    return serialize(Frame(CLOSE, struct.pack("!H", code) + reason))


def text(s: str) -> bytes:
    return serialize(Frame(TEXT, s.encode()))


@pytest.mark.parametrize("deflated", [False, True])
async def test_conversation_with_the_library_s_server(deflated: bool) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    heard, offer = Heard(), "permessage-deflate" if deflated else None
    async with serve(echo, "127.0.0.1", 0, subprotocols=[Subprotocol("b")]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        handshake, connection = await open_connection(url, heard, subprotocols=["a", "b"], extensions=offer)
        assert (handshake.status, handshake.subprotocol, handshake.deflate) == (101, "b", deflated)
        assert connection is not None
        if deflated:
            connection.frame(TEXT, deflate(b"zoe"), rsv=4)
        else:
            assert connection.text("zoe") == Frame(TEXT, b"zoe", masked=True)
        connection.binary(bytes(70_000))
        connection.ping(b"?")
        await heard.until("text", "binary", "pong")
        connection.close(1000, "bye")
        assert await ended(connection) == End("close", 1000, "bye", clean=True, by="kit", tcp="server")
    assert sorted(heard.names) == ["binary", "close", "pong", "text"]
    assert all(bool(frame.rsv) == (deflated and frame.opcode in (1, 2)) for frame in heard.frames)
    assert deflated or {Frame(TEXT, b"zoe"), Frame(2, bytes(70_000)), Frame(PONG, b"?")} < set(heard.frames)
    assert heard.items[-1] == connection.ended


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_the_request_is_as_given(host: str) -> None:
    lines: list[str] = []

    async def handler(peer: Peer) -> None:
        await peer.upgrade()
        lines.extend(peer.request.decode().split("\r\n"))

    async with listening(handler, host) as url:
        headers = [("Origin", "http://o"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("host", "other:1")]
        await connect(f"{url}/a%2Fb;v=1/ü x?q=%20&r", headers=headers)
    assert lines[0] == "GET /a%2Fb;v=1/%C3%BC%20x?q=%20&r HTTP/1.1"
    assert {"Origin: http://o", "Cookie: a=1", "Cookie: b=2", "host: other:1"} <= set(lines)
    assert sum(line.lower().startswith("host:") for line in lines) == 1


async def test_whatever_is_asked_for_is_written() -> None:
    got: list[Frame] = []

    async def handler(peer: Peer) -> None:
        await peer.upgrade()
        got.extend([await peer.frame() for _ in range(5)])

    async with listening(handler) as url:
        connection = await connect(url)
        written = [connection.frame(3, b"?", rsv=7), connection.frame(TEXT, b"bare", mask=False)]
        written += [connection.frame(PING, bytes(200), fin=False), connection.text("\ud800")]
        assert connection.raw(serialize(Frame(TEXT, b"raw", masked=True))) != b""
        await ended(connection)
    assert got == [*written, Frame(TEXT, b"raw", masked=True)]
    assert got[3].payload == b"\xed\xa0\x80"


async def test_pings_are_answered_unless_switched_off() -> None:
    got: list[Frame] = []

    async def handler(peer: Peer) -> None:
        await peer.upgrade(behind=serialize(Frame(PING, b"1")))
        got.append(await peer.frame())
        peer.writer.write(serialize(Frame(PING, b"2")) + text("go"))
        got.append(await peer.frame())

    heard = Heard()
    async with listening(handler) as url:
        connection = await connect(url, heard)
        await heard.until("ping")
        connection.auto_pong = False
        await heard.until("text")
        connection.text("went")
        await ended(connection)
    assert got == [Frame(PONG, b"1", masked=True), Frame(TEXT, b"went", masked=True)]


SERVER: Final = "server"
KIT: Final = "kit"
EOF, ABORTED = End("eof", None, "", False, SERVER, SERVER), End("aborted", None, "", False, KIT, KIT)
RESERVED = End("close", 1006, "", True, SERVER, SERVER)
# What the server writes; what the kit does ("close", or "ignore" a close); how it ends; what is heard.
ENDS: list[tuple[bytes, str, End, list[str]]] = [
    (b"", "", EOF, []),
    (serialize(Frame(3, b"")) + text("ok"), "", EOF, ["reserved-opcode", "reserved-3", "text"]),
    (text("cut")[:-1], "", EOF, ["truncated-frame"]),
    (b"HTTP/1.1 500 Oops\r\n\r\n<h1>", "", EOF, ["http-in-stream"]),
    (closing(1001, b"x"), "", End("close", 1001, "x", True, SERVER, SERVER), ["close", "answer 1001"]),
    (closing(1006), "", RESERVED, ["close-code-reserved", "close", "answer 1002"]),
    (closing(1000), "close", End("close", 1000, "", True, KIT, KIT), ["close"]),
    (b"", "close", ABORTED, []),
    (closing(1000), "ignore", End("close", 1000, "", False, SERVER, SERVER), ["close"]),
]


@pytest.mark.parametrize(("behind", "kit", "end", "names"), ENDS)
async def test_ends(behind: bytes, kit: str, end: End, names: list[str]) -> None:
    heard, answers = Heard(), list[Frame]()
    async with listening(upgrades(behind, until_eof=kit == "close")) as url:
        connection = await connect(url, heard)
        assert heard.items == []  # nothing is heard before the handshake is known
        connection.answered = answers.append
        connection.auto_close = kit != "ignore"
        if kit == "close":
            connection.close_timeout = connection.close_grace = 0.01
            connection.close()
        assert await ended(connection) == end
        before = connection.bytes_out
        assert connection.text("too late").text == "too late"
        connection.close()
        connection.reset()
        assert not connection.half_close()
    assert (connection.bytes_out, connection.ended) == (before, end)
    assert heard.names + [f"answer {frame.close_code}" for frame in answers] == names


@pytest.mark.parametrize("stalled", [False, True])
async def test_a_reset_by_the_server_does_not_hide_its_close_frame(stalled: bool) -> None:
    async def handler(peer: Peer) -> None:
        await peer.upgrade()
        await peer.frame()
        if stalled:
            peer.writer.write(closing(1009))
        peer.reset()

    heard = Heard()
    async with listening(handler) as url:
        connection = await connect(url, heard)
        if stalled:
            connection.pause_reading()  # so that a write, not a read, meets the reset
        async with asyncio.timeout(PATIENCE):
            while connection.ended is None:
                connection.text("more")
                await asyncio.sleep(0)
    assert heard.names == (["close"] if stalled else [])
    how, code = ("close", 1009) if stalled else ("reset", None)
    assert (connection.ended.how, connection.ended.code, connection.ended.tcp) == (how, code, SERVER)


@pytest.mark.parametrize("rude", ["reset", "abort", "half_close"])
async def test_rude_ends_of_the_kit(rude: str) -> None:
    seen: list[object] = []

    async def handler(peer: Peer) -> None:
        await peer.upgrade()
        try:
            seen.append(await peer.reader.read())
        except ConnectionError as error:
            seen.append(type(error))
        peer.writer.write(text("still here"))

    heard = Heard()
    async with listening(handler) as url:
        connection = await connect(url, heard)
        getattr(connection, rude)()
        end = await ended(connection)
    assert seen == [ConnectionResetError if rude == "reset" else b""]
    assert (end.by, end.how) == (KIT, "eof" if rude == "half_close" else "aborted")
    assert heard.names == (["text"] if rude == "half_close" else [])


async def test_a_stalled_client_reads_nothing_until_it_resumes() -> None:
    size, stalled = 64 * 2**20, asyncio.Event()  # more than the kernel buffers

    async def handler(peer: Peer) -> None:
        await peer.upgrade()
        await peer.frame()
        peer.writer.write(serialize(Frame(2, bytes(size))))
        stalled.set()

    heard = Heard()
    async with listening(handler) as url:
        connection = await connect(url, heard, receive_buffer=4096)
        assert connection.transport is not None
        option = connection.transport.get_extra_info("socket").getsockopt
        assert option(socket.SOL_SOCKET, socket.SO_RCVBUF) in (4096, 8192)  # Linux doubles it
        assert option(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.pause_reading()
        connection.text("go")
        await asyncio.wait_for(stalled.wait(), PATIENCE)
        assert await connection.wait_ended(0.001) is None
        assert connection.bytes_in < 1000
        connection.resume_reading()
        assert (await ended(connection)).how == "eof"
    (frame,) = heard.frames
    assert (frame.length, len(frame.payload)) == (size, KEPT)


async def attempt(answer: bytes, *, until_eof: bool = False) -> Handshake:
    async def handler(peer: Peer) -> None:
        await peer.answer(answer)
        if until_eof:
            await peer.reader.read()

    async with listening(handler) as url:
        handshake, connection = await open_connection(url, Heard())
    assert connection is None
    return handshake


REFUSED = b"HTTP/1.1 403 Forbidden\r\nX-Why: too many\r\nContent-Length: 4\r\n\r\nfull"
CHUNKED = b"HTTP/1.1 400\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
UPGRADED = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
REFUSALS = [
    (REFUSED, 403, b"full", "403"),
    (CHUNKED, 400, b"2\r\nno\r\n0\r\n\r\n", "400"),
    (b"HTTP/1.0 503 Busy\nServer: old\n\nlater", 503, b"later", "503"),
    (b"HTTP/1.1 204 No Content\r\n\r\nx", 204, b"", "204"),
    (b"HTTP/1.1 500 Oops\r\n\r\n" + bytes(300_000), 500, bytes(BODY_LIMIT), "500"),
    (b"HTTP/1.1 500 Oops\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx", 500, b"x", "500"),
    (b"HTTP/1.1 101 Switching\r\n\r\n", 101, b"", "Connection"),
    (UPGRADED + b"\r\n", 101, b"", "Sec-WebSocket-Accept"),
    (UPGRADED + b"Sec-WebSocket-Accept: x\r\n\r\n", 101, b"", "Sec-WebSocket-Accept"),
    (UPGRADED.replace(b"\r\n", b"\n") + b"\n", 101, b"", "HTTP response"),
]


@pytest.mark.parametrize(("answer", "status", "body", "problem"), REFUSALS)
async def test_a_refusal_is_an_outcome(answer: bytes, status: int, body: bytes, problem: str) -> None:
    for until_eof in {False, answer in (REFUSED, CHUNKED)}:
        handshake = await attempt(answer, until_eof=until_eof)
        assert (handshake.status, handshake.body) == (status, body)
        assert problem in handshake.problem
        assert answer != REFUSED or ("X-Why", "too many") in handshake.headers


@pytest.mark.parametrize("header", ["Sec-WebSocket-Protocol: other", "Sec-WebSocket-Extensions: other"])
async def test_answers_that_were_not_asked_for(header: str) -> None:
    async with listening(lambda peer: peer.upgrade(header)) as url:
        handshake, connection = await open_connection(url, Heard(), subprotocols=["chat"], extensions="mine")
    assert connection is None
    assert "other" in handshake.problem


NO_ANSWERS = [
    (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
    (b"HTTP/x\r\n\r\n", "no HTTP status line"),
    (b"", "hung up"),
    (b"HTTP/1.1 200 OK\r\n", "hung up"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000, "head of more than"),
]


@pytest.mark.parametrize(("answer", "line"), NO_ANSWERS)
async def test_no_answer_to_the_handshake(answer: bytes, line: str) -> None:
    with pytest.raises(Unreachable, match=rf"^ws://[^\n]*{line}[^\n]*$"):
        await attempt(answer)


async def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(Unreachable, match=r"within 0\.05 s"):
            await open_connection(f"ws://127.0.0.1:{port}/", Heard(), timeout=0.05)
    with pytest.raises(Unreachable, match=f"refused at port {port}"):
        await open_connection(f"ws://127.0.0.1:{port}/", Heard())


@pytest.mark.parametrize("url", ["http://h/", "ws:///", "ws://h:99999/", "ws://a@h/", "ws://h/#x"])
async def test_bad_urls_and_headers(url: str) -> None:
    with pytest.raises(Unreachable, match="expected ws://"):
        await open_connection(url, Heard())
    with pytest.raises(Unreachable, match="X-Bad"):
        await open_connection("ws://127.0.0.1:1/", Heard(), headers=[("X-Bad", f"{url}\r\nX: y")])


# TLS, with a certificate of nobody for localhost and 127.0.0.1
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8KotSr7V+kYfdd/z
wP95a9tptglocVXMHc7AjpJ0+dyhRANCAARgIhz+3oG92IIMgJGS7HEpqxtoksDL
YZkj+Qjxw3NyIS/JL5yhISdVnsfnfGxEiq1oEjacMlmAEwoG3swKCU8X
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBaDCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGAiHP7egb3YggyA
kZLscSmrG2iSwMthmSP5CPHDc3IhL8kvnKEhJ1Wex+d8bESKrWgSNpwyWYATCgbe
zAoJTxejTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBS1QYRwyBrvVUwf0y2YaQSDIC/gtjAKBggqhkjOPQQD
AgNJADBGAiEAv4U0whmLf+uDIgoM6WPmxn3beEQM5ykE0twaxlmeCvwCIQDrVvcN
jW7taF590TwNzs8fSIWtq1ZCu9NdGPg/tmTfMQ==
-----END CERTIFICATE-----
"""


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, and that of a client who trusts it."""
    path = tmp_path / "certificate.pem"
    path.write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, ssl.create_default_context(cafile=str(path))


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext], how: str) -> None:
    async def handler(peer: Peer) -> None:
        await peer.upgrade(behind=text("early") + (closing(1000) if how == "close" else b""))
        await peer.frame()
        if how == "reset":
            peer.reset()

    async with listening(handler, tls=contexts[0]) as url:
        connection = await connect(url, ssl_context=contexts[1])
        assert not connection.half_close()
        connection.text("hi")
        assert (await ended(connection)).how == how


async def test_tls_fails(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def refuse_at_once(peer: Peer) -> None:
        peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(upgrades(), tls=contexts[0]) as url:
        with pytest.raises(Unreachable, match="TLS failed: self-signed"):
            await open_connection(url, Heard())
    async with listening(refuse_at_once) as url:
        with pytest.raises(Unreachable, match="TLS failed"):
            await open_connection(url.replace("ws:", "wss:"), Heard())
