"""Build sdist and wheel into dist/, check what is in them, and run the wheel where nothing else is installed.

The wheel is built from the sdist, with the pinned hatchling and no isolation, and installed without
extras into an empty environment; so is the sdist, which pip builds as it does elsewhere. This script looks at
files and exit codes only: what the commands do is the business of the tests. What it does there is the business
of `standalone`. With `--all` the kit's own unit tests run on every Python that is here.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from tools import ROOT
from tools.packaging.standalone import (
    SCRATCH,
    Wrong,
    check_distributions,
    check_kit,
    check_pythons,
    check_sdist,
    check_start,
    environment,
    run,
)

DIST = ROOT / "dist"
PACKAGES = {
    "roomproof_protocol": "protocol",
    "roomproof_server": "server",
    "roomproof_conformance": "conformance",
    "roomproof_loadtest": "loadtest",
}
# Data that the installed commands read; `*` stands for folders too.
DATA = (
    "roomproof_protocol/*.json",
    "roomproof_protocol/*.yaml",
    "roomproof_conformance/*.schema.json",
    "roomproof_conformance/dialects/*.yaml",
    "roomproof_conformance/shipped_hooks/*.yaml",
    "roomproof_conformance/report/*.jinja",
    "roomproof_conformance/report/*.schema.json",
    "roomproof_loadtest/report/*.jinja",
    "roomproof_loadtest/report/*.css",
    "roomproof_loadtest/report/*.schema.json",
    "roomproof_server/config/*.schema.json",
    "roomproof_server/page/*.js",
    "roomproof_server/page/*.html",
    *(f"{package}/py.typed" for package in PACKAGES),
)
# Command, exit code, and what must stand in its output. The extras are missing here on purpose.
COMMANDS: tuple[tuple[Sequence[str], int, str], ...] = (
    (["roomproof", "--help"], 0, "--dialect"),
    (["conformance", "--help"], 0, "--dialect"),
    (["roomproof", "list"], 0, "HIST-1"),
    (["roomproof-server", "--help"], 2, "pip install 'roomproof[server]'"),
    (["roomproof-load"], 2, "pip install 'roomproof[load]'"),
)


def build() -> tuple[Path, Path]:
    """Return the sdist and the wheel, both new."""
    shutil.rmtree(DIST, ignore_errors=True)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST, ROOT])
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    return sdist, wheel


def sources() -> set[str]:
    """Return what the four packages hold, as the wheel spells it: `roomproof_server/cli.py`."""
    found = set[str]()
    for package, folder in PACKAGES.items():
        base = ROOT / folder
        found |= {path.relative_to(base).as_posix() for path in (base / package).rglob("*") if path.is_file()}
    return {name for name in found if "__pycache__" not in name}


def check_wheel(wheel: Path) -> None:
    """Raise `Wrong` unless the wheel holds the four packages, all of them, and nothing else."""
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    pages = {name for name in held if ".data/data/share/man/man1/" in name}
    if len(pages) != 3:
        raise Wrong(f"three man pages belong in the wheel, found: {listed(pages)}")
    names = held - pages
    expected = sources()
    if missing := expected - names:
        raise Wrong(f"in the packages, but not in the wheel (see .gitignore): {listed(missing)}")
    if more := names - expected:
        raise Wrong(f"in the wheel, but not in the packages: {listed(more)}")
    if tests := {name for name in names if "tests" in PurePosixPath(name).parts}:
        raise Wrong(f"tests have no place in the wheel: {listed(tests)}")
    for pattern in DATA:
        if not fnmatch.filter(names, pattern):
            raise Wrong(f"nothing in the wheel is called {pattern}")


def check_contents(sdist: Path) -> None:
    """Raise `Wrong` when the sdist lacks what it is built and tested from, or holds what make has made."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in ("pyproject.toml", "constraints.txt", "Makefile", "README.md", "LICENSE", "CHANGELOG.md"):
        if needed not in names:
            raise Wrong(f"not in the sdist: {needed}")
    made = {name for name in names if name.split("/")[0] in {".venv", ".work", "dist", "reports"}}
    if made:
        raise Wrong(f"made here, but in the sdist: {listed(made)}")


def listed(names: Iterable[str]) -> str:
    """Return the first five names in one line, and how many there are beside."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return ", ".join(ordered[:5]) + more


def check_commands(home: Path) -> None:
    """Raise `Wrong` when a command of the environment at `home` does not answer as in COMMANDS."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for command, code, text in COMMANDS:
        done = subprocess.run(
            [home / "bin" / command[0], *command[1:]],
            cwd=SCRATCH,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        said = done.stdout + done.stderr
        words = " ".join(command)
        if done.returncode != code:
            raise Wrong(f"{words}: exit code {done.returncode}, expected {code}\n{said}")
        if text not in said:
            raise Wrong(f"{words}: its output lacks {text!r}\n{said}")
        if code and len(said.splitlines()) != 1:
            raise Wrong(f"{words}: one line expected, got\n{said}")


def main() -> int:
    """Do all of it; return 0, or 1 with what is wrong."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    try:
        sdist, wheel = build()
        check_contents(sdist)
        check_wheel(wheel)
        home = environment(wheel)
        check_commands(home)
        count, fastest, judged = check_distributions(home), check_start(home), check_kit(home)
        from_sdist = check_sdist(sdist)
        pythons = check_pythons(wheel, everything="--all" in sys.argv[1:])
    except Wrong as wrong:
        print(f"tools.packaging.wheel: {wrong}", file=sys.stderr)
        return 1
    print(f"{wheel.relative_to(ROOT)}: complete, and runs without extras, with {count} distributions beside it")
    print(f"`roomproof --help`: {fastest}; the kit alone: {judged}")
    print(f"{sdist.relative_to(ROOT)}: complete, and builds and runs outside the tree; the kit: {from_sdist}")
    print(*pythons, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
