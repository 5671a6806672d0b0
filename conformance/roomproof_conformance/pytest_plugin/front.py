"""The checks as items of pytest, each of which waits for its verdict in one run of the kit.

Collection contacts nobody. The run judges what was selected, and ends with pytest's loop, however that ends.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from roomproof_conformance.checks import Check, all_checks, load
from roomproof_conformance.known import KnownChecks
from roomproof_conformance.report.evidence import facts, known
from roomproof_conformance.report.ledger import duration
from roomproof_conformance.report.secrets import conceal, hide
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.run import Plan
from roomproof_conformance.target import TargetError
from roomproof_conformance.verdicts import Verdict

from . import PACKAGE
from .background import Background, selection
from .options import plan_from

FOLDER = Path(__file__).resolve().parent.parent
UNREACHABLE = 3
"""The exit code of a target that cannot be judged, as on the kit's own command line."""


class ConformanceWarning(UserWarning):
    """A SHOULD of the protocol is broken."""


class FrontEnd:
    """The hooks of one run of pytest."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.known = KnownChecks()
        self.run: Background | None = None
        self.lenient = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Check the options before anything is collected. Raises UsageError."""
        option = session.config.getoption
        if option("collectonly"):
            return
        if option("numprocesses", None) or option("tx", None) or hasattr(session.config, "workerinput"):
            raise pytest.UsageError("the kit itself runs the checks at the same time: leave out -n (pytest-xdist)")
        self.plan, self.known = plan_from(session.config)
        self.lenient = option("inconclusive_ok")

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if path.resolve() != FOLDER:
            return None
        suite: Suite = Suite.from_parent(parent, path=path, nodeid=PACKAGE)
        suite.front = self
        return suite

    def pytest_report_header(self) -> str | None:
        if self.plan is None:
            return None
        hooks = self.plan.hooks.path.stem if self.plan.hooks else ""
        return f"roomproof: {hide(self.plan.url or hooks)} ({self.plan.dialect.name})"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        ids = frozenset(item.check.id for item in session.items if isinstance(item, CheckItem))
        if self.plan is None or not ids or session.testsfailed:
            return (yield)
        self.run = Background(selection(self.plan, ids), self._finished)
        self.run.start()
        try:
            return (yield)
        finally:
            self.run.stop()

    def _finished(self, result: RunResult) -> RunResult:
        self.known.mark(result)
        return conceal(result)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run that judged nothing must not look like one in which all is well."""
        result = self.run.result if self.run else None
        if result is not None and session.exitstatus == pytest.ExitCode.OK and not _judged(result):
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        result = self.run.result if self.run else None
        if result is None:
            return
        terminalreporter.section("roomproof")
        for note in result.notes:
            terminalreporter.write_line(f"note: {note}")
        if not _judged(result):
            terminalreporter.write_line("nothing was judged")
        terminalreporter.write_line(
            f"time: waits of {duration(result.sum_of_waits)} in {duration(result.wall)}, "
            f"the longest {duration(result.longest_wait)}; worst lag {duration(result.worst_lag)}"
        )

    def became(self, check: str) -> CheckResult | None:
        """Wait for a check; None when it passed. Ends pytest when the target cannot be judged at all."""
        assert self.run is not None
        try:  # a known failure is only marked at the end
            return self.run.wait_for(check, end=self.known.find(check) is not None)
        except TargetError as error:
            pytest.exit(hide(str(error)), UNREACHABLE)


class Suite(pytest.Directory):
    """All checks, those first whose verdicts are there first."""

    front: FrontEnd

    def collect(self) -> Iterator[CheckItem]:
        scenarios, watches = load()
        late = {check.id: 1 for s in scenarios if s.waits or s.apart or s.hostile for check in s.checks}
        late |= {watch.check.id: 2 for watch in watches}
        for check in sorted(all_checks(), key=lambda check: late.get(check.id, 0)):
            item: CheckItem = CheckItem.from_parent(self, name=check.id, check=check, front=self.front)
            yield item


class CheckItem(pytest.Item):
    """One check: one sentence in one situation."""

    def __init__(self, *, check: Check, front: FrontEnd, **node: Any) -> None:
        super().__init__(**node)
        self.check = check
        self.front = front
        self.became: CheckResult | None = None

    def setup(self) -> None:
        """Wait for the verdict. An error of the kit is an error here, no failure of the target."""
        self.became = self.front.became(self.check.id)
        if self.became is None:
            return
        result = self.became
        self.user_properties += [
            ("verdict", result.state),
            ("level", result.level),
            ("seconds", round(result.seconds, 3)),
        ]
        if result.verdict is Verdict.KIT_ERROR:
            pytest.fail(self._told(result), pytrace=False)

    def runtest(self) -> None:
        result = self.became
        if result is None:
            return
        if result.red:
            pytest.fail(self._told(result), pytrace=False)
        if result.excused:
            pytest.xfail(known(result))
        match result.verdict:
            case Verdict.NOT_APPLICABLE | Verdict.NOT_JUDGED:
                self._skip(result)
            case Verdict.INCONCLUSIVE if self.front.lenient:
                self._skip(result)
            case Verdict.INCONCLUSIVE:
                pytest.fail(self._told(result), pytrace=False)
            case Verdict.WARN:
                self._warn(result)
            case Verdict.TOLERATED | Verdict.INFO:
                self.add_report_section("call", "roomproof", self._told(result))
            case _:
                pass

    def reportinfo(self) -> tuple[Path, int, str]:
        # Not the bare id: pytest writes `::` for the dots of a name that ends the node's id.
        return self.config.rootpath / PACKAGE, 0, f"{self.name}: {self.check.title}"

    def _skip(self, result: CheckResult) -> None:
        if result.conclusion.judged is not None:
            self.add_report_section("call", "roomproof", self._told(result))
        reason = result.conclusion.reason
        pytest.skip(f"{result.state} ({reason or 'no reason'}): {result.conclusion.explanation}")

    def _warn(self, result: CheckResult) -> None:
        self.add_report_section("call", "roomproof", self._told(result))
        try:
            self.warn(ConformanceWarning(self._told(result)))
        except ConformanceWarning as error:  # warnings are errors here
            pytest.fail(str(error), pytrace=False)

    def _told(self, result: CheckResult) -> str:
        """What became of the check, as every report tells it."""
        run = self.front.run.result if self.front.run else None
        assert run is not None
        lines = [f"{result.state}: {self.name}: {result.title}"]
        lines += [f"  {fact.name:<14}{fact.words}" for fact in facts(run, result)]
        return "\n".join(lines)


def _judged(result: RunResult) -> bool:
    return bool(result.having(Verdict.PASS, Verdict.TOLERATED, Verdict.WARN, Verdict.FAIL))
