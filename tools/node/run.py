"""Install the Node server from its lock file into a scratch folder, judge it, and say what its rows came to.

Red when a MUST is broken, or when a row that needs nothing but a client (a core row) was not judged. Judges nothing
itself; looks at the JSON report of the kit only.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from roomproof_protocol.requirements import requirements
from tools import ROOT

SOURCE = ROOT / "examples" / "node-server"
SCRATCH = ROOT / ".work" / "node-server"
MOST_LINES = 700
# What a row comes to by its checks: the worst that was judged, and nothing judged only where no check was.
WORST_FIRST = ("kit-error", "fail", "warn", "inconclusive", "tolerated", "info", "pass")
UNJUDGED = ("not-judged", "not-applicable", "absent")
INCONCLUSIVE = 4  # exit code of a run on a machine that was too busy to tell


def lines_of_code(folder: Path = SOURCE) -> int:
    """How many lines of JavaScript there are that are neither blank nor a comment."""
    texts = [line.strip() for path in folder.glob("*.js") for line in path.read_text(encoding="utf-8").splitlines()]
    return sum(bool(text) and not text.startswith(("//", "/**")) for text in texts)


def install() -> Path:
    """A copy of the server with its dependency, in a scratch folder. Raises CalledProcessError when npm fails."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    shutil.copytree(SOURCE, SCRATCH, ignore=shutil.ignore_patterns("node_modules"))
    cache = ROOT / ".work" / "cache" / "npm"
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--cache", str(cache)]
    subprocess.run(npm, cwd=SCRATCH, check=True)
    return SCRATCH


def core_rows(checks: list[dict[str, str]]) -> dict[str, str]:
    """What each requirement came to that can be observed with nothing but a client; `absent` without a check."""
    seen: dict[str, list[str]] = {}
    for check in checks:
        seen.setdefault(check["requirement"], []).append(check["verdict"])
    rows = [row.id for row in requirements() if row.core and row.observable]
    return {id_: min(seen.get(id_, ["absent"]), key=(*WORST_FIRST, *UNJUDGED).index) for id_ in rows}


def main(arguments: list[str]) -> int:
    """Do it; further arguments go to the kit. The exit code is 1 when the server is not what it is said to be."""
    if (count := lines_of_code()) > MOST_LINES:
        print(f"tools.node.run: {count} lines of JavaScript, at most {MOST_LINES} are wanted", file=sys.stderr)
        return 1
    report = install() / "report.json"
    kit = [str(Path(sys.executable).parent / "roomproof"), "--hooks", str(SCRATCH / "hooks.yaml"), "--timers", "short"]
    done = subprocess.run([*kit, "--json", str(report), *arguments], cwd=ROOT, check=False)
    if done.returncode not in (0, INCONCLUSIVE):
        return done.returncode
    core = core_rows(json.loads(report.read_text(encoding="utf-8"))["checks"])
    counts = Counter(core.values())
    print(f"core rows: {', '.join(f'{number} {verdict}' for verdict, number in counts.most_common())}; {count} lines")
    if left := sorted(id_ for id_, verdict in core.items() if verdict in UNJUDGED):
        print(f"tools.node.run: not judged: {', '.join(left)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
