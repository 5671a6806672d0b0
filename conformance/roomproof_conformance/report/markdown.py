"""The result of a run as a Markdown summary, for a job's page or a comment: verdict, areas, findings, known failures.

All that others wrote stands in code spans, where neither markup nor HTML nor a mention works. Its size is
bounded by `LARGEST`, findings that do not fit are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import Reason

from .escaping import visible
from .evidence import facts, known
from .files import write
from .ledger import Ledger, by_row, duration, in_need_of_a_look, known_flaky_passes, ledger, notes, unjudged
from .secrets import conceal

LARGEST = 60_000
"""Letters of the findings: GitHub takes 65,536 in a comment."""

MARKS = {
    "pass": "✅", "fail": "❌", "stale": "❌", "warn": "⚠️", "inconclusive": "❔", "kit-error": "💥",
    "known-failing": "🔕", "known-flaky": "🔕",
}  # fmt: skip


def render(result: RunResult) -> str:
    """The document."""
    result = conceal(result)
    book = ledger(result)
    parts = [*_summary(result, book), *_areas(book), *_findings(result), *_known(result), *_unjudged(result)]
    return "\n\n".join(parts) + "\n"


def write_markdown(result: RunResult, path: str | Path) -> None:
    """Write the document to `path`. Raises ReportError."""
    document = render(result)
    write(path, lambda file: file.write(document))


def code(text: str, limit: int | None = None) -> str:
    """A code span that holds any text: made visible, in more backticks than it has in a row itself."""
    shown = visible(text, limit).strip() or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if fence != "`" or shown == " " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str, limit: int | None = None) -> str:
    """The same for a table, which is split at every bar: in a code span, too, a bar needs its backslash there."""
    return code(text, limit).replace("|", "\\|")


def prose(text: str, limit: int = 400) -> str:
    """The kit's own sentences: their code spans stay, all else that Markdown would read is escaped."""
    parts = re.split(r"(`[^`]+`)", visible(text, limit))
    return "".join(part if place % 2 else re.sub(r"([\\*_{}\[\]<>#|~@:&!`])", r"\\\1", part)
                   for place, part in enumerate(parts))  # fmt: skip


def _summary(result: RunResult, book: Ledger) -> Iterator[str]:
    mark = {0: MARKS["pass"], 1: MARKS["fail"]}.get(result.exit_code, MARKS["inconclusive"])
    yield f"# {mark} {book.headline}"
    yield f"{code(result.target, 200)} ({code(result.dialect, 60)}), roomproof {code(result.version, 40)}"
    counts = ", ".join(f"**{count}** {state}" for state, count in book.counts.items())
    yield (
        f"{book.judged} requirements judged of {book.observable} that a client can observe of {book.total}"
        f"{': ' + counts if counts else ''}. {len(result.results)} checks."
    )
    yield (
        f"Sum of waits {duration(result.sum_of_waits)}, wall {duration(result.wall)}, "
        f"longest wait {duration(result.longest_wait)}."
    )
    if noted := notes(result):
        yield "\n".join(f"- {code(note, 300)}" for note in noted[:20])


def _areas(book: Ledger) -> Iterator[str]:
    states = list(book.counts)
    if not states:
        return
    lines = [f"| area | {' | '.join(states)} |", f"| --- |{' ---: |' * len(states)}"]
    for area in book.areas:
        if area.counts:
            counts = " | ".join(str(area.counts.get(state, "")) for state in states)
            lines.append(f"| {prose(area.title, 60)} | {counts} |")
    yield "\n".join(lines)


def _findings(result: RunResult) -> Iterator[str]:
    to_show = [check for check in in_need_of_a_look(result) if not check.excused]
    if not to_show:
        return
    yield "## Findings"
    room = LARGEST
    for place, check in enumerate(to_show):
        text = _finding(result, check)
        room -= len(text)
        if room < 0:
            yield f"… and {len(to_show) - place} more findings; the other reports hold them all."
            return
        yield text


def _finding(result: RunResult, check: CheckResult) -> str:
    mark = MARKS.get(check.state, "")
    head, *rest = facts(result, check)
    lines = [f"### {mark} {check.state} {code(check.check, 120)}".replace("  ", " "), "", prose(check.title, 200), ""]
    lines.append(f"> **{head.name}** {prose(head.words, 1000)}")
    lines.append("")
    for fact in rest:
        words = code(fact.words)
        lines.append(f"- {fact.name}: {words}" if fact.name else f"  - {words}")
    return "\n".join(lines)


def _known(result: RunResult) -> Iterator[str]:
    checks = [check for check in in_need_of_a_look(result) if check.excused] + known_flaky_passes(result)
    if checks:
        lines = ["## Known failures", "", "| check | verdict | what is known |", "| --- | --- | --- |"]
        lines += [f"| {cell(c.check, 120)} | {c.verdict.value} | {cell(known(c), 400)} |" for c in checks]
        yield "\n".join(lines)


def _unjudged(result: RunResult) -> Iterator[str]:
    groups = unjudged(result)
    if groups:
        lines = ["## Not judged", ""]
        for (reason, explanation), checks in groups.items():
            if reason == Reason.TOO_LONG:
                ids, more = by_row(result, checks), ""
            else:
                ids = ", ".join(code(check.check, 80) for check in checks[:20])
                more = f" and {len(checks) - 20} more" if len(checks) > 20 else ""
            lines.append(f"- {reason} ({len(checks)}): {code(explanation, 600)}: {ids}{more}")
        yield "\n".join(lines)
