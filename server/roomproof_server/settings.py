"""What an operator may set, in one place: the protocol's limits and timers, and this server's own choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from roomproof_protocol import DEFAULTS, Heartbeat, Limits


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one server. Times are milliseconds, sizes bytes."""

    limits: Limits = DEFAULTS
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    origins: frozenset[str] = frozenset()  # allowed beside the request's own Host (CONN-3)
    store: Path | None = None  # the file that keeps the rooms; None keeps them in memory
    name: str = "roomproof-server"
    version: str = "0"
    handshake_ms: int = 10_000  # LIMIT-5
    close_ms: int = 5_000  # how long a client may take to answer a Close of ours (DISC-11 allows 10 s)
    drain_ms: int = 1_000  # how long a closed client may take to end its TCP connection (DISC-1 allows 2 s)
