"""From a transcript to verdicts: pure, the same during a run and offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from .judges import evaluate, judge_named
from .judges.base import noise_of
from .transcript import Record, Transcript
from .verdicts import Conclusion, Judged, Reason, Verdict, conclude

TOO_MANY = 4230
"""The close code of one connection too many (protocol, section 5)."""


def statements(transcript: Iterable[Record]) -> list[Record]:
    """The statements of a transcript, in the order in which they were made."""
    return [record for record in transcript if record.kind == "statement"]


def judge_statements(transcript: Transcript) -> list[Judged]:
    """Judge every statement over the whole transcript.

    What is spoken of later than a statement counts too: a message that came once by then and again
    afterwards was not delivered once. Raises ValueError for statements of another version of the kit.
    """
    records, noise = transcript.records, noise_of(transcript)
    found = [
        Judged(
            s.data["check"],
            s.data["role"],
            s.data["says"],
            evaluate(judge_named(s.data["judge"], s.data["params"]), records, noise),
        )
        for s in statements(transcript)
    ]
    late = _let_go_for_our_lag(records, noise)
    return [_excused(judged, late) for judged in found] if late else found


def _let_go_for_our_lag(records: Sequence[Record], noise: float) -> str:
    """Whether the server closed a client for its silence while the kit itself was late: in words, or empty."""
    beat = records[0].data.get("heartbeat") if records else None
    if not beat or noise < beat["timeout"] / 3:
        return ""
    for record in records:
        if record.kind == "end" and record.data["by"] == "server" and record.data.get("code") == beat["code"]:
            return f"the kit was {noise:.2f} s late, and {record.conn} was closed {beat['code']} for its silence"
    return ""


def limit_met(records: Sequence[Record]) -> str:
    """Where a target that limits each address turned this case away for that: in words, or empty.

    What such a target refuses it has announced, so it is never held against it; the cases whose sentence is the
    limit itself have a server of their own.
    """
    if not records or not records[0].data.get("guarded"):
        return ""
    for record in records:
        data = record.data
        if record.kind == "handshake" and data["status"] in (429, 503):
            return f"the server's limit per address was met: HTTP {data['status']} for {record.conn}"
        if record.kind == "end" and data["by"] == "server" and data.get("code") == TOO_MANY:
            return f"the server's limit per address was met: {record.conn} was closed {TOO_MANY}"
        if record.kind == "event" and data["kind"] == "rate_limited" and data["fields"].get("scope") == "address":
            return f"the server's limit per address was met: {record.conn} was refused a message"
    return ""


def _excused(judged: Judged, why: str) -> Judged:
    finding = judged.finding
    if finding.outcome != "broken":
        return judged
    return replace(judged, finding=replace(finding, outcome="unclear", seen=f"{finding.seen}; {why}"))


def judge_case(transcript: Transcript, checks: Iterable[str], level: Callable[[str], str]) -> dict[str, Conclusion]:
    """The conclusion of each check of a case; `level` tells a check's MUST or SHOULD.

    What is given is given for all checks of the case, and a check that the scenario did not come to
    because another one failed is not judged.
    """
    judged = judge_statements(transcript)
    limited = limit_met(transcript.records)
    broken = next((j for j in judged if j.role == "must" and j.finding.outcome in ("broken", "unclear")), None)
    conclusions = {}
    for check in checks:
        mine = [j for j in judged if j.check == check or j.role == "given"]
        conclusion = conclude(level(check), mine)
        if conclusion.verdict is Verdict.KIT_ERROR and broken is not None:
            why = f"the scenario ended before, when {broken.check} did not hold"
            conclusion = Conclusion(Verdict.NOT_JUDGED, Reason.SETUP_FAILED, why, broken)
        if limited and conclusion.verdict not in (Verdict.PASS, Verdict.TOLERATED):
            conclusion = Conclusion(Verdict.NOT_JUDGED, Reason.BUDGET, limited, conclusion.judged)
        conclusions[check] = conclusion
    return conclusions
