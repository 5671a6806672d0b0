"""From a transcript to verdicts: pure, the same during a run and offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .judges import evaluate, judge_named
from .judges.base import noise_of
from .transcript import Record, Transcript
from .verdicts import Conclusion, Judged, Reason, Verdict, conclude


def statements(transcript: Iterable[Record]) -> list[Record]:
    """The statements of a transcript, in the order in which they were made."""
    return [record for record in transcript if record.kind == "statement"]


def judge_statements(transcript: Transcript) -> list[Judged]:
    """Judge every statement over the whole transcript.

    What is spoken of later than a statement counts too: a message that came once by then and again
    afterwards was not delivered once. Raises ValueError for statements of another version of the kit.
    """
    records, noise = transcript.records, noise_of(transcript)
    return [
        Judged(
            s.data["check"],
            s.data["role"],
            s.data["says"],
            evaluate(judge_named(s.data["judge"], s.data["params"]), records, noise),
        )
        for s in statements(transcript)
    ]


def judge_case(
    transcript: Transcript, checks: Iterable[str], level: Callable[[str], str]
) -> dict[str, Conclusion]:
    """The conclusion of each check of a case; `level` tells a check's MUST or SHOULD.

    What is given is given for all checks of the case, and a check that the scenario did not come to
    because another one failed is not judged.
    """
    judged = judge_statements(transcript)
    broken = next(
        (j for j in judged if j.role == "must" and j.finding.outcome in ("broken", "unclear")), None
    )
    conclusions = {}
    for check in checks:
        mine = [j for j in judged if j.check == check or j.role == "given"]
        conclusion = conclude(level(check), mine)
        if conclusion.verdict is Verdict.KIT_ERROR and broken is not None:
            why = f"the scenario ended before, when {broken.check} did not hold"
            conclusion = Conclusion(Verdict.NOT_JUDGED, Reason.SETUP_FAILED, why, broken)
        conclusions[check] = conclusion
    return conclusions
