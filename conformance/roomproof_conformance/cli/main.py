"""The `roomproof` command (also installed as `conformance`): options, and what each exit code means.

Heavy libraries are imported where they are used, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from roomproof_conformance import __version__

EXIT_VIOLATION, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

EPILOG = """\b
Exit codes: 0 conformant, 1 a violation or a known failure that passed, 2 wrong
usage, 3 target not reachable or an error of the kit, 4 nothing worse than
inconclusive, 130 interrupted."""


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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the options of `run` beside the commands, for they may stand first."""
        run = self.commands["run"].shell_complete(ctx, incomplete) if incomplete.startswith("-") else []
        items = {str(item.value): item for item in [*super().shell_complete(ctx, incomplete), *run]}
        return list(items.values())


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
    roomproof ws://127.0.0.1:8001 ws://127.0.0.1:8002    two nodes of one service
    roomproof ws://127.0.0.1:9000 --dialect F    any other, described by a dialect file
    roomproof --hooks reference                  one that the kit starts itself
    """


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _file(*names: str, help: str) -> Decorator:
    return click.option(*names, type=click.Path(dir_okay=False), metavar="FILE", help=help)


_URL = click.argument("url", required=False)
_DIALECT = click.option(
    "--dialect",
    default="native",
    metavar="FILE",
    show_default=True,
    help="How the server speaks: a YAML file, or the name of one that comes with the kit.",
)
_PLUGIN = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="NAME",
    help="Allow a plug-in of dialects to run its code (repeatable).",
)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


_SELECTION: tuple[Decorator, ...] = (
    click.option(
        "--only",
        multiple=True,
        metavar="GLOB",
        help="Only these checks or requirements (HIST-2, RATE-*, MSG-2.echo).",
    ),
    click.option("--skip", multiple=True, metavar="GLOB", help="All but these."),
    click.option(
        "--without-long-waits",
        "longest",
        is_flag=False,
        flag_value=15.0,
        type=float,
        metavar="[SECONDS]",
        help="Leave out what must wait longer than this (15 s when no number is given).",
    ),
    click.option(
        "--quick",
        is_flag=True,
        help="Only what takes a moment, in three seconds; the result says which requirements it leaves out.",
    ),
    click.option(
        "--timeout-scale",
        "scale",
        type=click.FloatRange(0.1, 100),
        default=1.0,
        show_default=True,
        help="Multiply the patience of the kit on a slow machine; bounds of the protocol stay.",
    ),
)


def _selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which checks are run, and with how much patience."""
    for option in reversed(_SELECTION):
        command = option(command)
    return command


