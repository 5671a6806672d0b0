"""The `roomproof-load` command: options, progress, reports, exit codes. Imports no locust.

Exit codes are those of the kit: 0 all held, 1 a violation or a broken threshold, 2 usage, 3 not reachable or an error
of the generator, 4 a threshold that only the generator's own lag may have broken, 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from roomproof_conformance.dialects import DialectError, load

from . import __version__, thresholds
from .parameters import PARAMETERS, from_environment, seconds
from .running import Failed, Plan, Run
from .scenarios import SCENARIOS, STANDS_FOR

EXIT_BROKEN, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_UNCLEAR, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

EPILOG = """\b
Exit codes: 0 nothing broken, 1 a violation, a threshold that does not hold or
a server that died, 2 wrong usage, 3 server not reachable or an error of the
generator, 4 a threshold that the generator's own lag may have broken, 130
interrupted. Every parameter is also a variable: ROOMPROOF_LOAD_ROOM_SIZE."""


class _Read(click.ParamType[Any]):
    """A value that a function reads, with its one line when it cannot."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name, self._read = name, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


_TIME = _Read("time", seconds)


def _parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    for parameter in reversed(PARAMETERS):
        kind = _Read(getattr(parameter.kind, "__name__", "value").replace("str", "text"), parameter.read)
        shown = f"{parameter.help} [default: {parameter.default}]"
        command = click.option(parameter.option, parameter.name, type=kind, default=None, help=shown)(command)
    return command


def _file(*names: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(*names, type=click.Path(dir_okay=False), metavar="FILE", help=help)


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="roomproof-load")
@click.argument("url", required=False)
@click.option(
    "--scenario", default="steady-chat", show_default=True, metavar="NAME", help="What is played; see --list."
)
@click.option("--list", "show_list", is_flag=True, help="Show the scenarios and what each stands for.")
@click.option("--users", "-u", type=click.IntRange(min=1), default=50, show_default=True, help="Virtual users.")
@click.option("--time", "-t", "duration", type=_TIME, default="60s", show_default=True, help="How long.")
@click.option(
    "--spawn-rate",
    type=float,
    default=None,
    help="Users who come in a second. [default: all in an eighth of the time, five seconds at the most]",
)
@click.option(
    "--dialect",
    default="native",
    show_default=True,
    metavar="FILE",
    help="How the server speaks: a YAML file, or native.",
)
@click.option("--start", metavar="COMMAND", help="Start the server: a command with {port}, or reference.")
@click.option("--settings", metavar="JSON", help="ROOMPROOF_SETTINGS of the server that --start starts.")
@click.option("--pid", type=int, help="Process of the server, if it runs here: for its processor time and memory.")
@click.option("--processes", type=click.IntRange(min=1), default=1, help="Generator processes on this machine.")
@click.option("--master", is_flag=True, help="Wait for workers (--expect-workers) and lead them.")
@click.option("--worker", is_flag=True, help="Generate for the master at --master-host.")
@click.option("--expect-workers", type=click.IntRange(min=1), default=1, help="Workers that a master waits for.")
@click.option("--master-host", default="127.0.0.1", show_default=True, help="Where the master is.")
@click.option("--master-port", type=int, default=5557, show_default=True, help="Its port.")
@click.option(
    "--web",
    type=int,
    is_flag=False,
    flag_value=8089,
    default=None,
    metavar="PORT",
    help="Locust's own page while it runs. [8089]",
)
@click.option(
    "--max",
    "most",
    multiple=True,
    metavar="NAME=VALUE",
    help="A bound, such as p99_delivery=200ms or lost=0. May repeat.",
)
@click.option(
    "--min", "least", multiple=True, metavar="NAME=VALUE", help="Likewise from below, such as deliveries_per_s=1000."
)
@_file("--json", "json_file", help="The result as JSON.")
@_file("--html", "html_file", help="The result as one page with plots.")
@_file("--markdown", "markdown_file", help="The result as Markdown.")
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(exists=True, dir_okay=False),
    metavar="A.json B.json",
    help="Draw two results side by side (with --html, --markdown); runs nothing.",
)
@_parameters
def cli(**given: Any) -> None:
    """Load a chat server and judge it at the same time.

    \b
    roomproof-load ws://127.0.0.1:8765/ws                 fifty users, one minute
    roomproof-load --start reference --scenario hot-room  a server of its own
    roomproof-load ws://127.0.0.1:9000 --dialect F --html report.html
    """
    if given["show_list"]:
        for name in SCENARIOS:
            click.echo(f"{name:18} {STANDS_FOR[name]}")
        return
    if given["compare"]:
        sys.exit(_compare(given))
    sys.exit(_run(given))


def _usage(problem: str) -> click.UsageError:
    return click.UsageError(problem)


def _run(given: dict[str, Any]) -> int:
    bounds = _bounds(given)
    plan = _plan(given)
    if given["worker"]:
        return _worker(plan, given)
    progress = importlib.import_module("roomproof_loadtest.report.progress").Progress(plan)
    try:
        result = Run(plan, progress.tell, progress.say)()
    except Failed as failed:
        progress.end()
        click.echo(f"roomproof-load: {failed}", err=True)
        return EXIT_UNREACHABLE
    progress.end()
    result["command"] = shlex.join(["roomproof-load", *sys.argv[1:]])
    result["thresholds"] = [bound.judge(result) for bound in bounds]
    result["exit_code"] = code(result)
    _write(result, given)
    terminal = importlib.import_module("roomproof_loadtest.report.terminal")
    terminal.show(result)
    return int(result["exit_code"])


