"""The result of a run as one HTML file that needs nothing else: no script, no image, no font from elsewhere.

What a finding shows is drawn from its transcript, cut around the evidence; when a page would outgrow
`LARGEST`, the findings that matter least are shown without it, and say so. Knows no judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.transcript import Transcript

from .escaping import file_name, visible
from .evidence import known, where
from .files import write
from .ledger import by_care, by_row, duration, in_need_of_a_look, ledger, notes, tolerated, unjudged
from .secrets import conceal
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


ROOMS = (
    Room(1000, 1_200_000, 1500),
    Room(1000, 1_100_000, 400),
    Room(1000, 800_000, 120),
    Room(400, 400_000, 100),
    Room(120, 300_000, 100),
    Room(20, 100_000, 80),
)
"""Tried one after the other, until the page is small enough."""

SHAPES = ((ARROWS, 60), (24, 24), (12, 0), (6, 0), (4, 0))
"""Rows of a diagram and lines of a listing, tried one after the other: each finding has its share of the page."""

LONG = 300
"""Letters of a payload in a listing."""

SYMBOLS: Mapping[str, str] = {
    "pass": "✓",
    "fail": "✗",
    "stale": "✗",
    "known-failing": "✗",
    "known-flaky": "~",
    "warn": "!",
    "tolerated": "≈",
    "info": "i",
    "not-applicable": "\N{EN DASH}",
    "not-judged": "○",
    "inconclusive": "?",
    "kit-error": "⚠",
}


@dataclass(frozen=True)
class Finding:
    """One check that needs a look, with what its transcript shows."""

    check: CheckResult
    sent: Sequence[Line] = ()
    sent_before: int = 0
    diagram: str = ""
    listing: Sequence[Line | Gap] = ()
    lines: int = 0
    left_out: bool = False


@dataclass(frozen=True)
class _Told:
    """A check that is to be shown, and its story; told once, however often the page is drawn."""

    check: CheckResult
    lines: Sequence[Line]
    sent: Sequence[Line]
    sent_before: int

    def within(self, share: float) -> tuple[Finding, int]:
        """The finding with as much of its evidence as fits into `share` bytes, and the bytes it takes."""
        shown = Finding(self.check, self.sent, self.sent_before, lines=len(self.lines))
        if not self.lines:
            return shown, 0
        for arrows, listed in SHAPES:
            diagram = sequence(self.lines, arrows=arrows)
            listing = cut(self.lines, listed) if listed else []
            size = len(diagram.encode()) + sum(_size(line) for line in listing)
            if size <= share:
                return replace(shown, diagram=diagram, listing=listing), size
        return replace(shown, left_out=True), 0


def _tell(result: RunResult) -> list[_Told]:
    told = []
    for check in (*in_need_of_a_look(result), *tolerated(result)):
        transcript = result.transcripts.get(check.case or "", Transcript())
        told.append(_Told(check, story(transcript, check.conclusion.judged), *sent_before(transcript, check)))
    return told


def _findings(told: Sequence[_Told], left: int) -> list[Finding]:
    """Share out `left` bytes for evidence: what one finding does not need is there for the next."""
    findings = []
    for place, one in enumerate(told):
        finding, size = one.within(left / (len(told) - place))
        left -= size
        findings.append(finding)
    return findings


def _size(line: Line | Gap) -> int:
    """About how many bytes a line of a listing takes on the page."""
    return 120 if isinstance(line, Gap) else 250 + 2 * len(line.text(LONG).encode()) + 2 * len(line.label.encode())


def render(result: RunResult) -> str:
    """The page, showing as much as there is room for."""
    result = conceal(result)
    told = _tell(result)
    page = ""
    for room in ROOMS:
        page = _render(result, told, room)
        if len(page.encode("utf-8", "backslashreplace")) <= LARGEST:
            break
    return page


def _render(result: RunResult, told: Sequence[_Told], room: Room) -> str:
    from markupsafe import Markup

    findings = _findings(told[: room.findings], room.evidence)
    book = ledger(result)
    return _template().render(
        result=result,
        ledger=book,
        findings=findings,
        linked={finding.check.check for finding in findings},
        unjudged=unjudged(result),
        figures=_figures(result),
        order=list(book.counts),
        filters=by_care(check.state for check in result.results),
        known=known,
        notes=notes(result),
        by_row=partial(by_row, result),
        where=partial(where, result),
        symbols=SYMBOLS,
        svg=Markup,
        long=min(LONG, room.letters),
        letters=room.letters,
        more=len(told) - len(findings),
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
