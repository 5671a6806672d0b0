"""`roomproof matrix FILE`: judges the servers of a file, prints one line for each, and writes the matrix."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .main import EXIT_UNREACHABLE, EXIT_USAGE
from .run_command import fail, known_checks, some_check

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from roomproof_conformance.matrix.model import Column, Matrix
    from roomproof_conformance.matrix.servers import Server


def execute(file: str, out: str | None, servers: tuple[str, ...], jobs: int, **options: Any) -> int:
    """Run with the options of the command line; the exit code: that of the gravest server."""
    from roomproof_conformance.known import KnownError
    from roomproof_conformance.matrix.column import Job
    from roomproof_conformance.matrix.running import Judging
    from roomproof_conformance.matrix.servers import ServersError, load
    from roomproof_conformance.report.files import ReportError, check_folder
    from roomproof_conformance.run import Plan

    try:
        read = load(file)
        chosen = read.chosen(servers)
        known_checks(options["only"] + options["skip"])
        _known(chosen)
        job = Job(file, "", "", **options)
        from roomproof_conformance.dialects import load as load_dialect

        some_check(Plan(load_dialect("native"), only=job.only, skip=job.skip))
        folder = Path(out or Path("reports") / read.path.stem)
        check_folder(folder)
    except ServersError as error:
        for problem in error.problems[1:]:
            click.echo(f"roomproof: {problem}", err=True)
        return fail(str(error), EXIT_USAGE)
    except (ReportError, KnownError, ValueError) as error:
        return fail(str(error), EXIT_USAGE)
    with Board([server.name for server in chosen]) as board:
        matrix = asyncio.run(Judging(chosen, job, folder, board, jobs).run(read.title))
    print_matrix(matrix)
    return _written(matrix, folder)


def _known(servers: tuple[Server, ...]) -> None:
    """Read the files of known failures, before the long run. Raises KnownError."""
    from roomproof_conformance.checks import all_checks
    from roomproof_conformance.known import load

    for server in servers:
        if server.known_failing or server.known_flaky:
            load(server.known_failing, server.known_flaky, (check.id for check in all_checks()))


def _written(matrix: Matrix, folder: Path) -> int:
    """Write page, Markdown and JSON; the exit code."""
    from roomproof_conformance.matrix.markdown import write_markdown
    from roomproof_conformance.matrix.page import write_page
    from roomproof_conformance.report.files import ReportError, write

    def as_json(path: Path) -> None:
        write(path, lambda file: file.write(json.dumps(matrix.as_json(), indent=1) + "\n"))

    writers: Mapping[str, Callable[[Path], object]] = {
        "matrix.html": lambda path: write_page(matrix, path),
        "matrix.md": lambda path: write_markdown(matrix, path),
        "matrix.json": as_json,
    }
    failed = 0
    for name, write_one in writers.items():
        try:
            write_one(folder / name)
            click.echo(f"matrix: {folder / name}", err=True)
        except ReportError as error:
            failed = EXIT_UNREACHABLE
            click.echo(f"roomproof: {error}", err=True)
    return matrix.exit_code or failed


def print_matrix(matrix: Matrix) -> None:
    """One line for each server on stdout, those of one set together."""
    from roomproof_conformance.report.console import console_on
    from roomproof_conformance.report.escaping import encodable, visible

    console = console_on("stdout")
    width = max(len(column["title"]) for column in matrix.columns)
    heading = None
    for column in matrix.columns:
        if column["set"] != heading:
            heading = column["set"]
            console.print(encodable(visible(heading, 80), console.encoding), style="bold", soft_wrap=True)
        remark = f"  [{column['remark']}]" if column["remark"] else ""
        line = f"  {visible(column['title'], 60):{min(width, 60)}}  {in_words(column)}{remark}"
        style = "none" if column["exit_code"] == 0 else "red"
        console.print(encodable(visible(line, 1000), console.encoding), style=style, soft_wrap=True)


def in_words(column: Column) -> str:
    """What became of a server."""
    from roomproof_conformance.matrix.model import JUDGED, STATES, by_care

    if column["state"] == JUDGED:
        counts = [f"{count} {state}" for state, count in by_care(column["counts"]) if state != "not-applicable"]
        down = f"; brought down by {', '.join(column['killers'])}" if column["killers"] else ""
        return f"{column['headline']}: {', '.join(counts)}{down}"
    why = " ".join(part for part in (column["why"], f"({column['exception']})" if column["exception"] else "") if part)
    return STATES[column["state"]] + (f": {why}" if why else "")


class Board:
    """How far the columns are: live lines on a terminal, else a line when a server begins and when it is done."""

    def __init__(self, names: list[str], console: Console | None = None) -> None:
        from roomproof_conformance.report.console import console_on

        self._console = console or console_on("stderr")
        self._running: dict[str, tuple[float, dict[str, Any]]] = {}
        self._left = len(names)
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(get_renderable=self.view, console=self._console, refresh_per_second=2, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def began(self, server: Server) -> None:
        self._running[server.name] = (time.monotonic(), {})
        if self._live is None:
            self._say(f"{server.name}: begun")

    def told(self, server: Server, said: dict[str, Any]) -> None:
        self._running[server.name][1].update(said)
        if self._live is None and "planned" in said:
            self._say(f"{server.name}: {said['planned']} cases, the longest must wait {said['longest']:.0f} s")

    def ended(self, server: Server, column: Column) -> None:
        self._running.pop(server.name, None)
        self._left -= 1
        self._say(f"{server.name}: done after {column['wall_seconds']:.0f} s; {self._left} to go")

    def view(self) -> Text:
        """The live lines as they are now."""
        from rich.text import Text

        lines = []
        for name, (began, said) in self._running.items():
            state = (said.get("making") and "making its environment") or "starting it"
            if "planned" in said:
                state = f"{said.get('done', 0)} of {said['planned']} cases, {said.get('red', 0)} checks failed"
            lines.append(f"{name}: {state}, {time.monotonic() - began:.0f} s")
        return Text("\n".join(lines))

    def _say(self, line: str) -> None:
        from roomproof_conformance.report.escaping import encodable

        self._console.print(encodable(line, self._console.encoding), soft_wrap=True)
