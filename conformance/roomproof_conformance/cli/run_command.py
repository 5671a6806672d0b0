"""`roomproof URL`: makes the plan, runs it, prints and writes the results, and leaves nothing running."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from pathlib import Path
from typing import Any

import click

from roomproof_conformance.dialects import DialectError, load
from roomproof_conformance.hooks import HookError, Hooks
from roomproof_conformance.hooks import load as load_hooks
from roomproof_conformance.results import RunResult
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner, TargetError

from .main import EXIT_UNREACHABLE, EXIT_USAGE


def execute(**options: Any) -> int:
    """Run with the options of the command line; the exit code."""
    from roomproof_conformance.report.progress import TerminalProgress

    try:
        plan = make_plan(options)
    except (DialectError, HookError, ValueError) as error:
        return fail(str(error), EXIT_USAGE)
    runner = Runner(plan)
    try:
        with TerminalProgress() as progress:
            plan.progress = progress
            asyncio.run(_interruptible(runner))
    except TargetError as error:
        return fail(str(error), EXIT_UNREACHABLE)
    return report(runner.result, options)


async def _interruptible(runner: Runner) -> None:
    """The run; Ctrl-C or SIGTERM ends it and keeps what was reached in `runner.result`."""
    task = asyncio.create_task(runner.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:  # cancelled before it could begin
        runner.result.interrupted = True
    finally:
        await asyncio.shield(runner.stop_all())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def make_plan(options: dict[str, Any]) -> Plan:
    """Check the options against each other. Raises ValueError, DialectError or HookError with one clear line."""
    url, hooks_name = options["url"], options["hooks"]
    hooks: Hooks | None = load_hooks(hooks_name) if hooks_name else None
    starts = hooks is not None and bool(hooks.start)
    if bool(url) == starts:
        raise ValueError("name a server: either a URL (ws://host:port/path) or --hooks FILE that starts one")
    if url and not url.startswith(("ws://", "wss://")):
        raise ValueError(
            f"{url!r} is neither a command nor a WebSocket address: expected ws://host:port/path or "
            "wss://host:port/path; `roomproof --help` lists the commands"
        )
    settings = dict(SHORT_TIMERS) if options["timers"] == "short" else {}
    settings.update(map(setting, options["wanted"]))
    if options["wanted"] and not starts:
        raise ValueError("--set needs --hooks: a server that is already running cannot be set")
    if options["timers"] == "short" and not starts:
        raise ValueError("--timers short needs --hooks: a server that is already running cannot be set")
    known_checks(options["only"] + options["skip"])
    words = ["roomproof", *([url] if url else []), *(["--hooks", hooks_name] if hooks_name else [])]
    if options["dialect"] != "native":
        words += ["--dialect", options["dialect"]]
    if options["timers"] == "short":
        words += ["--timers", "short"]
    words += [word for pair in options["wanted"] for word in ("--set", pair)]
    return Plan(
        load(options["dialect"]),
        url,
        hooks,
        settings,
        options["only"],
        options["skip"],
        options["jobs"],
        options["scale"],
        options["longest"],
        shlex.join(words),
    )


def setting(pair: str) -> tuple[str, Any]:
    """`NAME=VALUE` as name and value; raises ValueError when it is no pair."""
    name, equals, value = pair.partition("=")
    if not name or not equals:
        raise ValueError(f"--set {pair!r}: expected NAME=VALUE, such as store=sqlite or hello_ms=1000")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def known_checks(globs: tuple[str, ...]) -> None:
    """Raise ValueError for a pattern that selects nothing, with the nearest that would."""
    import difflib
    from fnmatch import fnmatchcase

    from roomproof_conformance.checks import all_checks
    from roomproof_protocol import requirements

    checks = [check.id for check in all_checks()]
    names = [*checks, *(row.id for row in requirements())]
    for glob in globs:
        if any(fnmatchcase(name, glob) for name in names):
            continue
        near = difflib.get_close_matches(glob.upper(), names, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "`roomproof list` shows all"
        raise ValueError(f"no requirement or check is called {glob!r}; {hint}")


def report(result: RunResult, options: dict[str, Any]) -> int:
    """Print and write everything that was asked for; the exit code of the run."""
    from roomproof_conformance.report import ReportError, write_html, write_json, write_transcripts
    from roomproof_conformance.report.terminal import print_result

    code = result.exit_code
    paths: dict[str, Path] = {}
    try:
        if options["transcripts"]:
            paths = write_transcripts(result, options["transcripts"])
        if options["html"]:
            write_html(result, options["html"])
        if options["json_file"]:
            write_json(result, options["json_file"])
    except ReportError as error:
        code = fail(str(error), EXIT_USAGE)
    if options["json_file"] == "-":
        return code
    print_result(result, verbose=options["verbose"], transcripts=paths)
    for name, what in (("html", "report"), ("json_file", "results"), ("transcripts", "transcripts")):
        if options[name]:
            click.echo(f"{what}: {options[name]}", err=True)
    return code


def fail(line: str, code: int) -> int:
    """One clear line on stderr, and the exit code."""
    click.echo(f"roomproof: {line}", err=True)
    return code
