"""What plain HTTP gets: the browser page, health, readiness and metrics.

It must not know connections; what it shows comes from the callables that it is given.
"""

from __future__ import annotations

import email.utils
import http
from collections.abc import Callable, Collection, Mapping

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from roomproof_protocol import ENDPOINT
from roomproof_server import page

PLAIN = "text/plain; charset=utf-8"
LIVE = frozenset({"/healthz", "/readyz", "/metrics"})


class Pages:
    """The pages of one server.

    ``readiness`` names what has to be fine, and whether it is; ``metrics`` gives the content type and body of
    ``/metrics``.
    """

    def __init__(self, readiness: Callable[[], Mapping[str, bool]], metrics: Callable[[], tuple[str, bytes]]) -> None:
        self._readiness, self._metrics = readiness, metrics

    def answer(self, path: str, request: Request) -> Response:
        """The response for a path that is not the WebSocket's."""
        if request.method not in ("GET", "HEAD"):
            response = plain(http.HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD here\n", Allow="GET, HEAD")
        elif path in LIVE:
            response = self._live(path)
        elif path in page.PATHS:
            response = _asset(page.asset(path), request.headers.get_all("If-None-Match"))
        else:
            response = plain(http.HTTPStatus.NOT_FOUND, f"nothing here; the WebSocket is at {ENDPOINT}\n")
        if request.method == "HEAD":
            response.body = b""
        return response

    def _live(self, path: str) -> Response:
        if path == "/metrics":
            content_type, body = self._metrics()
            return _response(http.HTTPStatus.OK, body, content_type, {"Cache-Control": "no-store"})
        # That it is answered at all says that the loop turns.
        missing = [] if path == "/healthz" else [name for name, fine in self._readiness().items() if not fine]
        status = http.HTTPStatus.SERVICE_UNAVAILABLE if missing else http.HTTPStatus.OK
        text = f"not ready: {', '.join(missing)}\n" if missing else "ok\n"
        return plain(status, text, Cache_Control="no-store")


def plain(status: http.HTTPStatus, text: str, **headers: str) -> Response:
    """A response of one line; in the names of headers ``_`` stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _response(status, text.encode(), PLAIN, named)


def _asset(asset: page.Asset, if_none_match: Collection[str]) -> Response:
    if asset.known_to(if_none_match):
        return _response(http.HTTPStatus.NOT_MODIFIED, None, None, asset.headers)
    return _response(http.HTTPStatus.OK, asset.body, None, asset.headers)


def _response(
    status: http.HTTPStatus, body: bytes | None, content_type: str | None, more: Mapping[str, str]
) -> Response:
    headers = Headers(Date=email.utils.formatdate(usegmt=True), Connection="close")
    if body is not None:
        headers["Content-Length"] = str(len(body))
    if content_type is not None:
        headers["Content-Type"] = content_type
    headers.update(more)
    return Response(status.value, status.phrase, headers, body or b"")
