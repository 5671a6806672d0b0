"""What comes with the commands: completion in three shells, man pages, the hook for pre-commit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import ROOT
from tools.packaging.man import commands, page

BIN = Path(sys.executable).parent
DOCS = ROOT / "docs" / "install.md"


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("roomproof expl", "explain"),
        ("roomproof --hoo", "--hooks"),
        ("roomproof run --known-f", "--known-failing"),
        ("roomproof ws://127.0.0.1/ --time", "--timers"),
        ("roomproof dialect ch", "check"),
    ],
)
def test_commands_complete_themselves_in_bash(words: str, expected: str) -> None:
    count = len(words.split()) - 1
    done = run("roomproof", _ROOMPROOF_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count))
    assert f"plain,{expected}" in done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("command", ["roomproof", "roomproof-server", "roomproof-load"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_command_prints_what_a_shell_sources(command: str, shell: str) -> None:
    variable = f"_{command.upper().replace('-', '_')}_COMPLETE"
    done = run(BIN / command, **{variable: f"{shell}_source"})
    assert variable in done.stdout
    if shell == "bash":
        assert run("bash", "-n", "-c", done.stdout).returncode == 0


def test_the_lines_of_the_page_are_those_of_the_shells() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert set(re.findall(r"_ROOMPROOF_COMPLETE=(\w+)_source roomproof", text)) == {"bash", "zsh", "fish"}


@pytest.mark.parametrize("name", ["roomproof", "roomproof-server", "roomproof-load"])
def test_a_man_page_names_every_option(name: str) -> None:
    import click

    command = commands()[name]
    text = page(name, command).replace("\\-", "-")
    assert text.startswith(".TH")
    context = click.Context(command, info_name=name)
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    assert [one.opts[0] for one in options if one.opts[0] not in text] == []


def test_the_hook_for_pre_commit_finds_and_checks_dialects(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert re.search(hook["files"], "conformance/dialects/mine.yaml")
    assert not re.search(hook["files"], "dialects/notes.md")
    good = "native"
    bad = tmp_path / "bad.yaml"
    bad.write_text("dialect: 1\nname: none\n", encoding="utf-8")
    entry = shlex.split(hook["entry"])
    assert run(*entry, good).returncode == 0
    done = run(*entry, good, bad)
    assert done.returncode not in (0, None)
    assert "bad.yaml" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
