"""The run seen from the requirement table: every row of it, with its verdict or why there is none.

What all reports count, they count here. Knows the table and the result, and no report format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roomproof_conformance.quick import NOTE
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import SEVERITY, Conclusion, Reason, Verdict
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
STATES: Mapping[str, float] = {
    **{verdict.value: rank for verdict, rank in SEVERITY.items()},
    "stale": SEVERITY[Verdict.FAIL] - 0.5,
    "known-failing": SEVERITY[Verdict.INCONCLUSIVE] - 0.3,
    "known-flaky": SEVERITY[Verdict.INCONCLUSIVE] - 0.6,
}
"""How much a reader must care about each state of a check (`CheckResult.state`)."""
BY_CARE = tuple(sorted(STATES, key=lambda state: -STATES[state]))
"""The states, what a reader must care about most first."""


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
        return max(self.checks, key=_care)

    @property
    def state(self) -> str:
        """That of the check that decides, or empty."""
        return self.worst.state if self.checks else ""


@dataclass(frozen=True)
class Area:
    """One group of the table."""

    name: str
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows by state, what matters most first."""
        return by_care(row.state for row in self.rows if row.checks)


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
    def counts(self) -> Mapping[str, int]:
        """Requirements by state, what matters most first."""
        return by_care(row.state for row in self.rows if row.checks)


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
    """The run in a few words; they follow its exit code."""
    if result.interrupted:
        return "Interrupted"
    match result.exit_code:
        case 1 if all(check.stale for check in result.results if check.red):
            return "Known failures are out of date"
        case 1:
            return "Not conformant"
        case 3:
            return "Kit error" if result.having(Verdict.KIT_ERROR) else "Nothing judged"
        case 4:
            return "Inconclusive"
        case _ if any(check.excused for check in result.having(Verdict.FAIL)):
            return "Conformant but for known failures"
        case _:
            warned = any(not check.excused for check in result.having(Verdict.WARN))
            return "Conformant, with warnings" if warned else "Conformant"


def by_care(states: Iterable[str]) -> Mapping[str, int]:
    """Count verdicts or states; what a reader must care about most comes first."""
    counts = Counter(str(state) for state in states)
    return {state: counts[state] for state in BY_CARE if counts[state]}


def _care(check: CheckResult) -> float:
    """What was left out on purpose says nothing of its row as long as another check does."""
    return -1 if check.conclusion.reason is Reason.TOO_LONG else STATES[check.state]


def in_need_of_a_look(result: RunResult) -> list[CheckResult]:
    """Red and doubtful checks that have something to show, the gravest first; the rest is in `unjudged`."""
    return sorted((check for check in result.results if _shown(check)), key=lambda check: -_care(check))


def _shown(check: CheckResult) -> bool:
    grave = (Verdict.FAIL, Verdict.WARN, Verdict.KIT_ERROR, Verdict.INCONCLUSIVE)
    set_up = check.verdict is Verdict.NOT_JUDGED and check.conclusion.judged is not None
    return set_up or check.stale or check.verdict in grave


def tolerated(result: RunResult) -> list[CheckResult]:
    """Checks that met an allowed variant: nothing is wrong, and a reader may still want to see it."""
    return [check for check in result.having(Verdict.TOLERATED) if not check.stale]


def known_flaky_passes(result: RunResult) -> list[CheckResult]:
    """Checks that passed this time and are known to fail now and then."""
    passed = result.having(Verdict.PASS, Verdict.TOLERATED)
    return [check for check in passed if check.known is not None and check.known.kind == "flaky"]


def notes(result: RunResult) -> list[str]:
    """What the run noted, without what `unjudged` tells in a better order."""
    return [note for note in result.notes if not note.startswith(NOTE)]


def unjudged(result: RunResult) -> Mapping[tuple[str, str], Sequence[CheckResult]]:
    """Checks with nothing to show, by reason and explanation: forty that lack a hook are one news item."""
    groups: dict[tuple[str, str], list[CheckResult]] = {}
    for check in result.having(Verdict.NOT_JUDGED):
        if check.conclusion.judged is None:
            reason = check.conclusion.reason.value if check.conclusion.reason else ""
            groups.setdefault((reason, _grouped(check.conclusion)), []).append(check)
    order = list(dict.fromkeys(reason for reason, _ in groups))
    return dict(sorted(groups.items(), key=lambda item: order.index(item[0][0])))


def _grouped(conclusion: Conclusion) -> str:
    """The explanation; where each tells how long it must wait, that it is too long."""
    why = conclusion.explanation
    return "must wait too long" if conclusion.reason is Reason.TOO_LONG and why.startswith("must wait") else why


def by_row(result: RunResult, checks: Sequence[CheckResult]) -> str:
    """The rows that these checks leave unjudged, and those that others of their checks judge in part."""
    rows = dict.fromkeys(check.requirement for check in checks)
    judged = {check.requirement for check in result.results if check.verdict is not Verdict.NOT_JUDGED}
    whole = [row for row in rows if row not in judged]
    part = [row for row in rows if row in judged]
    return "; ".join(([", ".join(whole)] if whole else []) + ([f"in part {', '.join(part)}"] if part else []))


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds >= 100:
        return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02d} min"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
