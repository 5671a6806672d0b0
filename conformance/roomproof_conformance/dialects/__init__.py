"""Dialects: how the kit talks to a server that it has never met.

One YAML file says how a server spells the canonical operations and events (`load`); a `Session` speaks it on
one connection. Sans-I/O: bytes in, canonical events and bytes out. Knows no verdict.
"""

from .claims import (
    Claims,
    Connections,
    Heartbeat,
    History,
    Identity,
    Leave,
    Outcome,
    Presence,
    RateLimit,
    Rooms,
    Sizes,
)
from .codecs import Codec, Outgoing
from .compiling import load, parse
from .dialect import ARGUMENTS, Dialect
from .errors import BadPart, DialectError
from .loading import built_in
from .matching import Pattern, compile_pattern, explain, matches, show
from .plugins import Handshake, Plugin, Refused
from .requests import Request, Response
from .session import Exchange, Session

__all__ = [
    "ARGUMENTS",
    "BadPart",
    "Claims",
    "Codec",
    "Connections",
    "Dialect",
    "DialectError",
    "Exchange",
    "Handshake",
    "Heartbeat",
    "History",
    "Identity",
    "Leave",
    "Outcome",
    "Outgoing",
    "Pattern",
    "Plugin",
    "Presence",
    "RateLimit",
    "Refused",
    "Request",
    "Response",
    "Rooms",
    "Session",
    "Sizes",
    "built_in",
    "compile_pattern",
    "explain",
    "load",
    "matches",
    "parse",
    "show",
]
