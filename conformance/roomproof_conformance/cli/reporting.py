"""What a run leaves behind: which files were asked for, whether they can be written, and the writing itself.

Knows the options of the command line and the reports; nothing of servers or checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from roomproof_conformance.results import RunResult

FILES: Mapping[str, str] = {
    "html": "report",
    "json_file": "results",
    "junit": "JUnit",
    "markdown": "summary",
    "badge": "badge",
}
"""The options that name a file, and what is in it."""

EXIT_NOT_WRITTEN = 3


def check_paths(options: Mapping[str, Any]) -> None:
    """Find out before the run whether all that was asked for can be written.

    Raises ReportError, also for a file that two reports want.
    """
    from roomproof_conformance.report.files import ReportError, check_folder, check_writable

    taken: dict[Path, str] = {}
    for name in FILES:
        file = options[name]
        if not file or file == "-":
            continue
        check_writable(file)
        path = Path(file).resolve()
        other = taken.setdefault(path, name)
        if other != name and (path.is_file() or not path.exists()):
            raise ReportError(f"{file}: both {_option(other)} and {_option(name)} would write it; name two files")
    if options["transcripts"]:
        check_folder(options["transcripts"])


def report(result: RunResult, options: Mapping[str, Any]) -> int:
    """Print and write everything that was asked for; the exit code of the run.

    One file that cannot be written keeps no other from being written, and makes a good run an error of the kit.
    """
    from roomproof_conformance.report import ReportError, write_transcripts
    from roomproof_conformance.report.secrets import conceal
    from roomproof_conformance.report.terminal import print_result

    failed: list[str] = []

    def attempt(name: str, write: Callable[[], object]) -> None:
        try:
            write()
        except ReportError as error:
            failed.append(name)
            click.echo(f"roomproof: {error}", err=True)

    def keep_transcripts() -> None:
        result.files = write_transcripts(result, options["transcripts"])

    if options["transcripts"]:
        attempt("transcripts", keep_transcripts)
    shown = conceal(result)
    writers = _writers()
    for name in FILES:
        if options[name]:
            attempt(name, partial(writers[name], shown, options[name]))
    if options["json_file"] != "-":
        print_result(shown, verbose=options["verbose"])
        for name, what in (*FILES.items(), ("transcripts", "transcripts")):
            if options[name] and name not in failed:
                click.echo(f"{what}: {options[name]}", err=True)
    return result.exit_code or (EXIT_NOT_WRITTEN if failed else 0)


def _writers() -> Mapping[str, Callable[[RunResult, str], None]]:
    from roomproof_conformance.report import write_badge, write_html, write_json, write_junit, write_markdown

    return {
        "html": write_html,
        "json_file": write_json,
        "junit": write_junit,
        "markdown": write_markdown,
        "badge": write_badge,
    }


def _option(name: str) -> str:
    return f"--{name.removesuffix('_file')}"
