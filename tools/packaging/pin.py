"""Write constraints.txt: every version that `make` and CI install, chosen anew from the ranges.

The ranges are those of pyproject.toml. The newest pip is asked what it would install into an empty
environment: nothing is installed, the old constraints have no say, and so it works when they have
become impossible to meet. No address of a package index gets into the file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

from tools import ROOT

TARGET = ROOT / "constraints.txt"
SCRATCH = ROOT / ".work" / "pin"
HEADER = """\
# Every version that `make` and CI install: what runs, the extras, the tools, and what builds the wheel.
# The ranges are in pyproject.toml. Choose all versions anew, with Python 3.11: make constraints
"""


def resolve() -> dict[str, str]:
    """Return name -> version of all that the project, its extras and its groups need.

    Raises subprocess.CalledProcessError when pip finds no set of versions; pip has said why.
    """
    venv.create(SCRATCH, clear=True, with_pip=True)
    install: list[str | Path] = [SCRATCH / "bin" / "python", "-m", "pip", "-qq", "install"]
    subprocess.run([*install, "--upgrade", "pip"], check=True)
    groups = [word for name in ("dev", "docs", "bench") for word in ("--group", name)]
    wanted = [*groups, "--editable", ".[server,load]"]
    command = [*install, "--dry-run", "--ignore-installed", "--report", "-", *wanted]
    report = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    found = (item["metadata"] for item in report["install"])
    # Normalised as in the packaging specification, so that the order does not hang on spelling.
    return {re.sub(r"[-_.]+", "-", item["name"]).lower(): item["version"] for item in found}


def main() -> int:
    """Write the file; return 0, or 1 with one line when this Python or the resolve does not fit."""
    if sys.version_info[:2] != (3, 11):
        print(
            "constraints.txt is made with Python 3.11, the oldest supported: make PYTHON=python3.11 constraints",
            file=sys.stderr,
        )
        return 1
    try:
        versions = resolve()
    except subprocess.CalledProcessError as error:
        print(
            f"pip could not choose versions (exit code {error.returncode}); constraints.txt is as it was",
            file=sys.stderr,
        )
        return 1
    del versions["roomproof"]
    lines = (f"{name}=={version}\n" for name, version in sorted(versions.items()))
    TARGET.write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"{TARGET.name}: {len(versions)} versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
