"""The opening of a connection by websocket-client, as a dialect wants it: for users on gevent and lean listeners alike.

Subprotocols go as a header of our own: the library refuses a server that answers without one, which RFC 6455 allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import websocket

from roomproof_conformance.dialects import Session


def opened(
    session: Session, base: str, patience: float, options: Sequence[tuple[int, int, int]] = ()
) -> websocket.WebSocket:
    """A connection that switched protocols. Raises WebSocketException, OSError or ValueError (DialectError)."""
    url, dialect = session.address(base), session.dialect
    headers = dialect.headers(session.variables)
    if dialect.subprotocols:
        headers = [*headers, ("Sec-WebSocket-Protocol", ", ".join(dialect.subprotocols))]
    origin = next((value for name, value in headers if name.lower() == "origin"), None)
    made = websocket.WebSocket(sockopt=list(options), skip_utf8_validation=True, enable_multithread=False)
    made.settimeout(patience)
    given: dict[str, Any] = {"origin": origin} if origin is not None else {"suppress_origin": True}
    made.connect(url, header=[f"{name}: {value}" for name, value in headers if name.lower() != "origin"], **given)
    chosen = (made.getheaders() or {}).get("sec-websocket-protocol")
    if dialect.require_subprotocol is not None and chosen != dialect.require_subprotocol:
        made.shutdown()
        raise websocket.WebSocketException(f"the server did not take the subprotocol {dialect.require_subprotocol}")
    made.settimeout(None)
    return made
