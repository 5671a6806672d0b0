"""Makes what the site shows of tables and records: `python -m tools.docs.generate [--check]`.

Exit code 1 with `--check` names what is not current. `--keep FILE` first takes over the verdicts of a JSON report.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools import ROOT
from tools.docs import asyncapi, ledger
from tools.docs.drawings import drawings
from tools.support.results import commit

DOCS = ROOT / "docs"


def keep(report: Path) -> None:
    """Take date, command and verdicts of a report of the kit into docs/results/reference-run.json."""
    run = json.loads(report.read_text())
    checks = {row["check"]: row["verdict"] for row in run["checks"]}
    kept = {"date": run["began"], "commit": commit(), "command": "make run", "checks": dict(sorted(checks.items()))}
    ledger.RUN.write_text(json.dumps(kept, indent=2) + "\n")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--keep"]:
        keep(Path(arguments[1]))
    wanted = {DOCS / "drawings" / f"{name}.svg": text for name, text in drawings().items()}
    wanted[DOCS / "protocol" / "requirements.md"] = ledger.page()
    wanted[DOCS / "protocol" / "asyncapi.md"] = asyncapi.page()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if arguments == ["--check"]:
            print(f"{path.relative_to(ROOT)} is not current; `make generate` writes it anew", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
    return int(arguments == ["--check"] and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
