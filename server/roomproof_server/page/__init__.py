"""The browser page at ``/``: its files and the headers they are served with.

It must not know sockets, nor the protocol: what the page says to the server is in ``client.js``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

# Nothing from elsewhere, nothing inline, nobody's frame; and in browsers that know trusted types no text
# can become HTML or a script, whatever the page's code does.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/client.js": ("client.js", "text/javascript; charset=utf-8"),
    "/elements.js": ("elements.js", "text/javascript; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

PATHS: Collection[str] = frozenset(_FILES)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page: its bytes, its entity tag, and the headers to send with it."""

    body: bytes
    etag: str
    headers: Mapping[str, str]

    def known_to(self, if_none_match: Collection[str]) -> bool:
        """Whether a request with these ``If-None-Match`` values has it already: answer 304 then."""
        tags = [tag.strip().removeprefix("W/") for value in if_none_match for tag in value.split(",")]
        return self.etag in tags or "*" in tags


@cache
def asset(path: str) -> Asset:
    """The file served at this path, read once. Raises KeyError for a path that is not in `PATHS`."""
    name, content_type = _FILES[path]
    body = files(__name__).joinpath(name).read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {
        "Content-Type": content_type,
        "ETag": etag,
        "Cache-Control": "no-cache",  # ask each time: a new server may have a new page
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Asset(body, etag, MappingProxyType(headers))
