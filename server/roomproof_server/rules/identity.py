"""Who a token's holder is, and when that ends: the notice before and the close at expiry (AUTH-4, AUTH-5).

How a token is checked is not known here. Times are ``wall``, milliseconds since 1970: what a token says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# Within 30..60 s before expiry, with room for the timer on both sides (AUTH-4).
EARLIEST_MS, LATEST_MS = 58_000, 35_000


@dataclass(frozen=True, slots=True)
class Identity:
    """A user by token: the id, the issuer's name for them (None: it has none), and the end in ms since 1970."""

    id: str
    name: str | None
    expires_at: int


Verify = Callable[[str], Identity]
"""Whose token it is. Raises ProtocolError `unauthenticated` or `token_expired`."""


class Expiry:
    """The end of one connection's token. ``spread`` in 0..1 places the notice, so that users who all came in the
    same second do not all renew in the same second."""

    __slots__ = ("_warn_at", "expires_at")

    def __init__(self, expires_at: int, spread: float) -> None:
        self.expires_at = expires_at
        self._warn_at: int | None = expires_at - LATEST_MS - round(spread * (EARLIEST_MS - LATEST_MS))

    def due(self, wall: int) -> Literal["notice", "expired"] | None:
        """What has to happen at ``wall``; asking notes a notice as given."""
        if wall >= self.expires_at:
            return "expired"
        if self._warn_at is not None and wall >= self._warn_at:
            self._warn_at = None
            return "notice"
        return None

    def next(self) -> int:
        """When `due` will have something."""
        return self.expires_at if self._warn_at is None else self._warn_at
