"""docs/judge-your-own.md, step by step: its files are written, its changes made, its commands run, in its order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tools import ROOT

PAGE = ROOT / "docs" / "judge-your-own.md"
SAMPLES = ROOT / "examples" / "first-server"
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<kind>\w+)\n(?P<text>.*?)```(?=\n)", re.DOTALL)
NAMED = re.compile(r"`(?P<name>[\w./-]+)`:$")
INSTALL = ".venv/bin/pip install roomproof websockets"
SECONDS = 170


@dataclass(frozen=True)
class Step:
    """One block of the page; `name` is the file that the words before it name."""

    kind: str
    text: str
    name: str


def steps() -> Iterator[Step]:
    for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        name = NAMED.search(found["before"])
        yield Step(found["kind"], found["text"], name["name"] if name else "")


def changed(text: str, change: str) -> str:
    """The text with the lines of a change that begin with - in place of those that begin with +."""
    old, new = ("".join(f"{line[1:]}\n" for line in change.splitlines() if line[0] in f" {sign}") for sign in "-+")
    assert text.count(old) == 1, f"these lines must stand in the file once:\n{old}"
    return text.replace(old, new)


def installed(folder: Path) -> None:
    """What `pip install` of the page does, from this tree instead of an index: the same packages, the same command."""
    [packages] = (folder / ".venv" / "lib").glob("python*/site-packages")
    (packages / "tree.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    command = folder / ".venv" / "bin" / "roomproof"
    command.write_text(f"#!{folder}/.venv/bin/python\nfrom roomproof_conformance.cli import main\nmain()\n")
    command.chmod(0o755)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the words of a block as somebody does who stands in the folder."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        ["bash", "-e", "-c", command], cwd=folder, env=environment | {"COLUMNS": "120"}, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip


def workflow(folder: Path) -> list[str]:
    """The commands of the page's workflow."""
    jobs = yaml.safe_load((folder / ".github" / "workflows" / "chat.yml").read_text(encoding="utf-8"))["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of somebody who has done all that the page says."""
    folder = tmp_path_factory.mktemp("mine")
    said: subprocess.CompletedProcess[str] | None = None
    for step in steps():
        if step.kind == "text":
            assert said is not None
            assert step.text.strip() in said.stdout, said.stdout + said.stderr
            assert said.returncode == int("Not conformant" in step.text), said.stdout + said.stderr
        elif step.kind == "sh":
            said = run(step.text.replace(INSTALL, ":").replace("-m venv", "-m venv --without-pip"), folder)
            if INSTALL in step.text:
                installed(folder)
            assert said.returncode in (0, 1), said.stdout + said.stderr
        elif step.kind == "diff":
            server = folder / "server.py"
            server.write_text(changed(server.read_text(), step.text))
        else:
            assert step.name, f"no file is named before the block\n{step.text}"
            file = folder / step.name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(step.text)
    yield folder
    shutil.rmtree(folder)


def test_the_workflow_of_the_page_is_green(walked: Path) -> None:
    install, *rest = workflow(walked)
    assert install == INSTALL.removeprefix(".venv/bin/")
    (summary := walked / "summary.md").touch()
    shell = f'export PATH="$PWD/.venv/bin:$PATH" GITHUB_STEP_SUMMARY={summary}\n'
    for command in rest:
        said = run(shell + command, walked)
        assert said.returncode == 0, said.stdout + said.stderr
    assert "Conformant" in summary.read_text()


def test_the_finished_files_are_those_of_the_example(walked: Path) -> None:
    for name in ("server.py", "mine.yaml", "servers.yaml"):
        assert (walked / name).read_text() == (SAMPLES / name).read_text(), name


def test_every_command_is_followed_by_what_it_says() -> None:
    kinds = [step.kind for step in steps()]
    assert kinds.count("sh") == kinds.count("text") + 1, "only the installation says nothing"
    assert sys.version_info >= (3, 11)
