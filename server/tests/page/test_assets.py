"""The page's files as they are served: headers, entity tags, methods. No browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from roomproof_server import page

Get = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]


@pytest.fixture
async def get(node: Any) -> Get:
    """Sends a plain HTTP request: status, headers in lower case, body."""
    server = await node()

    async def get(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await server.raw()
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "x", **headers}.items()]
        writer.write("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode())
        head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        return int(status.split()[1]), {k.lower(): v for k, _, v in (field.partition(": ") for field in fields)}, body

    return get


@pytest.mark.parametrize(
    ("path", "content_type", "begin"),
    [
        ("/", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/client.js", "text/javascript; charset=utf-8", b"/**"),
        ("/elements.js", "text/javascript; charset=utf-8", b"/**"),
        ("/page.js", "text/javascript; charset=utf-8", b"/**"),
        ("/page.css", "text/css; charset=utf-8", b"/*"),
        ("/icon.svg", "image/svg+xml", b"<svg "),
    ],
)
async def test_files(get: Get, path: str, content_type: str, begin: bytes) -> None:
    status, headers, body = await get(path)
    assert (status, headers["content-type"]) == (200, content_type)
    assert body.startswith(begin)
    assert int(headers["content-length"]) == len(body)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-cache"
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert policy["require-trusted-types-for"] == "'script'"

    same, head, nothing = await get(path, "HEAD")
    assert (same, nothing) == (200, b"")
    assert head["content-length"] == headers["content-length"]

    for known in (headers["etag"], f'"other", W/{headers["etag"]}', "*"):
        status, again, nothing = await get(path, If_None_Match=known)
        assert (status, nothing) == (304, b"")
        assert again["etag"] == headers["etag"]
    assert (await get(path, If_None_Match='"other"'))[0] == 200


@pytest.mark.parametrize(
    "path", ["/page", "/page.js/", "/index.html", "/__init__.py", "/../page.js", "//page.js", "/%70age.js"]
)
async def test_nothing_else(get: Get, path: str) -> None:
    assert (await get(path))[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_methods(get: Get, method: str) -> None:
    status, headers, _ = await get("/page.js", method)
    assert status == 405
    assert headers["allow"] == "GET, HEAD"


def test_nothing_from_elsewhere() -> None:
    """No file names another host, nor anything that turns text into HTML or a script."""
    for path in page.PATHS:
        text = page.asset(path).body.decode()
        addresses = set(re.findall(r"(?:https?|wss?)://[\w.]+", text)) - {"http://www.w3.org", "ws://127.0.0.1"}
        assert addresses == set(), path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|style=|\son\w+=", text
        )
