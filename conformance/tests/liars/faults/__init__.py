"""The faults, one short function each, in modules by group of requirements. Importing this registers all."""

from __future__ import annotations

from . import (
    batches,
    connecting,
    disconnects,
    errors,
    heartbeat,
    history,
    identity,
    limits,
    messages,
    presence,
    rate,
    resume,
    rooms,
    service,
    tokens,
)
from .lying import FAULTS

__all__ = [
    "FAULTS", "batches", "connecting", "disconnects", "errors", "heartbeat", "history", "identity", "limits",
    "messages", "presence", "rate", "resume", "rooms", "service", "tokens",
]  # fmt: skip
