"""What the wheel does where it is installed alone: what pip brings with it, how fast it starts, a run of the kit.

And on which Pythons: those of the supported range that are here run the kit and its unit tests, the others are
left to the checkers (`make types`, `make lint`). Looks at exit codes and modules only.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import ROOT

SCRATCH = ROOT / ".work" / "wheel"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# What pyproject.toml names, and what these need themselves; typing-extensions only before Python 3.13.
NAMED = {"click", "jinja2", "jsonschema", "pyyaml", "referencing", "rich", "websockets"}
PULLED = {"attrs", "jsonschema-specifications", "markdown-it-py", "markupsafe", "mdurl", "pygments", "rpds-py"}
OLDER = {"typing-extensions"}
INCONCLUSIVE = 4  # exit code of a run on a machine that was too busy to tell
START_SECONDS = 0.150
STARTS = 10
# Loading these takes longer than all the rest of `--help`.
LATER = {"jinja2", "jsonschema", "pytest", "rich", "websockets.asyncio.server", "websockets.server", "yaml"}
UNIT_TESTS = ("protocol/tests", "conformance/tests")
# These start servers or a browser, or look at the checkout and not at the kit.
NOT_UNIT = (
    *("test_cli.py", "test_run.py", "test_liars.py", "test_selftest.py", "test_schedule.py", "test_quick.py"),
    *("selftest", "pytest_plugin", "matrix", "test_page_in_chromium.py", "test_generate.py", "test_transport.py"),
)
FOR_TESTS = ("pytest", "pytest-asyncio", "hypothesis", "junitparser", "html5lib")


class Wrong(Exception):
    """One thing that is not as it should be; the text is the whole line to print."""


def run(command: Sequence[str | Path], *allowed: int) -> str:
    """Run `command` in the project's folder; its output. Raise `Wrong` with it unless the exit code is 0 or allowed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, *allowed):
        words = " ".join(map(str, command))
        raise Wrong(f"exit code {done.returncode} from: {words}\n{done.stdout}{done.stderr}")
    return done.stdout


def install(home: Path, *wanted: str | Path) -> None:
    """pip of the Python at hand installs into the environment at `home`, by the constraints."""
    pip: list[str | Path] = [sys.executable, "-m", "pip", "-qq", "--python", home / "bin" / "python", "install"]
    run([*pip, "--constraint", ROOT / "constraints.txt", *wanted])


def check_distributions(home: Path) -> int:
    """How many distributions the wheel alone brings; raise `Wrong` when they are others than those named."""
    ask = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
    found = {name.lower().replace("_", "-") for name in json.loads(run([home / "bin" / "python", "-c", ask]))}
    found -= {"roomproof", "pip", "setuptools"}
    expected = NAMED | PULLED
    if more := found - expected - OLDER:
        raise Wrong(f"installed without extras, roomproof brings more than it should: {', '.join(sorted(more))}")
    if missing := expected - found:
        raise Wrong(f"named in tools/packaging/standalone.py, but not installed: {', '.join(sorted(missing))}")
    return len(found)


def check_start(home: Path) -> str:
    """The fastest of some starts of `roomproof --help` in words; raise `Wrong` when it loads or takes too much."""
    ask = (
        "import sys; from roomproof_conformance.cli import main; sys.argv[1:] = ['--help']\n"
        "try: main()\n"
        f"finally: print(*sorted({LATER!r} & set(sys.modules)), file=sys.stderr); sys.stderr.flush()\n"
    )
    loaded = subprocess.run([home / "bin" / "python", "-c", ask], capture_output=True, text=True, check=False)
    if loaded.returncode or loaded.stderr.strip():
        raise Wrong(f"`roomproof --help` loads what it does not need: {loaded.stderr.strip()}")
    starts = [_seconds([home / "bin" / "roomproof", "--help"]) for _ in range(STARTS)]
    wall, processor = (min(seconds) for seconds in zip(*starts, strict=True))
    if processor > START_SECONDS:
        raise Wrong(
            f"`roomproof --help` takes {processor * 1000:.0f} ms, at most {START_SECONDS * 1000:.0f} are wanted"
        )
    return f"{wall * 1000:.0f} ms, {processor * 1000:.0f} ms of processor time"


