"""The key file: a PEM public key, a JWKS file or a secret, read again when it changes.

A key carries its one algorithm, and a token is checked with that: what the token's header says chooses no
algorithm, so neither ``alg: none`` nor a public key taken for a secret gets anywhere (RFC 8725, 3.1).
Nothing that is said or logged here has key material in it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

logger = logging.getLogger("roomproof.server")

SECRET_BYTES = 32  # RFC 7518, 3.2: a key at least as long as the hash
RSA_BITS = 2048  # RFC 7518, 3.3
LOOK_MS = 2_000  # how often the file is looked at, at most
MAX_BYTES = 1_000_000
USABLE = "signatures in RS256, ES256, EdDSA or HS256"


class KeyFault(ValueError):
    """The key file cannot be used; the text is one line, without anything from the file."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the one algorithm it is used with; ``kid`` where the file names it."""

    algorithm: str
    material: Any
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """What a key file holds; ``passed_over`` tells which of its keys cannot be used and why."""

    keys: tuple[Key, ...]
    passed_over: tuple[str, ...] = ()

    def candidates(self, kid: object) -> tuple[Key, ...]:
        """The keys that may have signed a token whose header has this ``kid``, None for none."""
        if kid is None:
            return self.keys
        return tuple(key for key in self.keys if key.kid in (kid, None))


def read_keys(path: Path) -> Keys:
    """Read a key file. Raises KeyFault."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
    except OSError as error:
        raise KeyFault(f"cannot read {path}: {error.strerror}") from None
    stripped = data.strip()
    if stripped.startswith(b"-----BEGIN"):
        return Keys((_from_pem(stripped, path),))
    if stripped.startswith(b"{"):
        return _from_jwks(stripped, path)
    if len(stripped) < SECRET_BYTES:
        raise KeyFault(f"{path}: a secret has at least {SECRET_BYTES} bytes, this file has {len(stripped)}")
    return Keys((Key("HS256", stripped),))


def _from_pem(data: bytes, path: Path) -> Key:
    if b"PRIVATE KEY" in data:
        raise KeyFault(f"{path}: a private key; the server needs the public one only: openssl pkey -pubout")
    try:
        public = (
            load_pem_x509_certificate(data).public_key()
            if data.startswith(b"-----BEGIN CERTIFICATE")
            else load_pem_public_key(data)
        )
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFault(f"{path}: begins like PEM and is no public key") from None
    algorithm = _algorithm(public)
    if algorithm is None:
        raise KeyFault(f"{path}: expected RSA of {RSA_BITS} bits or more, P-256 or Ed25519")
    return Key(algorithm, public)


def _algorithm(public: object) -> str | None:
    """The one algorithm for this key; None where there is none."""
    if isinstance(public, RSAPublicKey):
        return "RS256" if public.key_size >= RSA_BITS else None
    if isinstance(public, EllipticCurvePublicKey):
        return "ES256" if isinstance(public.curve, SECP256R1) else None
    if isinstance(public, Ed25519PublicKey):
        return "EdDSA"
    return "HS256" if isinstance(public, bytes) and len(public) >= SECRET_BYTES else None


def _from_jwks(data: bytes, path: Path) -> Keys:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise KeyFault(f"{path}: begins like JSON and is none") from None
    rows = document.get("keys", [document])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise KeyFault(f"{path}: expected a JSON Web Key Set: an object whose keys is a list of objects")
    keys: list[Key] = []
    passed_over: list[str] = []
    for number, row in enumerate(rows):
        key = _from_jwk(row)
        if key is None:
            passed_over.append(f"{path}: key {number} is passed over: not for {USABLE}")
        elif any(other.kid == key.kid for other in keys):
            raise KeyFault(f"{path}: keys {number} and one before it have the same kid, or both none")
        else:
            keys.append(key)
    if not keys:
        raise KeyFault(f"{path}: none of its {len(rows)} keys can be used for {USABLE}")
    return Keys(tuple(keys), tuple(passed_over))


def _from_jwk(row: dict[str, Any]) -> Key | None:
    kid = row.get("kid")
    if row.get("use", "sig") != "sig" or "d" in row or not isinstance(kid, str | None):
        return None
    try:
        material = jwt.PyJWK(row).key
    except (jwt.PyJWTError, ValueError, TypeError, NotImplementedError):
        return None
    algorithm = _algorithm(material)
    return Key(algorithm, material, kid) if algorithm and row.get("alg", algorithm) == algorithm else None


class KeyFile:
    """The keys of a file, as it is now. ``now`` gives monotonic ms. Raises KeyFault if it cannot be read at first."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path, self._now = path, now
        self._stamp = self._look()
        self._keys = read_keys(path)
        self._looked = now()

    def keys(self) -> Keys:
        """The keys; a changed file that cannot be used leaves those that were there."""
        now = self._now()
        if now - self._looked >= LOOK_MS:
            self._looked = now
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._keys = read_keys(self._path)
                    logger.info("the keys for tokens were read again")
                except KeyFault as fault:
                    logger.warning("the keys for tokens stay as they were: %s", fault)
        return self._keys

    def _look(self) -> tuple[int, ...]:
        try:
            seen = self._path.stat()
        except OSError:
            return ()
        return seen.st_mtime_ns, seen.st_size, seen.st_ino
