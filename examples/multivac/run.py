"""Judges the answers that run: starts each unchanged through its hook file, prints the verdicts, writes the reports.

    python run.py [--only KEY,KEY] [--without-long-waits] [--twice] [--results PATH]

Beside the verdicts stands a second list: what was found by hand before the kit existed (`findings.yaml`).
Exit code 0 when the kit's verdicts agree with it, 1 when they do not, 2 when an answer cannot be run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from answers import load_answers
from environments import ensure
from unpack import DEFAULT_RESULTS, UsageFault, load_results

from roomproof_conformance import hooks
from roomproof_conformance.dialects import load
from roomproof_conformance.report import write_html, write_json, write_transcripts
from roomproof_conformance.report.progress import TerminalProgress
from roomproof_conformance.report.terminal import print_result
from roomproof_conformance.results import RunResult
from roomproof_conformance.run import Plan, Runner, TargetError
from roomproof_conformance.verdicts import Verdict

HERE = Path(__file__).parent
REPORTS = HERE.parents[1] / "reports" / "multivac"
LONG = 15.0
"""Seconds that a case may wait under --without-long-waits."""


@dataclass(frozen=True)
class Known:
    """One thing known of an answer: the verdict that a check must give, and why in words."""

    check: str
    verdict: str
    says: str


def known_findings(key: str, path: Path = HERE / "findings.yaml") -> list[Known]:
    """What was found by hand of one answer. Raises UsageFault when the file does not hold it."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return [Known(**entry) for entry in data[key]]
    except (KeyError, TypeError) as fault:
        raise UsageFault(f"{path}: {key}: expected a list of check, verdict, says ({fault})") from None


def disagreements(result: RunResult, known: Sequence[Known]) -> list[str]:
    """Where the run says other than `known`; what was left out on purpose is no disagreement."""
    found = {r.check: r for r in result.results}
    wrong = []
    for entry in known:
        check = found.get(entry.check)
        if check is None:
            wrong.append(f"{entry.check}: no such check (expected {entry.verdict}: {entry.says})")
        elif check.verdict != entry.verdict and check.conclusion.reason != "too-long":
            wrong.append(f"{entry.check}: {check.verdict}, expected {entry.verdict}: {entry.says}")
    return wrong


def differences(first: RunResult, second: RunResult) -> list[str]:
    """Requirements on which two runs do not say the same.

    Of requirements and not of checks: some faults are races, and show in one situation today, in its twin tomorrow.
    """
    before, after = first.by_requirement(), second.by_requirement()
    return [f"{row}: {before.get(row)}, then {verdict}" for row, verdict in after.items() if before.get(row) != verdict]


async def judge(key: str, longest: float | None) -> RunResult:
    """Start one answer and judge it through its dialect."""
    dialect = load(HERE / "dialects" / f"{key}.yaml")
    repeat = f"roomproof --hooks examples/multivac/hooks/{key}.yaml --dialect examples/multivac/dialects/{key}.yaml"
    with TerminalProgress() as progress:
        plan = Plan(
            dialect,
            hooks=hooks.load(HERE / "hooks" / f"{key}.yaml"),
            longest=longest,
            repeat=repeat,
            progress=progress,
        )
        runner = Runner(plan)
        try:
            return await runner.run()
        finally:
            await runner.stop_all()


def one(key: str, options: argparse.Namespace) -> bool:
    """Judge one answer and print what was found; True when it is what was known."""
    longest = LONG if options.without_long_waits else None
    result = asyncio.run(judge(key, longest))
    folder = REPORTS / key
    result.files = write_transcripts(result, folder / "transcripts")
    write_html(result, REPORTS / f"{key}.html")
    write_json(result, REPORTS / f"{key}.json")
    print(f"\n=== {key} ===", flush=True)
    print_result(result)
    known = known_findings(key)
    wrong = disagreements(result, known)
    left_out = [
        r.check for r in result.results if r.conclusion.reason == "too-long" and r.check in {k.check for k in known}
    ]
    print(f"known by hand: {len(known)}; not confirmed: {len(wrong)}; left out for their long waits: {len(left_out)}")
    if options.twice:
        again = differences(result, asyncio.run(judge(key, longest)))
        print(f"second run: {'the same verdicts' if not again else '; '.join(again)}")
        wrong += again
    for line in wrong:
        print(f"  {line}")
    return not wrong and not result.having(Verdict.KIT_ERROR)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; one clear line for what is missing."""
    parser = argparse.ArgumentParser(description="Judge the answers of the evaluation that run.")
    parser.add_argument("--only", metavar="KEYS", help="model keys with commas between (default: all that run)")
    parser.add_argument("--without-long-waits", action="store_true", help=f"leave out what must wait over {LONG:g} s")
    parser.add_argument("--twice", action="store_true", help="judge again and compare the verdicts")
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS, metavar="PATH", help="the results file")
    options = parser.parse_args(arguments)
    try:
        load_results(options.results)
        os.environ["ROOMPROOF_MULTIVAC_RESULTS"] = str(options.results.resolve())
        runnable = load_answers()
        keys = options.only.split(",") if options.only else list(runnable)
        unknown = [key for key in keys if key not in runnable]
        if unknown:
            raise UsageFault(f"no answer {unknown[0]!r} that runs; known: {', '.join(runnable)}")
        for key in keys:
            ensure(key)
        right = [one(key, options) for key in keys]
    except (UsageFault, TargetError) as fault:
        print(f"multivac: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0 if all(right) else 1


if __name__ == "__main__":
    raise SystemExit(main())
