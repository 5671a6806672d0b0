"""The result of a run on a terminal or in a pipe: a table by area, then each finding in full.

Foreign text never reaches rich as markup. Knows no judge; progress is the business of `progress`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import Reason, Verdict

from .console import COLOURS, console_on
from .escaping import encodable, visible
from .evidence import FOUND, facts, known
from .ledger import (
    Area,
    Ledger,
    Row,
    by_care,
    by_row,
    duration,
    in_need_of_a_look,
    known_flaky_passes,
    ledger,
    notes,
    tolerated,
    unjudged,
)
from .progress import TerminalProgress
from .secrets import conceal

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TerminalProgress", "print_result"]

BESIDE = 24
"""Columns that words need beside their cells; with fewer they go below them."""


def print_result(result: RunResult, console: Console | None = None, *, verbose: bool = False) -> None:
    """Print the result to `console` (default: stdout).

    `verbose` shows every check and every row that does not apply, and what was tolerated or known in full.
    """
    printer = _Printer(console or console_on("stdout"), conceal(result), verbose)
    book = ledger(result)
    printer.table(book)
    printer.findings()
    printer.known()
    printer.unjudged()
    printer.summary(book)


class _Printer:
    def __init__(self, console: Console, result: RunResult, verbose: bool) -> None:
        self.console = console
        self.result = result
        self.verbose = verbose
        states = [check.state for check in result.results if verbose or check.verdict is not Verdict.NOT_APPLICABLE]
        self.left = max([14, *(len(state) + 2 for state in states)])

    # -- small print -------------------------------------------------------------------------------------

    def say(self, *parts: str | tuple[str, str], indent: int = 0, whole: bool = False) -> None:
        """A paragraph of words or (words, style) with a hanging `indent`; `whole`: one line, to be copied."""
        from rich.text import Text

        text = Text()
        for part in parts:
            words, style = part if isinstance(part, tuple) else (part, "")
            text.append(encodable(words, self.console.encoding), style=style)
        if whole:
            self.console.print(text, soft_wrap=True)
            return
        width = self.console.width
        first, rest = text[:indent], text[indent:]
        lines = rest.wrap(self.console, max(20, width - indent), overflow="fold")
        for place, line in enumerate(lines or [Text()]):
            line.rstrip()
            self.console.print(Text.assemble(first if place == 0 else " " * indent, line), soft_wrap=True)

    def row(self, *cells: tuple[str, str, int], words: str, style: str = "") -> None:
        """Cells of (words, style, width), then words that wrap beside them."""
        columns = [(cell.ljust(width) + " ", colour) for cell, colour, width in cells]
        indent = sum(len(cell) for cell, _ in columns)
        if self.console.width - indent >= BESIDE:
            self.say(*columns, (words, style), indent=indent)
            return
        self.say(*((f"{cell}  ", colour) for cell, colour, _ in cells), indent=2)
        self.say("    ", (words, style or "dim"), indent=4)

    def fact(self, name: str, words: str, style: str = "", *, whole: bool = False) -> None:
        label = f"  {name.ljust(14)}"
        self.say((label, "dim"), (words, style), indent=len(label), whole=whole)

    # -- the table ---------------------------------------------------------------------------------------

    def table(self, book: Ledger) -> None:
        for area in book.areas:
            if area.counts:
                self.say((area.title, "bold"), (f"  {area.name}", "dim"))
                self.rows(area)
                if not self.verbose:
                    self.folded(area)
                self.say("")

    def rows(self, area: Area) -> None:
        for row in area.rows:
            if not row.checks or (row.verdict is Verdict.NOT_APPLICABLE and not self.verbose):
                continue
            head = (f"  {row.state}", COLOURS[row.state], self.left), (row.id, "", 8), (row.level, "dim", 6)
            if not self.verbose:
                self.row(*head, words=_title(row))
                continue
            self.row(*head, words=visible(row.text, 1000), style="dim")
            for check in row.checks:
                mark = (f"    {check.state}", COLOURS[check.state], self.left + 2)
                self.row(mark, words=_check(check))

    def folded(self, area: Area) -> None:
        """Rows that do not apply, by what is missing."""
        groups: dict[str, list[str]] = {}
        for row in area.rows:
            if row.verdict is Verdict.NOT_APPLICABLE:
                groups.setdefault(row.worst.conclusion.explanation, []).append(row.id)
        for why, ids in groups.items():
            self.row(("  n/a", "dim", self.left), words=f"{', '.join(ids)} ({visible(why, 200)})", style="dim")

    # -- the findings --------------------------------------------------------------------------------------

    def findings(self) -> None:
        """What is red or doubtful in full; with `verbose` what was tolerated or is known, too."""
        for check in in_need_of_a_look(self.result):
            if self.verbose or not check.excused:
                self.finding(check)
        for check in tolerated(self.result) if self.verbose else ():
            self.finding(check)

    def finding(self, check: CheckResult) -> None:
        style = COLOURS[check.state]
        head = f"{check.state.upper()}  "
        self.say(
            (head, style),
            (visible(check.check, 120), "bold"),
            f"  {visible(check.title, 200)}",
            indent=len(head),
        )
        for fact in facts(self.result, check):
            self.fact(fact.name, fact.words, style if fact.name == "came" else "", whole=fact.whole)
        self.say("")

    def known(self) -> None:
        """What fails as a file says, and what that file calls flaky and passed this time."""
        excused = [check for check in in_need_of_a_look(self.result) if check.excused]
        if not (excused or known_flaky_passes(self.result)):
            return
        self.say(("Known failures", "bold"))
        for check in [*excused, *known_flaky_passes(self.result)]:
            words = f"{visible(check.check, 120)}: {check.verdict.value}, {known(check)}"
            self.row((f"  {check.state}", COLOURS[check.state], self.left), words=words)
        self.say("")

    def unjudged(self) -> None:
        """What was not judged, by its reason; what was left out for its waits only by row, it may be half the table."""
        groups = unjudged(self.result)
        if not groups:
            return
        self.say(("Not judged", "bold"))
        for (reason, explanation), checks in groups.items():
            self.say(f"  {reason}: {visible(explanation, 300)}", indent=2)
            by_check = reason != Reason.TOO_LONG or self.verbose
            ids = ", ".join(visible(c.check, 80) for c in checks) if by_check else by_row(self.result, checks)
            self.say("    ", (ids, "dim"), indent=4)
        self.say("")

    # -- the summary -----------------------------------------------------------------------------------------

    def summary(self, book: Ledger) -> None:
        result = self.result
        for note in notes(result):
            self.say(("note: ", "yellow"), visible(note, FOUND), indent=6)
        for remark in dict.fromkeys(row.remark for row in book.rows if row.remark):
            ids = [row.id for row in book.rows if row.remark == remark]
            self.say((f"{visible(remark, 120)} ({len(ids)}): {', '.join(ids)}", "dim"), indent=2)
        code = result.exit_code
        colour = {0: "bold green", 1: "bold red"}.get(code, "bold magenta")
        tally = ", ".join(f"{count} {state}" for state, count in by_care(r.state for r in result.results).items())
        self.say((book.headline, colour), f": {visible(result.target, 200)} ({visible(result.dialect, 60)})")
        self.say(f"{len(result.results)} checks: {tally or 'none'}", indent=2)
        self.say(
            f"requirements: {book.judged} judged of {book.observable} observable of {book.total} in the table", indent=2
        )
        self.say(
            f"time: sum of waits {duration(result.sum_of_waits)}, wall {duration(result.wall)}, "
            f"longest wait {duration(result.longest_wait)}; worst lag {duration(result.worst_lag)}",
            indent=2,
        )


def _title(row: Row) -> str:
    """The title of the check that decides, and how many others there are."""
    worst = row.worst
    title = visible(worst.title.removesuffix("."), 200)
    if len(row.checks) == 1:
        return title
    same = sum(check.state == worst.state for check in row.checks)
    if same == len(row.checks):
        return f"{title} (and {same - 1} more)"
    return f"{title} ({same} of {len(row.checks)} checks)"


def _check(check: CheckResult) -> str:
    reason = check.conclusion.reason
    explanation = check.conclusion.explanation
    why = (
        f" ({reason.value}: {visible(explanation, 160)})"
        if reason
        else f" ({visible(explanation, 160)})"
        if explanation
        else ""
    )
    return f"{visible(check.check, 120)}  {visible(check.title, 200)}{why}"
