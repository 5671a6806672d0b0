"""Whose token it is: signature, audience, issuer and times of a JSON Web Token (AUTH-2, AUTH-3, AUTH-11).

What is refused raises `ProtocolError`, its text without anything of the token. Time is given: ``wall`` is
milliseconds since 1970.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from roomproof_protocol import MAX_INT, ProtocolError, is_user_id, name_fault, normalise_name
from roomproof_server.auth.keys import KeyFile, Keys
from roomproof_server.rules.identity import Identity
from roomproof_server.settings import JwtSettings

# PyJWT's own clock is not asked: exp is exact here, and tests have a clock of their own.
OPTIONS: Any = {"require": ["exp", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Implements `roomproof_server.rules.identity.Verify`."""

    settings: JwtSettings
    keys: Callable[[], Keys]
    wall: Callable[[], int]

    def __call__(self, token: str) -> Identity:
        claims = self._claims(token)
        now = self.wall()
        expires_at, begins_at = _time(claims, "exp"), _time(claims, "nbf")
        subject = claims["sub"]
        if not is_user_id(subject) or subject.startswith("guest:"):
            raise _refused("its subject is no user id of this server")
        if begins_at is not None and begins_at > now + self.settings.leeway_ms:
            raise _refused("it is not valid yet")
        if expires_at is None or not 0 <= expires_at <= MAX_INT:
            raise _refused("its exp is out of range")
        if expires_at <= now:
            raise ProtocolError("token_expired", "this token has expired", field="/auth/token")
        return Identity(subject, _name(claims.get("name"), subject), expires_at)

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that one of the keys has signed."""
        try:
            header = jwt.get_unverified_header(token)
            for key in self.keys().candidates(header.get("kid")):
                if header.get("alg") == key.algorithm:
                    try:
                        return jwt.decode(
                            token, key.material, algorithms=[key.algorithm], options=OPTIONS,
                            audience=self.settings.audience, issuer=self.settings.issuer,
                        )  # fmt: skip
                    except jwt.InvalidSignatureError:
                        continue
        except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError, jwt.InvalidIssuerError):
            raise _refused("its audience, issuer, subject or exp is missing or another") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise _refused("it is no JSON Web Token that this server can check") from None
        raise _refused("none of this server's keys has signed it")


def token_verifier(settings: JwtSettings, *, now: Callable[[], float], wall: Callable[[], int]) -> TokenVerifier:
    """A verifier that reads the key file again when it changes. Raises KeyFault if it cannot be used."""
    return TokenVerifier(settings, KeyFile(settings.key, now).keys, wall)


def _refused(reason: str) -> ProtocolError:
    return ProtocolError("unauthenticated", f"this token is not accepted: {reason}", field="/auth/token")


def _time(claims: dict[str, Any], name: str) -> int | None:
    """A NumericDate in milliseconds, None where it is absent."""
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not -MAX_INT < value < MAX_INT:
        raise _refused(f"its {name} is no time")
    return math.floor(value * 1000)


def _name(claim: object, subject: str) -> str | None:
    """The display name the issuer gives, None where it gives none.

    One that is no name (AUTH-10) is not its bearer's fault: the subject stands in, not whatever hello says.
    """
    if claim is None:
        return None
    if not isinstance(claim, str) or name_fault(claim):
        return made_up_name(subject)
    return normalise_name(claim)


def made_up_name(subject: str) -> str:
    """A display name for a user who has none: always one, for ids are visible ASCII."""
    return subject[:32]
