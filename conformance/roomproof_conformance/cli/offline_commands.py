"""`roomproof judge`, `replay` and `shrink`: what can be done with a transcript after its run."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roomproof_conformance.dialects import Dialect, DialectError
from roomproof_conformance.dialects import load as load_dialect
from roomproof_conformance.hooks import HookError
from roomproof_conformance.hooks import load as load_hooks
from roomproof_conformance.offline import files
from roomproof_conformance.offline.rejudging import BROKEN, Said, rejudge, worst_exit
from roomproof_conformance.target import TargetError
from roomproof_conformance.transcript import Transcript
from roomproof_conformance.verdicts import Verdict, as_json

from .main import EXIT_INTERRUPTED, EXIT_UNREACHABLE, EXIT_USAGE, EXIT_VIOLATION
from .run_command import fail

if TYPE_CHECKING:
    from roomproof_conformance.offline.place import Place


def judge(paths: tuple[str, ...], *, as_json_lines: bool) -> int:
    """Judge transcripts again and print a line for each check; the exit code is that of a run."""
    try:
        found = files.found(paths)
        cases = {str(path): files.load(path) for path in found}
        said = rejudge(cases)
    except ValueError as error:
        return fail(str(error), EXIT_USAGE)
    run = any(Path(path).is_dir() for path in paths)
    said = [one for one in said if run or not one.watch or one.conclusion.verdict in BROKEN]
    if as_json_lines:
        rows = [{"check": one.check, "file": one.case, **as_json(one.conclusion)} for one in said]
        click.echo(json.dumps(rows, indent=1))
    else:
        _print_verdicts(said)
    counts = Counter(one.conclusion.verdict for one in said)
    summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    click.echo(f"{len(found)} transcripts, {len(said)} checks: {summary}", err=True)
    return worst_exit(said)


def replay(file: str, url: str | None, *, dialect: str, hooks: str | None, out: str | None) -> int:
    """Repeat a transcript against a server, judge what came of it, and print where it departs from the file."""
    from roomproof_conformance.offline import differences
    from roomproof_conformance.offline.conversation import Conversation
    from roomproof_conformance.offline.replay import Options, Unrepeatable, repeat

    try:
        old = files.load(file)
        before = rejudge({file: old})
        place = _place(url, hooks, _dialect(dialect, old, file), old)
    except (ValueError, DialectError, HookError) as error:
        return fail(str(error), EXIT_USAGE)

    async def go() -> Transcript:
        async with place:
            return await repeat(Conversation.of(old), place, Options(tuple(old.records[0].data["checks"])))

    try:
        new = files.again(asyncio.run(go()))
    except Unrepeatable as error:
        return fail(str(error), EXIT_USAGE)
    except TargetError as error:
        return fail(str(error), EXIT_UNREACHABLE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    now = rejudge({out or "the new transcript": new})
    _print_verdicts([one for one in now if not one.watch or one.conclusion.verdict in BROKEN])
    lines = differences.of_verdicts(before, now) + differences.of_conversations(old, new)
    click.echo("\n".join(lines) or "no difference to the file")
    if out and not _written(new, out):
        return EXIT_USAGE
    return worst_exit(now)


def shrink(
    file: str,
    url: str | None,
    *,
    dialect: str,
    hooks: str | None,
    control: str,
    check: str | None,
    seconds: float,
    out: str | None,
) -> int:
    """Reduce a conversation that breaks a check, write the smaller one, and tell it."""
    from roomproof_conformance.offline.replay import Unrepeatable
    from roomproof_conformance.offline.shrink import NotShrunk, Shrunk
    from roomproof_conformance.offline.shrink import shrink as reduce

    try:
        old = files.load(file)
        spoken = _dialect(dialect, old, file)
        place = _place(url, hooks, spoken, old)
        right = _control(control, spoken, old)
    except (ValueError, DialectError, HookError) as error:
        return fail(str(error), EXIT_USAGE)

    async def go() -> Shrunk:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(place)
            if right is not None:
                await stack.enter_async_context(right)
            return await reduce(old, place, check=check, control=right, seconds=seconds)

    try:
        small = asyncio.run(go())
    except (NotShrunk, Unrepeatable) as error:
        return fail(f"{file}: {error}", EXIT_USAGE)
    except TargetError as error:
        return fail(str(error), EXIT_UNREACHABLE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    target = out or str(
        Path(file).with_name(Path(file).name.removesuffix(".gz").removesuffix(".jsonl") + ".shrunk.jsonl")
    )
    if not _written(small.transcript, target):
        return EXIT_USAGE
    _tell(small.transcript, [Said(small.aim.check, small.conclusion, target)])
    for note in small.notes:
        click.echo(note, err=True)
    if right is None and small.aim.index is not None:
        click.echo("without a control (--control) only what came after the broken statement is left out", err=True)
    frames, conns = small.before
    click.echo(
        f"{frames} sent frames on {conns} connections became {small.frames} on {small.connections} "
        f"({small.tried} conversations tried): {target}"
    )
    return EXIT_VIOLATION


def _print_verdicts(said: list[Said]) -> None:
    from roomproof_conformance.report.escaping import visible

    for one in said:
        click.echo(f"{one.conclusion.verdict.value:<14} {one.check}")
        judged = one.conclusion.judged
        if judged is not None and one.conclusion.verdict is not Verdict.PASS:
            finding = judged.finding
            lines = (judged.sentence, f"expected: {finding.expected}", f"seen: {finding.seen}", f"in: {one.case}")
            for line in lines:
                click.echo(f"    {visible(line)}")


def _tell(transcript: Transcript, said: list[Said]) -> None:
    """The whole story of a short conversation, and what is said of it."""
    from roomproof_conformance.report.escaping import visible
    from roomproof_conformance.report.story import story

    for line in story(transcript, said[0].conclusion.judged):
        arrow = {"out": "→", "in": "←", "open": "→", "refused": "✗", "end": "✗"}.get(line.role, " ")
        words = " ".join(part for part in (line.label, line.text(90)) if part)
        click.echo(visible(f"{line.t:8.3f} s  {line.conn:<2} {arrow} {words}{'   ◀' if line.evidence else ''}"))
    _print_verdicts(said)


def _dialect(name: str, transcript: Transcript, file: str) -> Dialect:
    """The dialect to speak. Raises ValueError when the transcript was made in another one."""
    dialect, written = load_dialect(name), transcript.records[0].data["dialect"]
    if dialect.name != written:
        raise ValueError(f"{file}: was written in dialect {written!r}, not {dialect.name!r}; name its file (--dialect)")
    return dialect


def _place(url: str | None, hooks: str | None, dialect: Dialect, transcript: Transcript) -> Place:
    """The server that is meant. Raises ValueError or HookError."""
    from roomproof_conformance.offline.place import Place

    if bool(url) == bool(hooks):
        raise ValueError("name a server: either a URL (ws://host:port/path) or --hooks FILE that starts one")
    if url and not url.startswith(("ws://", "wss://")):
        raise ValueError(f"{url!r} is no WebSocket address: expected ws://host:port/path or wss://host:port/path")
    settings: Mapping[str, Any] = transcript.records[0].data.get("settings") or {}
    return Place(dialect, url=url, hooks=load_hooks(hooks) if hooks else None, settings=settings)


def _control(name: str, dialect: Dialect, transcript: Transcript) -> Place | None:
    """The server that keeps the sentence: a URL, a hook file, `none`, or by default the reference where it fits."""
    if name == "auto":
        fits = dialect.name == load_dialect("native").name and importlib.util.find_spec("roomproof_server") is not None
        name = "reference" if fits else "none"
    if name == "none":
        return None
    is_url = name.startswith(("ws://", "wss://"))
    return _place(name if is_url else None, None if is_url else name, dialect, transcript)


def _written(transcript: Transcript, path: str) -> bool:
    from roomproof_conformance.report.files import ReportError, write

    try:
        write(path, transcript.write)
    except ReportError as error:
        fail(str(error), EXIT_USAGE)
        return False
    return True
