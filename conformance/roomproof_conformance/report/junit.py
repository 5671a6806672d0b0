"""The result of a run as JUnit XML, as CI systems read it: a suite for each area, a test case for each check.

A known failure is a skipped test with its reason, one that passes a failed one, as the exit code has it. What
could not be judged is skipped and says why, what was inconclusive an error; a broken SHOULD is a passed test with a
word in its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import Verdict

from .escaping import visible
from .evidence import facts, known
from .files import write
from .ledger import TITLES
from .secrets import conceal

Kind = str
"""The element that says what became of a test case: failure, error, skipped, or empty for a passed one."""


def render(result: RunResult) -> str:
    """The document; text that XML cannot hold is made visible."""
    result = conceal(result)
    areas: dict[str, list[CheckResult]] = {}
    for check in result.results:
        areas.setdefault(check.group, []).append(check)
    root = Xml.Element("testsuites", name="roomproof", **_counts(result.results))
    root.set("time", f"{result.wall:.3f}")
    for area, checks in areas.items():
        root.append(_suite(result, area, checks))
    Xml.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def write_junit(result: RunResult, path: str | Path) -> None:
    """Write the document to `path`. Raises ReportError."""
    document = render(result)
    write(path, lambda file: file.write(document))


def _suite(result: RunResult, area: str, checks: Sequence[CheckResult]) -> Xml.Element:
    suite = Xml.Element("testsuite", name=TITLES.get(area, visible(area, 60)), **_counts(checks))
    suite.set("time", f"{sum(check.seconds for check in checks):.3f}")
    suite.set("timestamp", result.began.strftime("%Y-%m-%dT%H:%M:%S"))  # the schemas of readers have no zone
    suite.set("hostname", visible(result.target, 200))
    properties = Xml.SubElement(suite, "properties")
    for name, value in (("target", result.target), ("dialect", result.dialect), ("version", result.version)):
        Xml.SubElement(properties, "property", name=name, value=visible(value, 200))
    suite.extend(_case(result, check) for check in checks)
    return suite


def _case(result: RunResult, check: CheckResult) -> Xml.Element:
    case = Xml.Element("testcase", classname=f"roomproof.{visible(check.requirement, 20)}")
    case.set("name", f"{visible(check.check, 120)}: {visible(check.title, 200)}")
    case.set("time", f"{check.seconds:.3f}")
    story = "\n".join(f"{fact.name}: {fact.words}" if fact.name else f"  {fact.words}" for fact in facts(result, check))
    if kind := _kind(check):
        said = Xml.SubElement(case, kind, message=_message(check), type=check.state)
        said.text = story
    elif check.verdict is not Verdict.PASS or check.known is not None:
        Xml.SubElement(case, "system-out").text = f"{_message(check)}\n{story}"
    return case


def _kind(check: CheckResult) -> Kind:
    if check.red:
        return "failure"
    if check.excused:
        return "skipped"
    match check.verdict:
        case Verdict.KIT_ERROR | Verdict.INCONCLUSIVE:
            return "error"
        case Verdict.PASS | Verdict.TOLERATED | Verdict.WARN | Verdict.INFO:
            return ""
        case _:
            return "skipped"


def _message(check: CheckResult) -> str:
    conclusion = check.conclusion
    if check.known is not None:
        return f"{check.state}: {known(check)}"
    if conclusion.judged is not None:
        return f"{check.state}: {visible(conclusion.judged.finding.seen, 300)}"
    reason = conclusion.reason.value if conclusion.reason else ""
    return ": ".join(part for part in (check.state, reason, visible(conclusion.explanation, 300)) if part)


def _counts(checks: Sequence[CheckResult]) -> dict[str, Any]:
    kinds = [_kind(check) for check in checks]
    names = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(kinds)), **{name: str(kinds.count(kind)) for name, kind in names.items()}}
