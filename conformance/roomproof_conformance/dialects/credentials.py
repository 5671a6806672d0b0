"""Credentials that a client makes or is given before it speaks: signed tokens, accounts, values of the environment.

Pure: the time comes as the variable `time`. Signing that needs more than a shared secret is for a plug-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from .errors import BadPart
from .loading import duration
from .templates import Template, Variables

Make = Callable[[Variables], Any]

_HASHES: Final = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_ENCODINGS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64url": lambda data: _url(data),
}


def compile_credential(raw: Mapping[str, Any], known: frozenset[str]) -> Make:
    """How one credential is made from the variables at hand. Raises BadPart; what is made raises Unresolved."""
    if "jwt" in raw:
        return _jwt(raw, known)
    if "hmac" in raw:
        return _hmac(raw, known)
    if "basic" in raw:
        basic = _template(raw["basic"], known, "basic")
        return lambda variables: base64.b64encode(str(basic.render(variables)).encode()).decode()
    if "accounts" in raw:
        accounts: list[Any] = raw["accounts"]
        return lambda variables: accounts[(int(variables["serial"]) - 1) % len(accounts)]
    name, default = str(raw["env"]), raw.get("default")
    if name not in os.environ and default is None:
        raise BadPart(f"the environment has no {name}, and there is no default", ("env",))
    return lambda variables: os.environ.get(name, default)


def _jwt(raw: Mapping[str, Any], known: frozenset[str]) -> Make:
    """A JSON Web Token (RFC 7519), signed with a shared secret; `lifetime` gives it `iat` and `exp`."""
    claims, secret = _template(raw["jwt"], known, "jwt"), _secret(raw, known)
    algorithm = raw.get("algorithm", "HS256")
    lifetime = duration(raw["lifetime"]) if "lifetime" in raw else None

    def make(variables: Variables) -> str:
        body = dict(claims.render(variables))
        if lifetime is not None:
            now = int(variables["time"])
            body = {"iat": now, "exp": now + int(lifetime), **body}
        head = {"alg": algorithm, "typ": "JWT", **raw.get("header", {})}
        signed = ".".join(_url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, body))
        return f"{signed}.{_url(_digest(secret, variables, signed, _HASHES[algorithm]))}"

    return make


def _hmac(raw: Mapping[str, Any], known: frozenset[str]) -> Make:
    message, secret = _template(raw["hmac"], known, "hmac"), _secret(raw, known)
    method = getattr(hashlib, raw.get("hash", "sha256"))
    encode = _ENCODINGS[raw.get("encoding", "hex")]
    return lambda variables: encode(_digest(secret, variables, str(message.render(variables)), method))


def _digest(secret: Template, variables: Variables, message: str, method: Any) -> bytes:
    return hmac.new(str(secret.render(variables)).encode(), message.encode(), method).digest()


def _secret(raw: Mapping[str, Any], known: frozenset[str]) -> Template:
    if "secret" not in raw:
        raise BadPart("lacks the 'secret' that it is signed with")
    return _template(raw["secret"], known, "secret")


def _template(raw: Any, known: frozenset[str], key: str) -> Template:
    try:
        return Template(raw, known)
    except BadPart as bad:
        raise bad.under(key) from None


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