def code(result: dict[str, Any]) -> int:
    """The exit code of a result."""
    if result["violations"]["total"] or any(not t["held"] and not t["unclear"] for t in result["thresholds"]):
        return EXIT_BROKEN
    if result["interrupted"]:
        return EXIT_INTERRUPTED
    if any(not t["held"] for t in result["thresholds"]):
        return EXIT_UNCLEAR
    if not result["counts"].get("deliveries") and not result["latency"].get("connect", {}).get("count"):
        return EXIT_UNREACHABLE
    return 0


def _bounds(given: dict[str, Any]) -> list[thresholds.Threshold]:
    try:
        return [
            *(thresholds.parse(text, most=True) for text in given["most"]),
            *(thresholds.parse(text, most=False) for text in given["least"]),
        ]
    except ValueError as error:
        raise _usage(str(error)) from None


def _plan(given: dict[str, Any]) -> Plan:
    if given["scenario"] not in SCENARIOS:
        raise _usage(f"there is no scenario {given['scenario']!r}; expected one of {', '.join(SCENARIOS)}")
    if (given["url"] is None) == (given["start"] is None) and not (given["url"] and "{port}" in given["url"]):
        raise _usage("expected the server's URL, or --start COMMAND; `roomproof-load --help` shows examples")
    if given["url"] is not None and not given["url"].startswith(("ws://", "wss://")):
        raise _usage(f"{given['url']!r} is no WebSocket address: expected ws:// or wss://, host and port")
    try:
        values = {p.name: p.default for p in PARAMETERS} | from_environment_checked()
        load(given["dialect"])
    except (DialectError, ValueError) as error:
        raise _usage(str(error)) from None
    values |= {p.name: given[p.name] for p in PARAMETERS if given[p.name] is not None}
    if values["listeners"] not in ("lean", "users"):
        raise _usage(f"--listeners {values['listeners']!r}: expected lean or users")
    dialect = given["dialect"]
    native = load(dialect).name == load("native").name
    distribution = []
    if given["master"]:
        distribution = [
            "--master", "--expect-workers", str(given["expect_workers"]), "--master-bind-port",
            str(given["master_port"]), "--expect-workers-max-wait", "60",
        ]  # fmt: skip
    return Plan(
        url=given["url"],
        scenario=given["scenario"],
        users=given["users"],
        seconds=given["duration"],
        spawn_rate=given["spawn_rate"] or given["users"] / max(0.5, min(5.0, given["duration"] / 8)),
        dialect=dialect if dialect == "native" or not Path(dialect).exists() else str(Path(dialect).resolve()),
        parameters=values,
        start=given["start"],
        path="/ws" if native else "",
        pid=given["pid"],
        processes=given["processes"],
        web=given["web"],
        settings=given["settings"],
        distribution=distribution,
        expect_workers=given["expect_workers"] if given["master"] else 0,
    )


def from_environment_checked() -> dict[str, Any]:
    """The parameters that variables give. Raises ValueError."""
    import os

    return from_environment(os.environ)


def _worker(plan: Plan, given: dict[str, Any]) -> int:
    """Generate for a master until it says that it is over."""
    from .worker import work

    return work(plan, given["master_host"], given["master_port"])


def _write(result: dict[str, Any], given: dict[str, Any]) -> None:
    """The reports that were asked for, each whole or not at all."""
    makers = {"json_file": "as_json", "html_file": "html", "markdown_file": "markdown"}
    for option, module in makers.items():
        if given[option]:
            made = importlib.import_module(f"roomproof_loadtest.report.{module}")
            _put(Path(given[option]), made.page(result))


def _put(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".tmp")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None


def _compare(given: dict[str, Any]) -> int:
    from .report.compare import html_page, markdown_page

    results = []
    for name in given["compare"]:
        try:
            found = json.loads(Path(name).read_text("utf-8"))
            if found["format"] != 1 or "series" not in found:
                raise KeyError
        except (ValueError, KeyError, TypeError, UnicodeDecodeError):
            raise _usage(f"{name} is no result of roomproof-load; expected a file that --json wrote") from None
        results.append(found)
    if given["html_file"]:
        _put(Path(given["html_file"]), html_page(*results))
    text = markdown_page(*results)
    if given["markdown_file"]:
        _put(Path(given["markdown_file"]), text)
    if not given["html_file"] and not given["markdown_file"]:
        click.echo(text)
    return 0


def main() -> int:
    """Run the command; the exit code. No traceback reaches the user."""
    try:
        cli.main(prog_name="roomproof-load", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except click.Abort:
        return EXIT_INTERRUPTED
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:  # a fault of ours, and still one line
        click.echo(f"roomproof-load: {type(error).__name__}: {error} (an error of roomproof-load itself)", err=True)
        return EXIT_UNREACHABLE
    return 0
