"""From a transcript to verdicts: pure, the same during a run and offline."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache

from . import judges
from .clock import LATE
from .judges import evaluate, judge_named
from .judges.base import noise_of
from .judges.presumed import PRESUMED
from .transcript import Record, Transcript
from .verdicts import Conclusion, Judged, Reason, Verdict, conclude

HELLO_TIMEOUT = 4408
"""The close code of a first frame that did not come (protocol, section 5)."""
CROSSING = 0.5
"""Seconds: half the shortest time for `hello` that the kit asks for; a frame written later may cross that Close."""
TOO_MANY = 4230
"""The close code of one connection too many (protocol, section 5)."""


@cache
def load_judges() -> None:
    """Import every module of `judges`, so that whatever judge a transcript names is known; scenarios are not needed."""
    for module in sorted(m.name for m in pkgutil.iter_modules(judges.__path__)):
        importlib.import_module(f"{judges.__name__}.{module}")


def statements(transcript: Iterable[Record]) -> list[Record]:
    """The statements of a transcript, in the order in which they were made."""
    return [record for record in transcript if record.kind == "statement"]


def judge_statements(transcript: Transcript) -> list[Judged]:
    """Judge every statement over the whole transcript.

    What is spoken of later than a statement counts too: a message that came once by then and again
    afterwards was not delivered once. Raises ValueError for statements of another version of the kit.
    """
    load_judges()
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
    late = _let_go_for_our_lag(records, noise) or _hello_too_late(records)
    if late:
        found = [_excused(judged, late) for judged in found]
    return found if all(judged.finding.outcome == "holds" for judged in found) else _presuming(found, records, noise)


def _presuming(found: list[Judged], records: Sequence[Record], noise: float) -> list[Judged]:
    """The same, where something broke that every case presumes and another row judges: what did not hold is no finding
    of its own then, but given that it never was."""
    for presumption, row in PRESUMED:
        finding = evaluate(presumption(), records, noise)
        if finding.outcome == "broken":
            why = f"{finding.seen}, which {row} judges"
            found = [judged if _same_area(judged.check, row) else _not_given(judged, why) for judged in found]
    return found


def _same_area(check: str, row: str) -> bool:
    return check.partition("-")[0] == row.partition("-")[0]


def _not_given(judged: Judged, why: str) -> Judged:
    finding = judged.finding
    if finding.outcome not in ("broken", "unclear"):
        return judged
    finding = replace(finding, outcome="broken", seen=f"{finding.seen}; {why}")
    return replace(judged, role="given", finding=finding)


def _let_go_for_our_lag(records: Sequence[Record], noise: float) -> str:
    """Whether the server closed a client for its silence while the kit itself was late: in words, or empty."""
    beat = records[0].data.get("heartbeat") if records else None
    if not beat or noise < beat["timeout"] / 3:
        return ""
    for record in records:
        if record.kind == "end" and record.data["by"] == "server" and record.data.get("code") == beat["code"]:
            return f"the kit was {noise:.2f} s late, and {record.conn} was closed {beat['code']} for its silence"
    return ""


def _hello_too_late(records: Sequence[Record]) -> str:
    """Whether the server closed a client that said nothing while its first frame was on its way: in words, or empty.

    Between opening and that frame the kit may have been late, which the worst of its pauses does not always show.
    """
    first: dict[str, float] = {}
    for record in records:
        if record.kind == "sent" and record.data["opcode"] in (1, 2):
            first.setdefault(record.conn, record.t)
        elif record.kind == "end" and record.data["by"] == "server" and record.data.get("code") == HELLO_TIMEOUT:
            waited = record.t - first.get(record.conn, float("-inf"))
            if waited < CROSSING:
                return f"{record.conn} was closed {HELLO_TIMEOUT} {waited:.2f} s after its first frame, which was late"
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


def flooded(records: Sequence[Record]) -> str:
    """Whether the kit cut a connection because the server wrote more than is kept: in words, or empty."""
    cut = next((r for r in records if r.kind == "local" and r.data.get("action") == "flooded"), None)
    return "" if cut is None else f"the server wrote more than the kit keeps: {cut.data['says']}"


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
    limited, noise = limit_met(transcript.records), noise_of(transcript)
    flood = flooded(transcript.records)
    broken = next((j for j in judged if j.role != "given" and j.finding.outcome in ("broken", "unclear")), None)
    conclusions = {}
    for check in checks:
        mine = [j for j in judged if j.check == check or j.role == "given"]
        conclusion = conclude(level(check), mine)
        if conclusion.reason is Reason.SETUP_FAILED and noise >= LATE:
            conclusion = replace(conclusion, verdict=Verdict.INCONCLUSIVE, reason=Reason.NOISE)
        if conclusion.verdict is Verdict.KIT_ERROR and broken is not None:
            why = f"the scenario ended before, when {broken.check} did not hold"
            conclusion = Conclusion(Verdict.NOT_JUDGED, Reason.SETUP_FAILED, why, broken)
        if limited and conclusion.verdict not in (Verdict.PASS, Verdict.TOLERATED):
            conclusion = Conclusion(Verdict.NOT_JUDGED, Reason.BUDGET, limited, conclusion.judged)
        if flood and conclusion.verdict not in (Verdict.PASS, Verdict.TOLERATED):
            conclusion = Conclusion(Verdict.NOT_JUDGED, Reason.FLOODED, flood, conclusion.judged)
        conclusions[check] = conclusion
    crash = next((record.data for record in transcript if record.kind == "crash"), None)
    if crash is not None:
        crashed = Conclusion(Verdict(crash["verdict"]), Reason(crash["reason"]), crash["explanation"])
        conclusions = {
            check: c if c.verdict in (Verdict.FAIL, Verdict.WARN) else crashed for check, c in conclusions.items()
        }
    return conclusions
