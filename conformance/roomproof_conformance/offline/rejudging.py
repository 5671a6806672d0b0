"""Verdicts from transcripts alone, as the run gave them: of each check of a case, and of the watches over all.

Needs no server and runs no scenario; the registry is asked only for the watches.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from roomproof_conformance.judging import judge_case
from roomproof_conformance.results import RunResult
from roomproof_conformance.transcript import Transcript
from roomproof_conformance.verdicts import Conclusion, Finding, Reason, Verdict, as_json
from roomproof_conformance.watching import conclude_watch, watch_case
from roomproof_protocol import Requirement, requirements

from .files import again

BROKEN = frozenset({Verdict.FAIL, Verdict.WARN})


@dataclass(frozen=True)
class Said:
    """What is said of a check, and the case whose transcript decided (None: a watch that nothing broke)."""

    check: str
    conclusion: Conclusion
    case: str | None
    watch: bool = False


def rejudge(cases: Mapping[str, Transcript]) -> list[Said]:
    """Judge the checks of all cases, and fold the watches over them; the names of the cases are the caller's.

    Raises ValueError that names the case for a statement that this version of the kit cannot judge.
    """
    from roomproof_conformance import checks

    watches = checks.load()[1]
    names = {watch.check.id for watch in watches}
    found: list[Said] = []
    findings: dict[str, Mapping[str, Finding]] = {}
    for name, transcript in sorted(cases.items(), key=lambda item: _scenario(item[1])):
        own = [check for check in transcript.records[0].data["checks"] if check not in names]
        try:
            conclusions = judge_case(transcript, own, level)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        found += [Said(check, _unclaimed(check, transcript) or c, name) for check, c in conclusions.items()]
        findings[name] = watch_case(watches, transcript)
    offered = frozenset[str]().union(*(transcript.records[0].data["capabilities"] for transcript in cases.values()))
    for watch in watches:
        if (watch.check.needs | _needs(watch.check.id)) <= offered:
            conclusion, case = conclude_watch(watch, findings.items(), level(watch.check.id))
            found.append(Said(watch.check.id, conclusion, case, watch=True))
    return found


def broken(transcript: Transcript) -> dict[str, Conclusion]:
    """The checks and watches that one transcript breaks. Raises ValueError as `rejudge` does."""
    found = rejudge({"transcript": transcript})
    return {said.check: said.conclusion for said in found if said.conclusion.verdict in BROKEN}


def departures(result: RunResult, verdicts: Container[Verdict] = frozenset(Verdict)) -> list[str]:
    """Where a run's verdicts are not those that its transcripts give when they are written and read back.

    One line for each, so none is right. Of a check that a watch judges, only a broken one is compared, over the
    case that decided. `verdicts` chooses which checks are looked at.
    """
    lines: list[str] = []
    known: dict[str, dict[str, Conclusion]] = {}
    for check in result.results:
        if check.case is None or check.verdict not in verdicts or check.case not in result.transcripts:
            continue
        if check.case not in known:
            said = rejudge({check.case: again(result.transcripts[check.case])})
            known[check.case] = {one.check: one.conclusion for one in said}
        here, there = as_json(check.conclusion), _json(known[check.case].get(check.check))
        lines += [
            f"{check.check}: {name} is {here[name]!r} in the run, {there.get(name)!r} from its transcript"
            for name in here
            if here[name] != there.get(name)
        ]
    return lines


def _json(conclusion: Conclusion | None) -> dict[str, Any]:
    return {} if conclusion is None else as_json(conclusion)


def _scenario(transcript: Transcript) -> str:
    """The name of a case as a run orders them: that of its first check."""
    checks = transcript.records[0].data["checks"]
    return str(checks[0]) if checks else ""


def level(check: str) -> str:
    """MUST, SHOULD or MAY; a check of a row that this version does not know counts as MUST."""
    row = _rows().get(check.partition(".")[0])
    return row.level if row else "MUST"


def _needs(check: str) -> frozenset[str]:
    row = _rows().get(check.partition(".")[0])
    return frozenset(row.needs) if row else frozenset()


def _unclaimed(check: str, transcript: Transcript) -> Conclusion | None:
    """That a check of the case did not apply to what the target claims."""
    missing = _needs(check) - frozenset(transcript.records[0].data["capabilities"])
    if not missing:
        return None
    return Conclusion(Verdict.NOT_APPLICABLE, Reason.NOT_CLAIMED, f"not claimed: {', '.join(sorted(missing))}")


@cache
def _rows() -> Mapping[str, Requirement]:
    return {row.id: row for row in requirements()}


def worst_exit(said: Iterable[Said]) -> int:
    """The exit code that a run with these verdicts would have: 0, 1 broken, 3 error of the kit, 4 inconclusive."""
    verdicts = {one.conclusion.verdict for one in said}
    for verdict, code in ((Verdict.FAIL, 1), (Verdict.KIT_ERROR, 3), (Verdict.INCONCLUSIVE, 4)):
        if verdict in verdicts:
            return code
    return 0
