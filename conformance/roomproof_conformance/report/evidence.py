"""What a reader needs to believe a verdict and to repeat it, in the order in which every report tells it.

Knows the result and the story of its transcripts, and no report format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from roomproof_conformance.results import CheckResult, RunResult

from .escaping import visible
from .story import Line, sent_before

FOUND = 700
"""Letters of what came, or should have come."""


@dataclass(frozen=True)
class Fact:
    """A name and its words, made visible; `whole`: to be copied, so never wrapped. Without a name it goes on."""

    name: str
    words: str
    whole: bool = False


def facts(result: RunResult, check: CheckResult) -> Iterator[Fact]:
    """Everything that is known of one check that did not pass."""
    conclusion = check.conclusion
    judged = conclusion.judged
    yield Fact(f"{check.requirement} {check.level}", visible(check.sentence, 1000))
    if check.known is not None:
        yield Fact("known", known(check))
    if conclusion.reason is not None:
        told = judged is not None and judged.finding.seen in conclusion.explanation
        why = "" if told else f": {visible(conclusion.explanation, FOUND)}"
        yield Fact("reason", conclusion.reason.value + why)
    if judged is not None:
        yield Fact("given" if judged.role == "given" else "statement", visible(judged.sentence, 300))
    for place, words in enumerate(_sent_words(result, check)):
        yield Fact("" if place else "sent", words)
    if judged is not None:
        yield Fact("came", visible(judged.finding.seen, FOUND))
        yield Fact("right", visible(judged.finding.expected, FOUND))
    if check.case is not None:
        yield Fact("transcript", where(result, check), whole=True)
    if check.repeat:
        yield Fact("repeat", visible(check.repeat), whole=True)


def sent(result: RunResult, check: CheckResult) -> tuple[list[Line], int]:
    """The last lines that the kit sent before the evidence, and how many came before them."""
    transcript = result.transcripts.get(check.case or "")
    return ([], 0) if transcript is None else sent_before(transcript, check)


def _sent_words(result: RunResult, check: CheckResult) -> Iterator[str]:
    lines, before = sent(result, check)
    if before:
        yield f"… {before} before"
    for line in lines:
        yield f"{visible(line.conn, 12)} at {line.t:.3f} s: {line.label} {line.text(300)}".rstrip()


def where(result: RunResult, check: CheckResult) -> str:
    """The transcript's file, or how to get one, and the records that show it."""
    case = check.case or ""
    judged = check.conclusion.judged
    shown = judged.finding.evidence if judged else ()
    records = f", records {', '.join(map(str, shown[:8]))}" if shown else ""
    if case in result.files:
        return f"{visible(str(result.files[case]))}{records}"
    return f"case {visible(case, 120)}{records} (kept with --transcripts DIR)"


def known(check: CheckResult) -> str:
    """What a file of known failures says of the check, and what that means now; empty where none speaks of it."""
    entry = check.known
    if entry is None:
        return ""
    reason, place = visible(entry.reason, FOUND), visible(entry.where)
    if check.stale:
        return f"it passes, so the list is stale: remove the entry in {place} ({reason})"
    until = f" until {entry.until}" if entry.until else ""
    over = ", which is over" if entry.expired else ""
    return f"known to be {entry.kind}{until}{over}: {reason} ({place})"
