"""Unpacks the answers, has the kit judge them as a matrix, and keeps the figures.

    python -m tools.multivac.run [--ci] [--results PATH] [--jobs N] [--no-write]

Beside the verdicts stands a second list: what was found by hand before the kit existed (`findings.yaml`).
Exit code 0 when the kit's verdicts agree with it, 1 when they do not, 2 when the answers cannot be unpacked or run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import ROOT
from tools.support.results import keep, write_options

from .figures import EXAMPLE, disagreements, figures, known_findings, read

ANSWERS = ROOT / ".work" / "multivac" / "answers"
REPORTS = ROOT / "reports" / "multivac"
KIT = "from roomproof_conformance.cli import main; main()"
CI = ("--server", "grok_420", "--server", "deepseek_v4", "--without-long-waits", "--skip", "DISC-*")
"""One of these hangs whenever two members leave it at once: it alone would take a minute and a half by DISC-*."""
USAGE, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Judge the answers of the evaluation.")
    parser.add_argument("--ci", action="store_true", help="two of them, without what takes long; keeps no figures")
    parser.add_argument("--results", type=Path, metavar="PATH", help="the evaluation's results file")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="answers judged side by side")
    write_options(parser, "multivac")
    options = parser.parse_args(arguments)
    unpack = [sys.executable, str(EXAMPLE / "unpack.py")]
    unpack += ["--results", str(options.results)] if options.results else []
    if subprocess.run(unpack, cwd=ROOT, check=False).returncode:
        return USAGE
    judge = [sys.executable, "-c", KIT, "matrix", str((EXAMPLE / "servers.yaml").relative_to(ROOT))]
    judge += ["--out", str(REPORTS.relative_to(ROOT)), "--jobs", str(options.jobs), *(CI if options.ci else ())]
    try:
        code = subprocess.run(judge, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return INTERRUPTED
    if code in (USAGE, INTERRUPTED):
        return code
    matrix, known = read(REPORTS / "matrix.json"), known_findings()
    reports = {
        c["name"]: read(REPORTS / c["name"] / "report.json") for c in matrix["servers"] if c["state"] == "judged"
    }
    wrong = disagreements(reports, known, partly=options.ci)
    expected = [name for name in known if any(c["name"] == name for c in matrix["servers"])]
    wrong += [f"{name}: not judged" for name in expected if name not in reports]
    print(f"known by hand: {sum(len(known[name]) for name in expected)}; not confirmed: {len(wrong)}")
    for line in wrong:
        print(f"  {line}")
    if not options.ci:
        facts = sorted((read(path) for path in ANSWERS.glob("*/chat_server.json")), key=lambda fact: fact["rank"])
        keep(options, figures(matrix, facts, reports, known, REPORTS))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
