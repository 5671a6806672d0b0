"""The numbers of section 7 as values that can be passed around and overridden.

Defaults come from the limits table (by way of the generated `defaults`). What a number is checked
against, and by whom, is no business of this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from roomproof_protocol import defaults as d
from roomproof_protocol.data import nearest


@dataclass(frozen=True)
class Window:
    """`count` events in any `window_ms` milliseconds."""

    count: int
    window_ms: int


@dataclass(frozen=True)
class MessageQuota(Window):
    """The message quota of a user; `asdict` of it is the `limit` of a `rate_limited` (RATE-6)."""

    count: int = d.MESSAGES_COUNT
    window_ms: int = d.MESSAGES_WINDOW_MS
    scope: Literal["user"] = "user"

    def advertised(self) -> dict[str, Any]:
        """Give `limits.messages` as it stands in `welcome`."""
        return asdict(self)


@dataclass(frozen=True)
class FrameRate:
    """Client messages on one connection: `burst` at once, `rate` per second after it (RATE-12)."""

    rate: int = d.FRAMES_RATE
    burst: int = d.FRAMES_BURST


@dataclass(frozen=True)
class PerAddress:
    """Limits of one network address (RATE-14)."""

    conns: int
    guests: Window
    messages: Window


@dataclass(frozen=True)
class Limits:
    """Every number of `welcome.limits`. Bytes, counts, or milliseconds where the name ends in `_ms`."""

    frame_bytes: int = d.FRAME_BYTES
    text_bytes: int = d.TEXT_BYTES
    room_len: int = d.ROOM_LEN
    name_len: int = d.NAME_LEN
    rooms_per_conn: int = d.ROOMS_PER_CONN
    conns_per_user: int = d.CONNS_PER_USER
    history: int = d.HISTORY
    page: int = d.PAGE
    messages: MessageQuota = MessageQuota()
    frames: FrameRate = FrameRate()
    errors: Window = Window(d.ERRORS_COUNT, d.ERRORS_WINDOW_MS)
    dedup_ms: int = d.DEDUP_MS
    hello_ms: int = d.HELLO_MS
    presence_max: int = d.PRESENCE_MAX
    presence_grace_ms: int = d.PRESENCE_GRACE_MS
    queue_bytes: int = d.QUEUE_BYTES
    server_frame_bytes: int = d.SERVER_FRAME_BYTES
    room_ttl_ms: int = d.ROOM_TTL_MS
    guest_ttl_ms: int = d.GUEST_TTL_MS
    per_address: PerAddress | None = None

    def advertised(self) -> dict[str, Any]:
        """Give exactly `welcome.limits` (CONN-7)."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, overrides: Mapping[str, Any]) -> Limits:
        """Give the defaults with `overrides` in place; a whole `welcome.limits` is accepted too.

        Raises ValueError, one line, for an unknown name, a value that is no whole number of at least 0,
        and another value for a number that a requirement fixes (ROOM-1, AUTH-10).
        """
        limits: Limits = _override(DEFAULTS, overrides, "")
        for name, sentence in _FIXED.items():
            if getattr(limits, name) != getattr(DEFAULTS, name):
                raise ValueError(f"limit {name} is fixed at {getattr(DEFAULTS, name)} by {sentence}")
        return limits


@dataclass(frozen=True)
class Heartbeat:
    """`welcome.heartbeat`, in milliseconds: I and T of the BEAT requirements."""

    interval_ms: int = d.HEARTBEAT_INTERVAL_MS
    timeout_ms: int = d.HEARTBEAT_TIMEOUT_MS

    def advertised(self) -> dict[str, Any]:
        """Give exactly `welcome.heartbeat` (CONN-7)."""
        return asdict(self)


DEFAULTS = Limits()

_FIXED = {"room_len": "ROOM-1", "name_len": "AUTH-10"}
_PER_ADDRESS = PerAddress(0, Window(0, 0), Window(0, 0))


def _override(base: Any, overrides: object, path: str) -> Any:
    """Give `base`, a dataclass, with the named fields replaced; nested ones likewise."""
    if not isinstance(overrides, Mapping):
        raise ValueError(f"limit {path} must be a mapping of {', '.join(f.name for f in fields(base))}")
    known = {f.name: getattr(base, f.name) for f in fields(base)}
    changed: dict[str, Any] = {}
    for name, value in overrides.items():
        full = f"{path}.{name}" if path else str(name)
        if name not in known:
            raise ValueError(f"unknown limit {full}{nearest(str(name), known)}")
        changed[name] = _value(known[name], value, full)
    # Nothing of `per_address` has a default: where it is given, it is given whole.
    if path.startswith("per_address") and (missing := known.keys() - changed.keys()):
        raise ValueError(f"limit {path} lacks {', '.join(sorted(missing))}")
    return replace(base, **changed)


def _value(old: object, value: object, full: str) -> object:
    if full == "per_address":
        return None if value is None else _override(_PER_ADDRESS, value, full)
    if isinstance(old, str):
        if value != old:
            raise ValueError(f"limit {full} can only be {old!r}")
        return value
    if not isinstance(old, int):
        return _override(old, value, full)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"limit {full} must be a whole number of at least 0, not {value!r}")
    return value
