"""Faults of signed tokens: which are let in, and what happens when one expires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt

from roomproof_protocol import ProtocolError
from roomproof_server.auth import tokens
from roomproof_server.auth.tokens import TokenVerifier
from roomproof_server.rules import session
from roomproof_server.rules.identity import Expiry, Identity
from roomproof_server.rules.session import Session

from .lying import instead_of, liar
from .wrong_input import Frame


@liar
def auth_2_takes_unsigned() -> None:
    """A token with `alg: none` is believed."""

    @instead_of(TokenVerifier, "_claims")
    def claims(honest: Callable[..., Any], self: Any, token: str) -> Any:
        if token.endswith("."):
            return jwt.decode(token, options={"verify_signature": False})
        return honest(self, token)


@liar
def auth_2_any_audience() -> None:
    """A token for another audience is taken."""
    assert "verify_exp" in tokens.OPTIONS
    tokens.OPTIONS["verify_aud"] = False


@liar
def auth_2_takes_early() -> None:
    """A token that is not valid yet is taken."""

    @instead_of(tokens, "_time")
    def time(honest: Callable[..., Any], claims: Any, name: str) -> Any:
        return None if name == "nbf" else honest(claims, name)


@liar
def auth_3_closes_4401() -> None:
    """An expired token is closed 4401, like any that is not accepted."""

    @instead_of(Session, "_verified")
    def verified(honest: Callable[..., Any], self: Any, token: str, field: str) -> Any:
        try:
            return honest(self, token, field)
        except ProtocolError as error:
            error.code = "unauthenticated"
            raise


@liar
def auth_4_no_notice() -> None:
    """Nobody is told that their token is about to expire."""

    @instead_of(Expiry, "due")
    def due(honest: Callable[..., Any], self: Any, wall: int) -> Any:
        found = honest(self, wall)
        return None if found == "notice" else found


@liar
def auth_4_always_at_once() -> None:
    """Everybody with a token is told right after welcome that it is about to expire."""

    @instead_of(Expiry, "__init__")
    def init(honest: Callable[..., None], self: Any, expires_at: int, spread: float) -> None:
        honest(self, expires_at, spread)
        self._warn_at = 0


@liar
def auth_4_any_subject() -> None:
    """A connection can be renewed with anybody's token."""

    @instead_of(session._HANDLERS, "auth")
    def auth(honest: Callable[..., None], self: Any, request: Frame) -> None:
        own = self.user_id
        self.user_id = self._verified(request["token"], "/token").id
        try:
            honest(self, request)
        finally:
            self.user_id = own


@liar
def auth_4_refusal_closes() -> None:
    """A refused renewal closes the connection."""

    @instead_of(session._HANDLERS, "auth")
    def auth(honest: Callable[..., None], self: Any, request: Frame) -> None:
        try:
            honest(self, request)
        except ProtocolError as error:
            self._refuse(error, request["id"])
            self._close(4401)


@liar
def auth_4_first_expiry_counts() -> None:
    """A renewal is answered, and the connection closed when the first token expires."""

    @instead_of(session._HANDLERS, "auth")
    def auth(honest: Callable[..., None], self: Any, request: Frame) -> None:
        first = self._expiry
        honest(self, request)
        self._expiry = first


@liar
def auth_5_lives_on() -> None:
    """A connection outlives its token."""

    @instead_of(Expiry, "due")
    def due(honest: Callable[..., Any], self: Any, wall: int) -> Any:
        return None if wall >= self.expires_at else honest(self, wall)


@liar
def auth_11_guest_subject() -> None:
    """A token whose subject begins `guest:` makes its holder that guest."""

    @instead_of(TokenVerifier, "__call__")
    def call(honest: Callable[..., Any], self: Any, token: str) -> Any:
        claims = self._claims(token)
        if claims["sub"].startswith("guest:"):
            return Identity(claims["sub"], None, int(claims["exp"]) * 1000)
        return honest(self, token)


@liar
def auth_11_cuts_subjects() -> None:
    """A subject that is too long for a user id is cut to fit."""

    @instead_of(TokenVerifier, "_claims")
    def claims(honest: Callable[..., Any], self: Any, token: str) -> Any:
        found = honest(self, token)
        return {**found, "sub": found["sub"][:128]}
