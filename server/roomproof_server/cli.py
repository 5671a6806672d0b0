"""The command line of the server, made from the table of options. It must not know what they do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from roomproof_protocol import Limits
from roomproof_server import __version__
from roomproof_server.config.check import check, settings_of
from roomproof_server.config.gather import Configuration, gather
from roomproof_server.config.kinds import Flag, limits_of
from roomproof_server.config.options import OPTIONS, Option
from roomproof_server.run import MISTAKE, serve


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every option of the table, and ``--config``."""
    for option in reversed(OPTIONS.values()):
        command = _click_option(option)(command)
    return click.option(
        "--config", metavar="FILE", help="Read options from this YAML file. The command line and ROOMPROOF_… "
        "variables go before it.",
    )(command)  # fmt: skip


def _click_option(option: Option) -> Callable[[Callable[..., None]], Callable[..., None]]:
    more = " May repeat." if option.kind.many else f"  [default: {option.show(option.default)}]"
    if isinstance(option.kind, Flag):
        return click.option(f"{option.flag}/{option.negative}", option.name, default=None, help=option.help + more)
    return click.option(
        option.flag, option.name, metavar=option.kind.metavar, multiple=option.kind.many, help=option.help + more
    )


def _gathered(context: click.Context, given: Mapping[str, Any]) -> Configuration:
    """What was given before the subcommand, after it, in variables and in the file."""
    before = context.parent.params if context.parent else {}
    words = {name: value for both in (before, given) for name, value in both.items() if value not in (None, ())}
    file = words.pop("config", None)
    command_line = {name: value if isinstance(value, tuple) else (str(value),) for name, value in words.items()}
    return gather(command_line, os.environ, file)


@click.group(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="roomproof-server")
@with_options
@click.pass_context
def main(context: click.Context, /, **given: Any) -> None:
    """Serve chat rooms over WebSocket, protocol roomproof.v1.

    Runs in the foreground and prints where it listens. Ctrl-C or SIGTERM ends it: clients are told and sent
    away over the time of --drain, exit code 0; a second one ends it at once. Exit code 2 is a mistake in the
    options, 3 an address it cannot listen on, 4 a file that cannot be the store. Each option is also a variable
    (--heartbeat-interval: ROOMPROOF_HEARTBEAT_INTERVAL) and a key of the --config file (heartbeat_interval).
    """
    if context.invoked_subcommand:
        return
    configuration = _gathered(context, given)
    _refuse(configuration)
    for warning in configuration.warnings:
        _complain(f"warning: {warning}")
    check(configuration)
    _refuse(configuration)
    settings = settings_of(configuration)
    host, port = configuration["host"], int(configuration["port"])
    if settings.workers > 1:
        from roomproof_server.workers import supervise

        sys.exit(supervise(settings, host, port, _say, _complain))
    sys.exit(serve(settings, host, port, _say, _complain))


@main.command("check-config")
@with_options
@click.pass_context
def check_config(context: click.Context, /, **given: Any) -> None:
    """Check all options, files and their contradictions, and show what would hold and where it comes from.

    Starts nothing. Exit code 0 with or without warnings, 2 when the server would refuse to start.
    """
    configuration = _gathered(context, given)
    check(configuration)
    for line in effective(configuration):
        _say(line)
    for warning in configuration.warnings:
        _say(f"warning: {warning}")
    _refuse(configuration)


def effective(configuration: Configuration) -> list[str]:
    """One line for each option and limit: name, value, source. A secret is shown as the name of its file."""
    rows = [
        (name, option.show(configuration[name]), configuration.source(name))
        for name, option in OPTIONS.items()
        if name != "limit"
    ]
    try:
        limits = limits_of(configuration["limit"])
    except ValueError:
        limits = Limits()
    for name, value in _flat(limits.advertised()):
        source = configuration.limits[name].source if name in configuration.limits else "default"
        rows.append((f"limit.{name}", "off" if value is None else str(value), source))
    name_width, value_width = (min(40, max(len(row[column]) for row in rows)) for column in (0, 1))
    return [f"{name:{name_width}}  {value:{value_width}}  {source}" for name, value, source in rows]


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in values.items():
        flat += _flat(value, f"{before}{name}.") if isinstance(value, dict) else [(before + name, value)]
    return flat


def _refuse(configuration: Configuration) -> None:
    """Exit 2 with a line for each fault, if there are any."""
    for fault in configuration.faults:
        click.echo(f"Error: {fault}", err=True)
    if configuration.faults:
        sys.exit(MISTAKE)


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> None:
    print(f"roomproof-server: {line}", file=sys.stderr, flush=True)
