"""TCP to the server under judgement without a WebSocket handshake: a plain GET, what a dialect asks over
HTTP, or a handshake never finished.

Knows no scenario, no dialect file and no verdict.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from typing import Final, Literal
from urllib.parse import urlsplit

from .dialects.requests import Request, Response
from .transport import BODY_LIMIT, HEAD_LIMIT, Handshake, Unreachable

ANSWER_LIMIT: Final = 4 * 2**20
"""Bytes kept of the body of an answer to a dialect's request."""


async def get(url: str, path: str | None = None, *, patience: float = 10) -> Handshake:
    """The answer to a plain GET of `path` (default: that of the `ws://` or `wss://` address) at its host.

    Raises Unreachable when none comes within `patience` seconds, or one that is not HTTP.
    """
    parts = urlsplit(url)
    target = path or (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    status, pairs, body = await _ask(url, request.encode(), f"GET {target} at {parts.netloc}", patience, BODY_LIMIT)
    return Handshake(status, pairs, body=body)


async def fetch(url: str, request: Request, *, patience: float = 10) -> Response:
    """Ask a dialect's request at the host of a `ws://` or `wss://` address.

    Raises Unreachable when no answer comes within `patience` seconds, or one that is not HTTP.
    """
    host = urlsplit(url).netloc
    lines = [f"{request} HTTP/1.1", f"Host: {host}", "Accept: */*", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    whole = "\r\n".join([*lines, "", ""]).encode() + request.body
    status, pairs, body = await _ask(url, whole, f"{request} at {host}", patience, ANSWER_LIMIT)
    fields = {name.lower(): value for name, value in pairs}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = _unchunked(body)
    return Response(status, tuple(pairs), body)


def _unchunked(body: bytes) -> bytes:
    """The content of a chunked body, as far as it goes (RFC 9112, 7.1)."""
    whole = b""
    while body:
        line, _, body = body.partition(b"\r\n")
        size = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size) or not (length := int(size, 16)):
            break
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


async def _ask(
    url: str, request: bytes, what: str, patience: float, most: int
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and at most `most` bytes of the body of an answer. Raises Unreachable."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await _open(url)
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = re.findall(rb"(?i)\r\ncontent-length: *([0-9]{1,9})\r\n", head)
                most = min(most, int(lengths[0])) if lengths else most
                body = b""
                while len(body) < most and (more := await reader.read(most - len(body))):
                    body += more
            finally:
                await _close(writer)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise Unreachable(f"{what}: {why}") from None
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = status.split(" ", 2)
    if not status.startswith("HTTP/") or len(fields) < 2 or not fields[1].isdigit():
        raise Unreachable(f"{what}: answered no HTTP but {status[:40]!r}")
    pairs = [line.partition(":") for line in lines if line]
    return int(fields[1]), [(name.strip(), value.strip()) for name, _, value in pairs], body


async def unfinished(url: str, begun: bytes, *, patience: float) -> Literal["eof", "reset"] | None:
    """Connect, write `begun` and nothing more: how the server ends TCP, or None when it has not in `patience` seconds.

    Raises Unreachable when nobody takes the connection.
    """
    try:
        reader, writer = await _open(url)
    except OSError as error:
        raise Unreachable(f"{url}: {error}") from None
    try:
        writer.write(begun)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while await reader.read(HEAD_LIMIT):
                    pass  # an answer such as 408 may come before the end
                return "eof"
    except OSError:
        return "reset"
    finally:
        await _close(writer)
    return None


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _open(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    secure = ssl.create_default_context() if parts.scheme == "wss" else None
    port = parts.port or (443 if secure else 80)
    return await asyncio.open_connection(parts.hostname, port, ssl=secure, limit=HEAD_LIMIT)
