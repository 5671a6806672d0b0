"""The `roomproof` command (also installed as `conformance`): options, and what each exit code means.

Heavy libraries are imported where they are used, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from roomproof_conformance import __version__

EXIT_VIOLATION, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

EPILOG = """\b
Exit codes: 0 conformant, 1 a violation, 2 wrong usage, 3 target not reachable
or an error of the kit, 4 nothing worse than inconclusive, 130 interrupted."""


class DefaultToJudge(click.Group):
    """`roomproof ws://…` and `roomproof --hooks F` mean `roomproof judge-url …`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = next((arg for arg in args if not arg.startswith("-")), None)
        if (
            args
            and args[0] not in ("--help", "-h", "--version")
            and (first not in self.commands or args[0].startswith("-"))
        ):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=DefaultToJudge,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, prog_name="roomproof")
def cli() -> None:
    """Judge a chat server: does it keep what its protocol promises?

    \b
    roomproof ws://127.0.0.1:8765/ws             a server that speaks roomproof.v1
    roomproof ws://127.0.0.1:9000 --dialect F    any other, described by a dialect file
    roomproof --hooks reference                  one that the kit starts itself
    """


@cli.command("run", epilog=EPILOG)
@click.argument("url", required=False)
@click.option(
    "--dialect",
    default="native",
    metavar="FILE",
    show_default=True,
    help="How the server speaks: a YAML file, or native.",
)
@click.option(
    "--hooks",
    metavar="FILE",
    help="Commands that start and stop the server, instead of a URL; `reference` ships.",
)
@click.option(
    "--timers",
    type=click.Choice(["default", "short"]),
    default="default",
    show_default=True,
    help="With --hooks: ask for one-second heartbeats, or take the server's own.",
)
@click.option(
    "--set",
    "wanted",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --hooks: ask the server for a setting; the value is JSON or a word (store=sqlite).",
)
@click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help="Only these checks or requirements (HIST-2, RATE-*, MSG-2.echo).",
)
@click.option("--skip", multiple=True, metavar="GLOB", help="All but these.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 500),
    default=24,
    show_default=True,
    help="Cases at work at the same time.",
)
@click.option(
    "--without-long-waits",
    "longest",
    is_flag=False,
    flag_value=15.0,
    type=float,
    metavar="[SECONDS]",
    help="Leave out what must wait longer than this (15 s when no number is given).",
)
@click.option(
    "--timeout-scale",
    "scale",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    show_default=True,
    help="Multiply the patience of the kit on a slow machine; bounds of the protocol stay.",
)
@click.option("--html", type=click.Path(dir_okay=False), metavar="FILE", help="Write a report page.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the results as JSON; - for stdout (then nothing else is printed there).",
)
@click.option(
    "--transcripts",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Write every conversation as JSON lines.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show every check, not only one line for each requirement.")
def run_command(**options: Any) -> None:
    """Judge the server at URL (ws:// or wss://), or the one that --hooks starts."""
    from .run_command import execute

    sys.exit(execute(**options))


@cli.command("list")
@click.argument("patterns", nargs=-1, metavar="[GLOB]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(patterns: tuple[str, ...], as_json: bool) -> None:
    """List the requirements and the checks that judge them: the ledger."""
    from .ledger import list_rows

    sys.exit(list_rows(patterns, as_json))


@cli.command("explain")
@click.argument("identifier", metavar="ID")
def explain_command(identifier: str) -> None:
    """Explain a requirement (HIST-2) or a check (HIST-2.after-250)."""
    from .ledger import explain

    sys.exit(explain(identifier))


@cli.command("judge")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def judge_command(file: str) -> None:
    """Judge a transcript again, offline."""
    from .ledger import judge_file

    sys.exit(judge_file(file))


@cli.group("dialect")
def dialect_group() -> None:
    """Work on dialect files."""


@dialect_group.command("check")
@click.argument("file")
def dialect_check(file: str) -> None:
    """Check a dialect file and say what it claims."""
    from .ledger import check_dialect

    sys.exit(check_dialect(file))


@cli.group("hooks")
def hooks_group() -> None:
    """Work on hook files."""


@hooks_group.command("check")
@click.argument("file")
def hooks_check(file: str) -> None:
    """Check a hook file."""
    from .ledger import check_hooks

    sys.exit(check_hooks(file))


def main() -> None:
    """Entry point of `roomproof` and `conformance`."""
    cli(prog_name=None)
