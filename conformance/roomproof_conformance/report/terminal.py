"""The result of a run on a terminal or in a pipe: a table by area, then each finding in full.

Foreign text never reaches rich as markup. Knows no judge; progress is the business of `progress`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import Verdict

from .console import COLOURS, console_on
from .escaping import encodable, visible
from .ledger import Area, Ledger, Row, by_care, duration, in_need_of_a_look, ledger, unjudged
from .progress import TerminalProgress
from .story import sent_before

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TerminalProgress", "print_result"]

FOUND = 700  # letters of what came, or should have come


def print_result(
    result: RunResult,
    console: Console | None = None,
    *,
    verbose: bool = False,
    transcripts: Mapping[str, Path] | None = None,
) -> None:
    """Print the result to `console` (default: stdout).

    `verbose` shows every check and every row that does not apply; `transcripts` says where
    `files.write_transcripts` put each case.
    """
    printer = _Printer(console or console_on("stdout"), result, verbose, transcripts or {})
    book = ledger(result)
    printer.table(book)
    printer.findings()
    printer.summary(book)


class _Printer:
    def __init__(self, console: Console, result: RunResult, verbose: bool, transcripts: Mapping[str, Path]) -> None:
        self.console = console
        self.result = result
        self.verbose = verbose
        self.transcripts = transcripts
        self.left = 16 if verbose else 14  # "not-applicable" is folded away where not every row is shown

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
        self.say(*columns, (words, style), indent=sum(len(cell) for cell, _ in columns))

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
            verdict = row.verdict
            if verdict is None or (verdict is Verdict.NOT_APPLICABLE and not self.verbose):
                continue
            head = (f"  {verdict.value}", COLOURS[verdict], self.left), (row.id, "", 8), (row.level, "dim", 6)
            if not self.verbose:
                self.row(*head, words=_title(row))
                continue
            self.row(*head, words=visible(row.text, 1000), style="dim")
            for check in row.checks:
                mark = (f"    {check.verdict.value}", COLOURS[check.verdict], self.left + 2)
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
        for check in in_need_of_a_look(self.result):
            self.finding(check)
        groups = unjudged(self.result)
        if groups:
            self.say(("Not judged", "bold"))
            for (reason, explanation), checks in groups.items():
                self.say(f"  {reason}: {visible(explanation, 300)}", indent=2)
                self.say("    ", (", ".join(visible(c.check, 80) for c in checks), "dim"), indent=4)
            self.say("")

    def finding(self, check: CheckResult) -> None:
        conclusion = check.conclusion
        judged = conclusion.judged
        style = COLOURS[check.verdict]
        head = f"{check.verdict.value.upper()}  "
        self.say(
            (head, style),
            (visible(check.check, 120), "bold"),
            f"  {visible(check.title, 200)}",
            indent=len(head),
        )
        self.fact(f"{check.requirement} {check.level}", visible(check.sentence, 1000))
        if conclusion.reason is not None:
            told = judged is not None and judged.finding.seen in conclusion.explanation
            self.fact(
                "reason",
                conclusion.reason.value + ("" if told else f": {visible(conclusion.explanation, FOUND)}"),
            )
        if judged is not None:
            self.fact("given" if judged.role == "given" else "statement", visible(judged.sentence, 300))
        for place, line in enumerate(self.sent(check)):
            self.fact("" if place else "sent", line)
        if judged is not None:
            self.fact("came", visible(judged.finding.seen, FOUND), style)
            self.fact("right", visible(judged.finding.expected, FOUND))
        if check.case is not None:
            self.fact("transcript", self.where(check), whole=True)
        if check.repeat:
            self.fact("repeat", visible(check.repeat), whole=True)
        self.say("")

    def sent(self, check: CheckResult) -> Iterable[str]:
        transcript = self.result.transcripts.get(check.case or "")
        if transcript is None:
            return
        lines, before = sent_before(transcript, check)
        if before:
            yield f"… {before} before"
        for line in lines:
            yield f"{visible(line.conn, 12)} at {line.t:.3f} s: {line.label} {line.text(300)}".rstrip()

    def where(self, check: CheckResult) -> str:
        case = check.case or ""
        judged = check.conclusion.judged
        shown = judged.finding.evidence if judged else ()
        records = f", records {', '.join(map(str, shown[:8]))}" if shown else ""
        if case in self.transcripts:
            return f"{visible(str(self.transcripts[case]))}{records}"
        return f"case {visible(case, 120)}{records} (kept with --transcripts DIR)"

    # -- the summary -----------------------------------------------------------------------------------------

    def summary(self, book: Ledger) -> None:
        result = self.result
        for note in result.notes:
            self.say(("note: ", "yellow"), visible(note, FOUND), indent=6)
        for remark in dict.fromkeys(row.remark for row in book.rows if row.remark):
            ids = [row.id for row in book.rows if row.remark == remark]
            self.say((f"{visible(remark, 120)} ({len(ids)}): {', '.join(ids)}", "dim"), indent=2)
        code = result.exit_code
        colour = {0: "bold green", 1: "bold red"}.get(code, "bold magenta")
        tally = ", ".join(
            f"{count} {verdict.value}" for verdict, count in by_care(r.verdict for r in result.results).items()
        )
        self.say((book.headline, colour), f": {visible(result.target, 200)} ({visible(result.dialect, 60)})")
        self.say(f"{len(result.results)} checks: {tally or 'none'}", indent=2)
        self.say(f"requirements: {book.judged} judged of {book.observable} observable of {book.total} in the table")
        self.say(
            f"time: waits of {duration(result.sum_of_waits)} in {duration(result.wall)}, "
            f"the longest {duration(result.longest_wait)}; worst lag {duration(result.worst_lag)}"
        )


def _title(row: Row) -> str:
    """The title of the check that decides, and how many others there are."""
    worst = row.worst
    title = visible(worst.title.removesuffix("."), 200)
    if len(row.checks) == 1:
        return title
    same = sum(check.verdict is worst.verdict for check in row.checks)
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
