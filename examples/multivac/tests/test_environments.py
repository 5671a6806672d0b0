from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from environments import STAMP, ensure, main
from unpack import UsageFault


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    folder = tmp_path / "requirements"
    folder.mkdir()
    (folder / "none.txt").write_text("# nothing\n", encoding="utf-8")
    return folder


def test_first_use_makes_it_and_a_broken_off_one_is_made_again(requirements: Path, tmp_path: Path) -> None:
    base = tmp_path / "envs"
    python = ensure("none", base=base, requirements=requirements)
    asked = [str(python), "-c", "import sys; print(sys.prefix)"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == f"{base / 'none'}\n"
    mark = base / "none" / "mark"
    mark.touch()
    assert ensure("none", base=base, requirements=requirements) == python
    assert mark.exists(), "a complete environment is left alone"
    (base / "none" / STAMP).unlink()
    python.unlink()
    assert ensure("none", base=base, requirements=requirements) == python
    assert not mark.exists()
    assert python.exists()
    (requirements / "none.txt").write_text("# other pins\n", encoding="utf-8")
    mark.touch()
    ensure("none", base=base, requirements=requirements)
    assert not mark.exists(), "new pins, new environment"


def test_pins_that_do_not_install_are_told_in_one_line(
    requirements: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (requirements / "none.txt").write_text("no-such-thing==1\n", encoding="utf-8")
    with pytest.raises(UsageFault, match=r"pip .*install.* ended with status 1: ERROR: .*none\.log\)") as raised:
        ensure("none", base=tmp_path / "envs", requirements=requirements)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "envs" / "none" / STAMP).exists()


def test_missing_pins_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match=r"other\.txt: No such file"):
        ensure("other", base=tmp_path, requirements=tmp_path)


def test_the_command_names_what_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gemini_31_pro"]) == 2
    assert "gemini_31_pro: not an answer that can be run" in capsys.readouterr().err
