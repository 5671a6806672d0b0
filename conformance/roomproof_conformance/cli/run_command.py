"""`roomproof URL`: makes the plan, runs it, prints and writes the results, and leaves nothing running."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from roomproof_conformance.dialects import DialectError, load
from roomproof_conformance.hooks import HookError, Hooks
from roomproof_conformance.hooks import load as load_hooks
from roomproof_conformance.interruption import interruptible
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner
from roomproof_conformance.target import TargetError

from .main import EXIT_UNREACHABLE, EXIT_USAGE

if TYPE_CHECKING:
    from roomproof_conformance.known import KnownChecks


def execute(**options: Any) -> int:
    """Run with the options of the command line; the exit code."""
    from roomproof_conformance.report.files import ReportError
    from roomproof_conformance.report.progress import TerminalProgress

    from .reporting import check_paths, report

    try:
        plan = make_plan(options)
        known = known_failures(options)
        check_paths(options)
    except (DialectError, HookError, ReportError, ValueError) as error:
        return fail(str(error), EXIT_USAGE)
    runner = Runner(plan)
    try:
        with TerminalProgress(known=known) as progress:
            plan.progress = progress
            asyncio.run(interruptible(runner))
    except TargetError as error:
        return fail(str(error), EXIT_UNREACHABLE)
    known.mark(runner.result)
    return report(runner.result, options)


def make_plan(options: dict[str, Any]) -> Plan:
    """Check the options against each other. Raises ValueError, DialectError or HookError with one clear line."""
    urls, hooks_name = tuple(options["urls"]), options["hooks"]
    hooks: Hooks | None = load_hooks(hooks_name) if hooks_name else None
    starts = hooks is not None and bool(hooks.start)
    if bool(urls) == starts:
        raise ValueError("name a server: either a URL (ws://host:port/path) or --hooks FILE that starts one")
    _addresses(urls)
    nodes = _nodes(options.get("nodes"), hooks if starts else None)
    settings = dict(SHORT_TIMERS) if options["timers"] == "short" else {}
    settings.update(map(setting, options["wanted"]))
    if options["wanted"] and not starts:
        raise ValueError("--set needs --hooks: a server that is already running cannot be set")
    if options["timers"] == "short" and not starts:
        raise ValueError("--timers short needs --hooks: a server that is already running cannot be set")
    known_checks(options["only"] + options["skip"])
    words = ["roomproof", *urls, *(["--hooks", hooks_name] if hooks_name else [])]
    if hooks is not None and nodes != hooks.nodes:
        words += ["--nodes", str(nodes)]
    if options["dialect"] != "native":
        words += ["--dialect", options["dialect"]]
    words += [word for name in options.get("plugins", ()) for word in ("--plugin", name)]
    if options["timers"] == "short":
        words += ["--timers", "short"]
    words += [word for pair in options["wanted"] for word in ("--set", pair)]
    if options["scale"] != 1:
        words += ["--timeout-scale", f"{options['scale']:g}"]
    plan = Plan(
        load(options["dialect"], options.get("plugins", ())),
        urls[0] if urls else None,
        hooks,
        settings,
        options["only"],
        options["skip"],
        options["jobs"],
        options["scale"],
        options["longest"],
        options["quick"],
        shlex.join(words),
        more=urls[1:],
        nodes=nodes,
    )
    some_check(plan)
    return plan


def _addresses(urls: tuple[str, ...]) -> None:
    """Raise ValueError unless all are addresses of WebSockets, each of another node."""
    for url in urls:
        if not url.startswith(("ws://", "wss://")):
            raise ValueError(
                f"{url!r} is neither a command nor a WebSocket address: expected ws://host:port/path or "
                "wss://host:port/path; `roomproof --help` lists the commands"
            )
    if twice := next((url for url in urls if urls.count(url) > 1), None):
        raise ValueError(f"{twice} is named twice: several addresses are those of the nodes of one service")


def _nodes(asked: int | None, hooks: Hooks | None) -> int:
    """How many nodes are to be started. Raises ValueError where they cannot be."""
    if hooks is None:
        if asked is not None:
            raise ValueError("--nodes needs --hooks: of nodes that are running already give the addresses")
        return 1
    count = hooks.nodes if asked is None else asked
    if count > 1 and not hooks.node:
        raise ValueError(f"{hooks.path}: has no hook `node`, so the kit cannot start {count} nodes")
    return count


def some_check(plan: Plan) -> None:
    """Raise ValueError for a selection of requirements that no check judges."""
    from roomproof_conformance.checks import all_checks

    if not any(map(plan.wants, all_checks(variants=True))):
        globs = [*(f"--only {glob}" for glob in plan.only), *(f"--skip {glob}" for glob in plan.skip)]
        raise ValueError(f"{' '.join(globs)} leaves no check; `roomproof list` shows which requirement has which")


def setting(pair: str) -> tuple[str, Any]:
    """`NAME=VALUE` as name and value; raises ValueError when it is no pair."""
    name, equals, value = pair.partition("=")
    if not name or not equals:
        raise ValueError(f"--set {pair!r}: expected NAME=VALUE, such as store=sqlite or hello_ms=1000")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def known_failures(options: dict[str, Any]) -> KnownChecks:
    """What --known-failing and --known-flaky say. Raises KnownError (a ValueError) with one clear line."""
    from roomproof_conformance.known import KnownChecks, load

    failing, flaky = options["known_failing"], options["known_flaky"]
    if not (failing or flaky):
        return KnownChecks()
    from roomproof_conformance.checks import all_checks

    return load(failing, flaky, (check.id for check in all_checks(variants=True)))


def known_checks(globs: tuple[str, ...]) -> None:
    """Raise ValueError for a pattern that selects nothing, with the nearest that would."""
    import difflib
    from fnmatch import fnmatchcase

    from roomproof_conformance.checks import all_checks
    from roomproof_protocol import requirements

    checks = [check.id for check in all_checks(variants=True)]
    names = [*checks, *(row.id for row in requirements())]
    for glob in globs:
        if any(fnmatchcase(name, glob) for name in names):
            continue
        row, dot, situation = glob.partition(".")
        near = difflib.get_close_matches(row.upper() + dot + situation.lower(), names, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "`roomproof list` shows all"
        raise ValueError(f"no requirement or check is called {glob!r}; {hint}")


def fail(line: str, code: int) -> int:
    """One clear line on stderr, without secrets (an address may hold a token), and the exit code."""
    from roomproof_conformance.report.secrets import hide

    click.echo(f"roomproof: {hide(line)}", err=True)
    return code
