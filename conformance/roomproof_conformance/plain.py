"""TCP to the server under judgement without a WebSocket handshake: a plain GET, or a handshake never finished.

Knows no scenario, no dialect and no verdict.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Literal
from urllib.parse import urlsplit

from .transport import BODY_LIMIT, HEAD_LIMIT, Handshake, Unreachable


async def get(url: str, path: str | None = None, *, patience: float = 10) -> Handshake:
    """The answer to a plain GET of `path` (default: that of the `ws://` or `wss://` address) at its host.

    Raises Unreachable when none comes within `patience` seconds, or one that is not HTTP.
    """
    parts = urlsplit(url)
    target = path or (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(patience):
            reader, writer = await _open(url)
            try:
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.read(BODY_LIMIT)
            finally:
                await _close(writer)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise Unreachable(f"GET {target} at {parts.netloc}: {why}") from None
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = status.split(" ", 2)
    if not status.startswith("HTTP/") or len(fields) < 2 or not fields[1].isdigit():
        raise Unreachable(f"GET {target} at {parts.netloc}: answered no HTTP but {status[:40]!r}")
    pairs = [line.partition(":") for line in lines if line]
    return Handshake(int(fields[1]), [(name.strip(), value.strip()) for name, _, value in pairs], body=body)


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
