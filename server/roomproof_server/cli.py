"""The command line of the server. It turns options into `Settings` and must not know what they do."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from roomproof_protocol import Heartbeat, Limits
from roomproof_server.engine.stores import DEFAULT_FILE, parse_store
from roomproof_server.run import serve
from roomproof_server.settings import Settings


def parse_limits(assignments: tuple[str, ...]) -> Limits:
    """Limits from ``NAME=VALUE`` texts, a dot for parts. Raises ValueError: one line, with a suggestion."""
    overrides: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not value.strip().isdecimal():
            raise ValueError(f"expected NAME=WHOLE-NUMBER, got {assignment!r}")
        *parents, leaf = name.strip().split(".")
        target: Any = overrides
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ValueError(f"limit {parent} is given both as a number and by its parts")
        target[leaf] = int(value)
    return Limits.from_mapping(overrides)


def _limits(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Limits:
    try:
        return parse_limits(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _store(context: click.Context, parameter: click.Parameter, value: str) -> Path | None:
    try:
        return parse_store(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("roomproof"), prog_name="roomproof-server")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535),
              help="Port to listen on; 0 takes a free one and prints it.")  # fmt: skip
@click.option("--heartbeat-interval", metavar="SECONDS", default=20.0, show_default=True,
              type=click.FloatRange(1, 3600), help="Time between two Pings to a client.")  # fmt: skip
@click.option("--heartbeat-timeout", metavar="SECONDS", default=20.0, show_default=True,
              type=click.FloatRange(1, 3600),
              help="Silence beyond the interval after which a client counts as dead.")  # fmt: skip
@click.option("--limit", "limits", metavar="NAME=VALUE", multiple=True, callback=_limits,
              help="Change a limit that welcome states, for instance frame_bytes=32768 or "
                   "messages.count=10. May repeat.")  # fmt: skip
@click.option("--store", metavar="STORE", default="sqlite", show_default=True, callback=_store,
              help=f"Where rooms are kept. sqlite: in {DEFAULT_FILE} in the current folder; sqlite:FILE or "
                   "FILE.db: in that file; memory: in this process, a restart forgets them.")  # fmt: skip
@click.option("--origin", "origins", metavar="ORIGIN", multiple=True,
              help="A web origin whose pages may connect, beside this server's own, for instance "
                   "https://chat.example. May repeat.")  # fmt: skip
@click.option("--name", default="roomproof-server", show_default=True, help="The server's name in welcome.")
def main(
    host: str, port: int, heartbeat_interval: float, heartbeat_timeout: float, limits: Limits, store: Path | None,
    origins: tuple[str, ...], name: str,
) -> None:  # fmt: skip
    """Serve chat rooms over WebSocket, protocol roomproof.v1.

    Runs in the foreground and prints where it listens. Ctrl-C or SIGTERM ends it: clients are told
    (close 1001), exit code 0. Exit code 2 is a mistake in the options, 3 an address it cannot listen on,
    4 a file that cannot be the store.
    """
    settings = Settings(
        limits=limits,
        heartbeat=Heartbeat(round(heartbeat_interval * 1000), round(heartbeat_timeout * 1000)),
        origins=frozenset(origin.rstrip("/").lower() for origin in origins),
        store=store,
        name=name,
        version=version("roomproof"),
    )
    sys.exit(serve(settings, host, port, _say, _complain))


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> None:
    print(f"roomproof-server: {line}", file=sys.stderr, flush=True)
