"""The result of a run as one HTML file that needs nothing else: no script, no image, no font from elsewhere.

What a finding shows is drawn from its transcript, cut around the evidence; when a page would outgrow
`LARGEST`, the findings that matter least are shown without it, and say so. Knows no judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import Verdict

from .escaping import file_name, visible
from .files import write
from .ledger import BY_CARE, by_care, duration, in_need_of_a_look, ledger, unjudged
from .sequence import ARROWS, sequence
from .story import Gap, Line, cut, sent_before, story

if TYPE_CHECKING:
    from jinja2 import Template

LARGEST = 2_000_000
"""Bytes that a page has at most."""


@dataclass(frozen=True)
class Room:
    """How much a page may show: findings in full, bytes of diagrams and listings, letters of a text."""

    findings: int
    evidence: int
    letters: int


ROOMS = (Room(1000, 1_200_000, 1500), Room(400, 600_000, 400), Room(120, 300_000, 150), Room(20, 100_000, 80))
"""Tried one after the other, until the page is small enough."""

LISTED = 60
"""Lines of a transcript that are listed for one finding."""

LONG = 600
"""Letters of a payload in a listing."""

SYMBOLS: Mapping[Verdict, str] = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.WARN: "!",
    Verdict.TOLERATED: "≈",
    Verdict.INFO: "i",
    Verdict.NOT_APPLICABLE: "\N{EN DASH}",
    Verdict.NOT_JUDGED: "○",
    Verdict.INCONCLUSIVE: "?",
    Verdict.KIT_ERROR: "⚠",
}


@dataclass
class Finding:
    """One check that needs a look, with what its transcript shows."""

    check: CheckResult
    sent: Sequence[Line] = ()
    sent_before: int = 0
    diagram: str = ""
    listing: Sequence[Line | Gap] = ()
    lines: int = 0
    left_out: bool = False


@dataclass
class _Evidence:
    """Hands out what is left of the page for evidence."""

    result: RunResult
    left: int

    def show(self, check: CheckResult) -> Finding:
        transcript = self.result.transcripts.get(check.case or "")
        if transcript is None:
            return Finding(check)
        lines = story(transcript, check.conclusion.judged)
        sent, before = sent_before(transcript, check)
        for arrows, listed in ((ARROWS, LISTED), (12, 0)):
            diagram = sequence(lines, arrows=arrows)
            listing = cut(lines, listed) if listed else []
            size = len(diagram.encode()) + sum(_size(line) for line in listing)
            if size <= self.left:
                self.left -= size
                return Finding(check, sent, before, diagram, listing, len(lines))
        return Finding(check, sent, before, lines=len(lines), left_out=True)


def _size(line: Line | Gap) -> int:
    """About how many bytes a line of a listing takes on the page."""
    return 120 if isinstance(line, Gap) else 250 + 2 * len(line.text(LONG).encode()) + 2 * len(line.label.encode())


def render(result: RunResult) -> str:
    """The page, showing as much as there is room for."""
    page = ""
    for room in ROOMS:
        page = _render(result, room)
        if len(page.encode("utf-8", "backslashreplace")) <= LARGEST:
            break
    return page


def _render(result: RunResult, room: Room) -> str:
    from markupsafe import Markup

    evidence = _Evidence(result, room.evidence)
    to_show = in_need_of_a_look(result)
    findings = [evidence.show(check) for check in to_show[: room.findings]]
    book = ledger(result)
    return _template().render(
        result=result,
        ledger=book,
        checks=by_care(r.verdict for r in result.results),
        findings=findings,
        linked={finding.check.check for finding in findings},
        unjudged=unjudged(result),
        figures=_figures(result),
        order=[verdict for verdict in BY_CARE if verdict in book.counts],
        symbols=SYMBOLS,
        svg=Markup,
        long=min(LONG, room.letters),
        letters=room.letters,
        more=len(to_show) - len(findings),
    )


def write_html(result: RunResult, path: str | Path) -> None:
    """Write the page to `path`. Raises ReportError."""
    page = render(result)
    write(path, lambda file: file.write(page))


def _figures(result: RunResult) -> list[tuple[str, str, str]]:
    return [
        ("Wall time", duration(result.wall), "from the first connection to the last verdict"),
        ("Sum of waits", duration(result.sum_of_waits), "what the cases took, one after the other"),
        ("Longest wait", duration(result.longest_wait), "that no case could avoid"),
        ("Worst lag", duration(result.worst_lag), "of the kit itself; smaller deviations are not judged"),
    ]


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    def prose(text: str) -> Markup:
        """A requirement's sentence: its `code` and its KEYWORDS set apart, everything else escaped."""
        safe = str(escape(visible(text, 2000)))
        safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
        return Markup(re.sub(r"\b((?:MUST|SHOULD)(?: NOT)?|MAY)\b", r"<b>\1</b>", safe))

    environment = Environment(
        loader=PackageLoader("roomproof_conformance", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(prose=prose, visible=visible, slug=file_name)
    return environment.get_template("report.html.jinja")
