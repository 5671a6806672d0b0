"""What an operator may set, in one place: the protocol's limits and timers, and this server's own choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from roomproof_protocol import DEFAULTS, Heartbeat, Limits
from roomproof_server.engine.cluster.address import RedisStore


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """Whose JSON Web Tokens are accepted: signed with a key of ``key``, for ``audience``, from ``issuer``."""

    key: Path
    audience: str | None = None
    issuer: str | None = None
    leeway_ms: int = 2_000  # how far the issuer's clock may be ahead of ours
    header: bool = False  # an Authorization header will do when hello has no auth (AUTH-1)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one server. Times are milliseconds, sizes bytes."""

    limits: Limits = DEFAULTS
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    origins: frozenset[str] = frozenset()  # allowed beside the request's own Host (CONN-3)
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # whose word on a client's address is believed
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"  # where they give it
    loopback_limits: bool = False  # limits.per_address holds for loopback, too (RATE-14)
    guests: bool = True
    jwt: JwtSettings | None = None
    drain_ms: int = 10_000  # over which a graceful stop sends the clients away (DISC-5)
    store: Path | RedisStore | None = None  # the file or Redis that keeps the rooms; None keeps them in memory
    certificate: Path | None = None  # with its key: serve TLS
    key: Path | None = None
    unix: Path | None = None  # listen there, too
    unix_mode: int = 0o660
    workers: int = 1  # processes on one port, which share a Redis
    restarts: Callable[[], int] | None = None  # how many of those were replaced so far, where there are several
    max_connections: int = 20_000  # at once; more are answered 503
    compression: bool = False  # permessage-deflate for clients that offer it (LIMIT-4)
    log_format: Literal["json", "text"] = "json"
    log_level: str = "info"
    name: str = "roomproof-server"
    version: str = "0"
    handshake_ms: int = 10_000  # LIMIT-5
    close_ms: int = 5_000  # how long a client may take to answer a Close of ours (DISC-11 allows 10 s)
    linger_ms: int = 1_000  # how long a closed client may take to end its TCP connection (DISC-1 allows 2 s)
