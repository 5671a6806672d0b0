"""`roomproof dialect try` and `dialect new`: help for who writes a dialect. Prints; decides nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from .main import EXIT_INTERRUPTED, EXIT_UNREACHABLE, EXIT_USAGE, EXIT_VIOLATION
from .run_command import fail


def try_dialect(file: str, url: str, plugins: tuple[str, ...], scale: float) -> int:
    """Carry out a dialect on its server and tell every frame; 0 when two clients talked both ways."""
    from roomproof_conformance.dialects import DialectError, load
    from roomproof_conformance.report.console import console_on
    from roomproof_conformance.report.escaping import encodable
    from roomproof_conformance.target import Target, TargetError
    from roomproof_conformance.transport import Unreachable
    from roomproof_conformance.trying.trial import Findings, Trial

    try:
        target = Target(url, load(file, plugins), scale=scale)
    except DialectError as error:
        for problem in error.problems:
            fail(problem, EXIT_USAGE)
        return EXIT_USAGE
    console = console_on("stdout")

    def tell(line: str) -> None:
        style = "bold red" if "DOES NOT WORK" in line else "yellow" if "UNCLASSIFIED" in line else None
        style = style or ("green" if line == "  = works" else "bold" if not line.startswith(" ") else None)
        console.print(encodable(line, console.encoding), style=style, soft_wrap=True)

    async def trial() -> Findings:
        return await Trial(target, tell).run()

    try:
        found = asyncio.run(trial())
    except (Unreachable, TargetError, DialectError) as error:
        return fail(str(error), EXIT_UNREACHABLE)
    except KeyboardInterrupt:
        return fail("interrupted", EXIT_INTERRUPTED)
    if found.advice:
        tell("What to write next")
        for line in found.advice:
            tell(f"  - {line}")
    judge = f"roomproof {url} --dialect {file}"
    tell(
        f"Two clients talk both ways. Judge the server: {judge}" if found.works else "Not yet: see what to write next."
    )
    return 0 if found.works else EXIT_VIOLATION


def new_dialect(url: str, out: str | None, force: bool) -> int:
    """Ask a server that nothing is known of, and write a first dialect of what it says."""
    from roomproof_conformance.transport import Unreachable
    from roomproof_conformance.trying.draft import draft
    from roomproof_conformance.trying.probing import explore

    if out and Path(out).exists() and not force:
        return fail(f"{out} is there already; another --out, or --force to write over it", EXIT_USAGE)
    try:
        known = asyncio.run(explore(url, lambda line: click.echo(line, err=True)))
    except Unreachable as error:
        return fail(str(error), EXIT_UNREACHABLE)
    except KeyboardInterrupt:
        return fail("interrupted", EXIT_INTERRUPTED)
    text = draft(url, known)
    if out is None:
        click.echo(text, nl=False)
        return 0
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        return fail(f"{out}: cannot be written: {error.strerror or error}", EXIT_USAGE)
    click.echo(f"{out} is written; see how far it goes: roomproof dialect try {out} {url}", err=True)
    return 0
