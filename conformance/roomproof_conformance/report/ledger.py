"""The run seen from the requirement table: every row of it, with its verdict or why there is none.

What all reports count, they count here. Knows the table and the result, and no report format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import SEVERITY, Verdict
from roomproof_protocol import requirements

TITLES: Mapping[str, str] = {
    "CONN": "Connection and identification",
    "ROOM": "Rooms",
    "MSG": "Messages",
    "HIST": "History",
    "RESUME": "Resume",
    "RATE": "Rate limit",
    "BEAT": "Heartbeat",
    "ERR": "Errors and malformed input",
    "DISC": "Disconnects and slow readers",
    "PRES": "Presence",
    "AUTH": "Identity and authentication",
    "LIMIT": "Limits",
    "CLUSTER": "Several nodes",
}
JUDGEMENTS = (Verdict.PASS, Verdict.TOLERATED, Verdict.WARN, Verdict.FAIL)
BY_CARE = tuple(sorted(Verdict, key=lambda verdict: -SEVERITY[verdict]))
"""The verdicts, what a reader must care about most first."""


@dataclass(frozen=True)
class Row:
    """One requirement. `verdict` is the worst of its checks; where it has none, `remark` says why."""

    id: str
    level: str
    text: str
    checks: tuple[CheckResult, ...] = ()
    remark: str = ""

    @property
    def verdict(self) -> Verdict | None:
        return self.worst.verdict if self.checks else None

    @property
    def worst(self) -> CheckResult:
        """The check that decides the row; the first of several."""
        return max(self.checks, key=lambda check: SEVERITY[check.verdict])


@dataclass(frozen=True)
class Area:
    """One group of the table."""

    name: str
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """Rows by verdict, what matters most first."""
        return by_care(row.verdict for row in self.rows if row.verdict is not None)


@dataclass(frozen=True)
class Ledger:
    """All areas in the order of the table, and the figures over them."""

    areas: tuple[Area, ...]
    headline: str
    judged: int  # requirements with a judgement
    observable: int  # ...of which a client can tell
    total: int

    @property
    def rows(self) -> list[Row]:
        return [row for area in self.areas for row in area.rows]

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """Requirements by verdict, what matters most first."""
        return by_care(row.verdict for row in self.rows if row.verdict is not None)


def ledger(result: RunResult) -> Ledger:
    """Lay the result out over the requirement table; a requirement that the table does not know goes last."""
    checks: dict[str, list[CheckResult]] = {}
    for check in result.results:
        checks.setdefault(check.requirement, []).append(check)
    unchecked = set(result.unchecked)
    areas: dict[str, list[Row]] = {}
    table = requirements()
    for known in table:
        remark = "not selected"
        if not known.observable:
            remark = known.why_not or "not observable"
        elif known.id in unchecked:
            remark = "no check yet"
        mine = tuple(checks.pop(known.id, ()))
        areas.setdefault(known.group, []).append(Row(known.id, known.level, known.text, mine, "" if mine else remark))
    for unknown, mine_too in checks.items():
        first = mine_too[0]
        areas.setdefault(first.group, []).append(Row(unknown, first.level, first.sentence, tuple(mine_too)))
    rows = [row for group in areas.values() for row in group]
    return Ledger(
        tuple(Area(name, tuple(group)) for name, group in areas.items()),
        headline(result),
        sum(row.verdict in JUDGEMENTS for row in rows),
        sum(row.observable for row in table),
        len(table),
    )


def headline(result: RunResult) -> str:
    """The run in two or three words; they follow its exit code."""
    if result.interrupted:
        return "Interrupted"
    match result.exit_code:
        case 1:
            return "Not conformant"
        case 3:
            return "Kit error" if result.having(Verdict.KIT_ERROR) else "Nothing judged"
        case 4:
            return "Inconclusive"
        case _:
            return "Conformant, with warnings" if result.having(Verdict.WARN) else "Conformant"


def by_care(verdicts: Iterable[Verdict]) -> Mapping[Verdict, int]:
    """Count verdicts; what a reader must care about most comes first."""
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in BY_CARE if counts[verdict]}


def in_need_of_a_look(result: RunResult) -> list[CheckResult]:
    """Red and doubtful checks that have something to show, the gravest first; the rest is in `unjudged`."""
    grave = result.having(Verdict.FAIL, Verdict.WARN, Verdict.KIT_ERROR, Verdict.INCONCLUSIVE, Verdict.NOT_JUDGED)
    shown = [r for r in grave if r.verdict is not Verdict.NOT_JUDGED or r.conclusion.judged is not None]
    return sorted(shown, key=lambda r: -SEVERITY[r.verdict])


def unjudged(result: RunResult) -> Mapping[tuple[str, str], Sequence[CheckResult]]:
    """Checks with nothing to show, by reason and explanation: forty that lack a hook are one news item."""
    groups: dict[tuple[str, str], list[CheckResult]] = {}
    for check in result.having(Verdict.NOT_JUDGED):
        if check.conclusion.judged is None:
            reason = check.conclusion.reason.value if check.conclusion.reason else ""
            groups.setdefault((reason, check.conclusion.explanation), []).append(check)
    return groups


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds >= 100:
        return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02d} min"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
