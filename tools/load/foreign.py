"""The load test against two servers that nobody here wrote, for the page of results.

    python -m tools.load.foreign grok_420     # an answer of the evaluation, unpacked by examples/multivac/unpack.py
    python -m tools.load.foreign inspircd     # Debian's IRC server, with the configuration of ../shared/targets

What the runs say is what it is: no verdict on them is expected here. Exit code 2 when what is needed is missing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv

from tools import ROOT

from .run import other

MULTIVAC = ROOT / "examples" / "multivac"
ANSWER = ROOT / ".work" / "multivac" / "answers" / "grok_420"
PACKAGES = ROOT / ".work" / "load-grok"
TARGETS = ROOT.parent / "shared" / "targets" / "inspircd"
START = ROOT / "conformance" / "tests" / "foreign" / "start.py"


def grok_420() -> int:
    """Thirty users in rooms of ten; the answer is started as its own documentation says, on loopback."""
    if not (ANSWER / "chat_server.py").exists():
        subprocess.run([sys.executable, str(MULTIVAC / "unpack.py")], cwd=ROOT, check=True)
    python = PACKAGES / "bin" / "python"
    if not python.exists():
        venv.create(PACKAGES, with_pip=True)
        requirements = str(MULTIVAC / "requirements" / "grok_420.txt")
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
    command = f"{python} -m uvicorn chat_server:app --app-dir {ANSWER} --host 127.0.0.1 --port {{port}}"
    return other(
        "grok_420",
        [
            "--start", command, "--dialect", str(MULTIVAC / "dialects" / "grok_420.yaml"), "--scenario", "abusers",
            "--users", "30", "--time", "30s", "--rate", "1",
        ],
    )  # fmt: skip


def inspircd() -> int:
    """Fifty users in rooms of ten, some of whom send beyond what a client may."""
    if shutil.which("inspircd") is None or not TARGETS.exists():
        print("inspircd is not installed (Debian package inspircd), or ../shared is missing", file=sys.stderr)
        return 2
    command = f"{sys.executable} {START} {TARGETS} 7001"
    return other(
        "inspircd",
        [
            "--start", command, "--dialect", "inspircd", "--scenario", "join-storm", "--users", "50", "--time", "30s",
            "--stay", "2s", "--rate", "1",
        ],
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run one of them, or both."""
    wanted = arguments or ["grok_420", "inspircd"]
    runs = {"grok_420": grok_420, "inspircd": inspircd}
    if not set(wanted) <= runs.keys():
        print(f"expected one of {', '.join(runs)}", file=sys.stderr)
        return 2
    return max(runs[name]() for name in wanted)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