@cli.command("run", epilog=EPILOG)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@_DIALECT
@_PLUGIN
@click.option(
    "--hooks",
    metavar="FILE",
    help="Commands that start and stop the server, instead of a URL; `reference` ships.",
)
@click.option(
    "--nodes",
    type=click.IntRange(1, 9),
    metavar="N",
    help="With --hooks: start so many nodes and judge them as one service.",
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
@_selection
@click.option(
    "--jobs",
    type=click.IntRange(1, 500),
    default=40,
    show_default=True,
    help="Cases at work at the same time.",
)
@_file("--html", help="Write a report page.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the results as JSON; - for stdout (then nothing else is printed there).",
)
@_file("--junit", help="Write JUnit XML, for a CI system.")
@_file("--markdown", help="Write a summary in Markdown.")
@_file("--badge", help="Write what shields.io draws a badge from.")
@_file("--known-failing", help="Checks that fail, each with its reason (YAML); one that passes makes the run red.")
@_file("--known-flaky", help="Checks that may pass or fail (YAML); they never make the run red.")
@click.option(
    "--transcripts",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Write every conversation as JSON lines.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show every check, not only one line for each requirement.")
def run_command(**options: Any) -> None:
    """Judge the server at URL (ws:// or wss://), or the one that --hooks starts.

    Several addresses are those of the nodes of one service, which is judged as a cluster.
    """
    from .run_command import execute

    sys.exit(execute(**options))


@cli.command("list")
@click.argument("patterns", nargs=-1, metavar="[GLOB]...")
@_AS_JSON
@click.option(
    "--malformed",
    is_flag=True,
    help="Instead: the frames generated from the schemas, counted by operator; with a GLOB those with such an id.",
)
def list_command(patterns: tuple[str, ...], as_json: bool, malformed: bool) -> None:
    """List the requirements and the checks that judge them: the ledger.

    A GLOB is one of `roomproof URL --only` and `--skip`: HIST-2, RATE-*, MSG-2.echo.
    """
    if malformed:
        from .malformed_command import list_malformed

        sys.exit(list_malformed(patterns, as_json))
    from .ledger import list_rows

    sys.exit(list_rows(patterns, as_json))


@cli.command("explain")
@click.argument("identifier", metavar="ID")
def explain_command(identifier: str) -> None:
    """Explain a requirement (HIST-2) or a check (HIST-2.after-250), and why --quick leaves it out."""
    from .ledger import explain

    sys.exit(explain(identifier))


@cli.command("judge", epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE|FOLDER...")
@_AS_JSON
def judge_command(files: tuple[str, ...], as_json: bool) -> None:
    """Judge transcripts again, offline; a folder is judged as the run that wrote it, watches included."""
    from .offline_commands import judge

    sys.exit(judge(files, as_json_lines=as_json))


def _repeats(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments and options of a command that repeats a conversation against a server."""
    command = _file("--out", help="Where to write the new transcript.")(command)
    command = click.option("--hooks", metavar="FILE", help="Start the server by this hook file, instead of a URL.")(
        command
    )
    return click.argument("file", metavar="FILE")(_URL(_DIALECT(command)))


@cli.command("replay", epilog=EPILOG)
@_repeats
def replay_command(file: str, url: str | None, **options: Any) -> None:
    """Repeat the sends of a transcript against the server at URL, and say what has become different."""
    from .offline_commands import replay

    sys.exit(replay(file, url, **options))


@cli.command("shrink", epilog=EPILOG)
@_repeats
@click.option("--check", metavar="ID", help="Which check must stay broken; otherwise the first that is.")
@click.option(
    "--control",
    default="auto",
    metavar="URL|FILE|none",
    show_default="the reference, where it speaks the dialect",
    help="A server that is right: what breaks there too is no smaller proof.",
)
@click.option("--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="How long to go on trying.")
def shrink_command(file: str, url: str | None, **options: Any) -> None:
    """Reduce a conversation that breaks a check to the few frames that break it."""
    from .offline_commands import shrink

    sys.exit(shrink(file, url, **options))


@cli.command("selftest")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.argument("patterns", nargs=-1, metavar="[GLOB]...")
@click.option("--jobs", type=click.IntRange(1, 32), default=3, show_default=True, help="Liars judged side by side.")
@click.option(
    "--full",
    default="none",
    metavar="SHARE",
    show_default=True,
    help="Which to judge by all checks, not only those of their group: all, none, or a share (1/5), another every day.",
)
@_file("--json", "json_file", help="Store the table as JSON.")
def selftest_command(**options: Any) -> None:
    """Judge the kit itself: does it find every liar of FOLDER?

    Liars are servers that are right but for one thing. They stand in the source tree, in conformance/tests/liars.
    """
    from .selftest_command import execute

    sys.exit(execute(**options))


@cli.command("matrix", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    show_default="reports/NAME of the file",
    help="Where matrix.html, .md and .json go, and a folder for each server: its report, transcripts and output.",
)
@click.option("--server", "servers", multiple=True, metavar="GLOB", help="Only these servers of the file.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Servers judged side by side.")
@_selection
def matrix_command(**options: Any) -> None:
    """Judge several servers, started or at an address, and lay them side by side in one matrix.

    FILE names the servers: how each is started, and how it speaks (docs/matrix.md).
    """
    from .matrix_command import execute

    sys.exit(execute(**options))


def _group(kind: str) -> click.Group:
    """The group of the commands for one kind of files."""
    return cli.group(kind, help=f"Work on {kind.removesuffix('s')} files.")(lambda: None)


_DIALECTS = _group("dialect")


@_DIALECTS.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_PLUGIN
def dialect_check(files: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    """Check dialect files and say what they claim."""
    from .ledger import check_dialect

    sys.exit(max([check_dialect(file, plugins) for file in files]))


@_DIALECTS.command("try", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.argument("url")
@_PLUGIN
@_SELECTION[-1]
def dialect_try(file: str, url: str, plugins: tuple[str, ...], scale: float) -> None:
    """Carry out a dialect on its server, step by step.

    Two clients connect, say who they are, join a room and talk. Shows what was sent, what came, which rule
    recognised it, what stayed unclassified, and what to write next.
    """
    from .dialect_command import try_dialect

    sys.exit(try_dialect(file, url, plugins, scale))


@_DIALECTS.command("new", epilog=EPILOG)
@click.argument("url")
@_file("--out", help="Write the file there instead of printing it.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def dialect_new(url: str, out: str | None, force: bool) -> None:
    """Ask an unknown server at URL, and write a first dialect of what it says.

    It listens, tries the commonest ways to join and to talk with two clients, and leaves away what the server does
    not need.
    """
    from .dialect_command import new_dialect

    sys.exit(new_dialect(url, out, force))


@_group("hooks").command("check")
@click.argument("file")
def hooks_check(file: str) -> None:
    """Check a hook file."""
    from .ledger import check_hooks

    sys.exit(check_hooks(file))


def main() -> None:
    """Entry point of `roomproof` and `conformance`."""
    cli(prog_name=None)
