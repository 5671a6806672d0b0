"""The conformance kit's hooks for this server: one starts it, one makes tokens for it.

``ROOMPROOF_PORT`` is the port, ``ROOMPROOF_STATE`` a folder for store and key, ``ROOMPROOF_SETTINGS`` a JSON object
of wanted settings: limits by their names, and

* ``heartbeat``: {"interval_ms", "timeout_ms"}; ``drain_ms``; ``compression``: true or false;
* ``per_address``: as in welcome, and then it holds for loopback, too;
* ``store``: "sqlite" keeps the rooms in the folder, "memory" (the default) nowhere; with ``ROOMPROOF_REDIS``, the
  address of a Redis, both mean that one, with keys of this state folder's own;
* ``jwt``: false for no tokens. By default there is a key in the folder, made when it is missing.

The first line of output names, as JSON, those that this server cannot set. ``hook token`` reads claims as JSON on
standard input and prints a token for them, signed with the key in the folder; an absent ``exp`` is in five minutes, an
absent ``aud`` the server's own. ``"_alg": "none"`` makes it an unsigned one, ``"_key": "wrong"`` somebody else's.

The kit runs these by the dozen: what a hook does not need it does not import.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roomproof_server import __version__

if TYPE_CHECKING:
    from roomproof_protocol import Heartbeat
    from roomproof_server.engine.base import Engine
    from roomproof_server.engine.cluster.address import RedisStore
    from roomproof_server.settings import Settings

AUDIENCE = "roomproof"
TOKEN_SECONDS = 300
DRAIN_MS = 500  # the kit stops many servers


def wanted(asked: Mapping[str, Any], state: str | None = None) -> tuple[Settings, list[str]]:
    """The settings, and the names that cannot be had. Raises ValueError for a bad value: one line."""
    from roomproof_protocol import Limits
    from roomproof_server.settings import JwtSettings, Settings

    names = {field.name for field in fields(Limits)}
    limits: dict[str, Any] = {}
    others: dict[str, Any] = {"drain_ms": DRAIN_MS, "log_level": "warning", "version": __version__}
    jwt, cannot = True, []
    for name, value in asked.items():
        if name == "heartbeat":
            others[name] = _heartbeat(value)
        elif name == "store":
            if value not in ("memory", "sqlite"):
                raise ValueError(f'store must be "memory" or "sqlite", not {value!r}')
            others[name] = Path(state or ".", "rooms.db") if value == "sqlite" else None
        elif name == "drain_ms":
            if type(value) is not int or value < 0:
                raise ValueError(f"drain_ms must be a whole number of milliseconds, not {value!r}")
            others[name] = value
        elif name == "compression" and isinstance(value, bool):
            others[name] = value
        elif name == "jwt" and isinstance(value, bool):
            jwt = value
        elif name in names:
            limits[name] = value
        elif value not in (None, False):  # what is off can be asked to be off
            cannot.append(name)
    if jwt and state is not None:
        others["jwt"] = JwtSettings(key=_key(Path(state)), audience=AUDIENCE)
    if redis := os.environ.get("ROOMPROOF_REDIS"):
        others["store"] = _redis(redis, state)
        cannot += ["store"] if asked.get("store") == "memory" else []
    made = Limits.from_mapping(limits)
    return Settings(limits=made, loopback_limits=made.per_address is not None, **others), cannot


def _redis(address: str, state: str | None) -> RedisStore:
    """The Redis with keys of their own for each state folder: nodes with the same one are one service."""
    from dataclasses import replace
    from hashlib import sha256

    from roomproof_server.engine.cluster.address import parse_redis

    store = parse_redis(address)
    return replace(store, prefix=f"{store.prefix}{sha256(os.path.realpath(state or '.').encode()).hexdigest()[:12]}:")


def token(claims: Mapping[str, Any], state: Path, now: float) -> str:
    """A token with these claims; ``now`` is seconds since 1970."""
    wish = {name: claims[name] for name in claims if name.startswith("_")}
    if wish not in ({}, {"_alg": "none"}, {"_key": "wrong"}):
        raise ValueError('of tokens that are not right there are {"_alg": "none"} and {"_key": "wrong"}')
    filled = {"exp": int(now) + TOKEN_SECONDS, "aud": AUDIENCE} | {
        name: value for name, value in claims.items() if name not in wish
    }
    # By hand (RFC 7515, appendix A): the kit asks for many, and PyJWT with its cryptography is most of the time.
    signed = b".".join(map(_part, ({"alg": "none" if "_alg" in wish else "HS256", "typ": "JWT"}, filled)))
    secret = secrets.token_hex(32).encode() if "_key" in wish else _key(state).read_bytes()
    signature = b"" if "_alg" in wish else _base64(hmac.digest(secret, signed, "sha256"))
    return f"{signed.decode()}.{signature.decode()}"


def _part(value: object) -> bytes:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _key(state: Path) -> Path:
    """The file with the secret; made whole under another name, for the other hook may be at it, too."""
    path = state / "token.key"
    if not path.exists():
        draft = state / f"token.key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path


def _heartbeat(value: object) -> Heartbeat:
    from roomproof_protocol import Heartbeat

    names = {field.name for field in fields(Heartbeat)}
    if (
        not isinstance(value, dict)
        or not value.keys() <= names
        or not all(type(ms) is int and ms > 0 for ms in value.values())
    ):
        raise ValueError(f"heartbeat must be an object of {' and '.join(sorted(names))} in whole milliseconds")
    return Heartbeat(**value)


def main(arguments: list[str]) -> int:
    """Run one of the hooks; returns the exit code."""
    state = os.environ.get("ROOMPROOF_STATE") or None
    try:
        if arguments == ["token"]:
            print(token(_object(sys.stdin.read() or "{}", "standard input"), _folder(state), time.time()))
            return 0
        if arguments == ["engine-empty"]:
            _ask_for_emptiness(_folder(state))
            return 0
        if arguments:
            raise ValueError(f"expected no argument, token or engine-empty, got {' '.join(arguments)}")
        asked = _object(os.environ.get("ROOMPROOF_SETTINGS") or "{}", "ROOMPROOF_SETTINGS")
        port = int(os.environ.get("ROOMPROOF_PORT", "0"))
        settings, cannot = wanted(asked, state)
    except (ValueError, OSError) as error:
        _complain(f"roomproof_server.hook: {error}")
        return 2
    print(json.dumps({"cannot_set": cannot}), flush=True)
    from roomproof_server.run import serve

    return serve(settings, "127.0.0.1", port, lambda line: print(line, flush=True), _complain, _with_faults(state))


def _folder(state: str | None) -> Path:
    if state is None:
        raise ValueError("this hook needs the folder ROOMPROOF_STATE")
    return Path(state)


def _with_faults(state: str | None) -> Callable[[Engine], None]:
    """On SIGUSR1 a server that keeps rooms in memory loses what was said in them, and says so by a file."""

    from roomproof_server.engine.memory import MemoryEngine

    def attend(engine: Engine) -> None:
        import asyncio

        def lose() -> None:
            if isinstance(engine, MemoryEngine) and engine.durability == "memory":
                engine.lose()
                (_folder(state) / "empty").touch()

        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lose)

    return attend


def _ask_for_emptiness(state: Path) -> None:
    """Have the server ROOMPROOF_PID lose what its engine holds (ROOMPROOF_FAULT=on; there is nothing to undo)."""
    if os.environ.get("ROOMPROOF_FAULT") != "on":
        return
    (state / "empty").unlink(missing_ok=True)
    os.kill(int(os.environ["ROOMPROOF_PID"]), signal.SIGUSR1)
    for _ in range(100):
        if (state / "empty").exists():
            return
        time.sleep(0.05)
    raise ValueError("the server did not say within 5 s that its rooms are empty; only rooms in memory can be emptied")


def _object(text: str, what: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a JSON object")
    return value


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