def _seconds(command: Sequence[str | Path]) -> tuple[float, float]:
    """How long a command took: by the clock, and of processor time, which others on the machine change less."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    run(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def check_kit(home: Path, name: str = "own") -> str:
    """Judge the reference server, which runs from the environment at hand, with the kit at `home`; the counts."""
    server = [sys.executable, "-m", "roomproof_server.hook"]
    hooks = SCRATCH / f"hooks-{name}.json"  # JSON is YAML
    hooks.write_text(json.dumps({"hooks": 1, "start": server, "path": "/ws"}), encoding="utf-8")
    report = SCRATCH / f"report-{name}.json"
    run([home / "bin" / "roomproof", "--hooks", hooks, "--quick", "--json", report], INCONCLUSIVE)
    counts: Mapping[str, int] = json.loads(report.read_text(encoding="utf-8"))["counts"]
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def check_pythons(wheel: Path, everything: bool) -> list[str]:
    """Run the kit on each other Python of the range that is here, and tests on the newest, or all tests on all of them.

    Give a line for each of the range. Without `everything` the tests are those of the protocol: the kit's own take a
    minute of processor time for each Python, and its quick run is there.
    """
    others = [version for version in PYTHONS if not _is_this(version) and find_python(version)]
    tests = dict.fromkeys(others, UNIT_TESTS) if everything else {others[-1]: UNIT_TESTS[:1]} if others else {}
    with ThreadPoolExecutor(2) as pool:  # each mostly waits for processes
        return list(
            pool.map(lambda version: f"Python {version}: {_on(version, wheel, tests.get(version, ()))}", PYTHONS)
        )


def check_sdist(sdist: Path) -> str:
    """Install the sdist as pip does, outside the tree, and run the kit from it; the counts."""
    home = SCRATCH / "from-sdist"
    venv.create(home, clear=True, with_pip=False)
    install(home, "--build-constraint", ROOT / "constraints.txt", sdist)
    return check_kit(home, "sdist")


def _is_this(version: str) -> bool:
    return version == f"{sys.version_info.major}.{sys.version_info.minor}"


def _on(version: str, wheel: Path, unit_tests: Sequence[str]) -> str:
    if _is_this(version):
        return "this one; its unit tests are `make test`"
    python = find_python(version)
    if python is None:
        return "not here; only pyright, ruff and vermin have looked (make types lint)"
    home = SCRATCH / f"python{version}"
    run([python, "-m", "venv", "--clear", "--without-pip", home])
    install(home, wheel)
    check_distributions(home)
    judged = check_kit(home, version)
    if not unit_tests:
        return f"the kit: {judged}; its unit tests only with ARGS=--all"
    install(home, f"{wheel}[server]", *FOR_TESTS)
    left_out = [f"--ignore-glob=*/{name}" for name in NOT_UNIT]
    tests = run([home / "bin" / "python", "-m", "pytest", "-q", *left_out, *unit_tests])
    return f"the kit: {judged}; {' and '.join(unit_tests)}: {tests.strip().splitlines()[-1]}"


def find_python(version: str) -> Path | None:
    """A Python of that version that starts and can make environments: on the path, or one that pyenv keeps."""
    name = f"python{version}"
    return next((python for python in _candidates(name, version) if _starts(python)), None)


def _candidates(name: str, version: str) -> Iterable[Path]:
    if on_path := shutil.which(name):
        yield Path(on_path)
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()
        yield from sorted(Path(root, "versions").glob(f"{version}.*/bin/{name}"), reverse=True)


def _starts(python: Path) -> bool:
    return subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0


def environment(wheel: Path) -> Path:
    """A new environment of the Python at hand with the wheel and nothing else."""
    home = SCRATCH / "venv"
    venv.create(home, clear=True, with_pip=False)
    install(home, wheel)
    return home
