"""The table of options: each row is an option of the command line, a variable and a key of the file.

The command's help, the file's JSON Schema and the docs page are made from it, so no option is spelled twice.
What an option does is no business of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roomproof_protocol import Heartbeat
from roomproof_server.config.kinds import (
    Choice,
    FilePath,
    Flag,
    Kind,
    LimitsKind,
    Many,
    Mode,
    Network,
    Number,
    StoreKind,
    seconds,
)
from roomproof_server.engine.stores import DEFAULT_FILE

PREFIX = "ROOMPROOF_"
BEAT = Heartbeat()


@dataclass(frozen=True)
class Option:
    """One row. ``name`` is the key in the file; ``default`` is a value as ``kind`` gives it, None for none."""

    name: str
    kind: Kind
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def negative(self) -> str:
        """The option of the command line that switches a flag off."""
        return self.flag.replace("--", "--no-", 1)

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    def show(self, value: Any) -> str:
        """A value for people; that of a file with a secret is its name, never what is in it."""
        return "none" if value is None and self.default is None else self.kind.show(value)


SECTIONS: dict[str, tuple[Option, ...]] = {
    "Listening": (
        Option("host", Kind(), "127.0.0.1", "Address to listen on; 0.0.0.0 for all."),
        Option(
            "port", Number(0, 65535, "PORT", whole=True), 8765, "Port to listen on; 0 takes a free one and prints it."
        ),
        Option("unix", FilePath(), None, "Listen on this socket of the file system, too."),
        Option("unix_mode", Mode(), 0o660, "Permissions of that socket."),
        Option("tls_certificate", FilePath(), None, "Serve TLS with this certificate chain (PEM)."),
        Option("tls_key", FilePath(), None, "The unencrypted private key of that certificate (PEM)."),
        Option(
            "workers", Number(1, 256, "COUNT", whole=True), 1,
            "Processes on this port, for one big machine. They share a Redis; a process that dies is replaced.",
        ),
        Option(
            "max_connections", Number(1, 1_000_000, "COUNT", whole=True), 20_000,
            "Connections at once; more are answered 503.",
        ),
        Option("compression", Flag(), False, "Compress for clients that offer it: costs time and memory."),
        Option(
            "origin", Many(Kind()), (),
            "A web origin whose pages may connect, beside this server's own, for instance https://chat.example.",
        ),
        Option(
            "trusted_proxy", Many(Network()), (),
            "A reverse proxy, address or network, whose word on a client's address is believed. Nobody else's is.",
        ),
        Option(
            "forwarded_header", Choice("x-forwarded-for", "forwarded"), "x-forwarded-for",
            "The header in which the proxy tells the client's address; the other one is not looked at, for a "
            "proxy that does not write it passes on what the client wrote.",
        ),
    ),
    "Rooms": (
        Option(
            "store", StoreKind(), Path(DEFAULT_FILE),
            f"Where rooms are kept. sqlite: in {DEFAULT_FILE} in the current folder; sqlite:FILE or FILE.db: in that "
            "file; memory: in this process, a restart forgets them; redis://HOST:PORT/DB, "
            "redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST: in a Redis or "
            "Valkey from 7.0 on, which other nodes may share.",
        ),
        Option("name", Kind(), "roomproof-server", "The server's name in welcome."),
    ),
    "Identity": (
        Option("guests", Flag(), True, "Serve guests, who need no credentials."),
        Option(
            "jwt_key", FilePath(), None,
            "Accept JSON Web Tokens signed with this key: a PEM public key (RS256, ES256, EdDSA), a JWKS file, "
            "or a secret of at least 32 bytes (HS256). Read again when it changes.",
        ),
        Option("jwt_audience", Kind(), None, "The audience that a token must name."),
        Option("jwt_issuer", Kind(), None, "The issuer that a token must name."),
        Option(
            "jwt_leeway", seconds(0, 5), 2.0,
            "How far the issuer's clock may be ahead: a token counts that long before its nbf. Its exp is exact.",
        ),
        Option(
            "jwt_header", Flag(), False,
            "Take a token from the handshake's Authorization header, too, when hello has no auth.",
        ),
    ),
    "Limits and times": (
        Option(
            "limit", LimitsKind(), {},
            "Change a limit that welcome states, for instance frame_bytes=32768, messages.count=10, "
            "per_address.conns=20 or per_address=off.",
        ),
        Option(
            "loopback_limits", Flag(), False,
            "Let the limits per address hold for loopback addresses, too.",
        ),
        Option(
            "heartbeat_interval", seconds(1, 3600), BEAT.interval_ms / 1000, "Time between two Pings to a client."
        ),
        Option(
            "heartbeat_timeout", seconds(1, 3600), BEAT.timeout_ms / 1000,
            "Silence beyond the interval after which a client counts as dead.",
        ),
        Option(
            "drain", seconds(0, 3600), 10.0,
            "On a graceful stop, the time over which clients are sent away; 0: all at once.",
        ),
    ),
    "Logging": (
        Option("log_format", Choice("json", "text"), "json", "Form of the lines on standard error."),
        Option("log_level", Choice("debug", "info", "warning", "error"), "info", "The least that is told."),
    ),
}  # fmt: skip

OPTIONS: dict[str, Option] = {option.name: option for section in SECTIONS.values() for option in section}
