from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from roomproof_protocol import generate


def test_the_files_in_the_tree_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.fixture
def one_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    target = tmp_path / "made" / "page.md"
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "targets", lambda: {target: lambda: "text\n"})
    return target


def test_a_stale_file_is_named_and_left_alone(one_target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "stale: made/page.md\n"
    assert not one_target.exists()


def test_stale_files_are_written_once(one_target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main([]) == 0
    assert one_target.read_text() == "text\n"
    assert capsys.readouterr().out == "written: made/page.md\n"
    assert generate.main([]) == 0
    assert capsys.readouterr().out == ""


def test_a_missing_tool_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    find = importlib.util.find_spec

    def hidden(name: str) -> object:
        return None if name == "datamodel_code_generator" else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    assert generate.main(["--check"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "pip install datamodel-code-generator" in error


def test_outside_a_checkout_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main([]) == 2
    assert "needs a checkout" in capsys.readouterr().err


def test_a_tool_that_fails_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "CODEGEN", ("--no-such-option",))
    assert generate.main(["--check"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_types_have_every_message() -> None:
    types = importlib.import_module("roomproof_protocol.types")
    assert isinstance(types, ModuleType)
    assert types.SendRequest.__required_keys__ == {"type", "id", "room", "text"}
    assert types.Message.__optional_keys__ == {"mid"}
