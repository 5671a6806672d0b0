"""Environments of pins: made once, made again when broken off, and refused in one line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roomproof_conformance.matrix.environments import STAMP, EnvironmentFault, ensure, home, versions


def test_first_use_makes_it_and_a_broken_off_one_is_made_again(tmp_path: Path) -> None:
    python = ensure([], tmp_path)
    asked = [str(python), "-c", "import sys; print(sys.prefix)"]
    place = python.parent.parent
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == f"{place}\n"
    assert versions(python) == []
    mark = place / "mark"
    mark.touch()
    assert ensure([], tmp_path) == python
    assert mark.exists(), "a complete environment is left alone"
    (place / STAMP).unlink()
    python.unlink()
    assert ensure([], tmp_path) == python
    assert not mark.exists()
    assert python.exists()


def test_pins_that_do_not_install_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EnvironmentFault, match=r"cannot be made: ERROR: .*\.log\)") as raised:
        ensure(["no-such-thing==1"], tmp_path)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob(f"*/{STAMP}"))


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="name a cache by XDG_CACHE_HOME"):
        ensure([], tmp_path / "file" / "below")


def test_they_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "roomproof" / "environments"


def test_versions_are_those_that_are_installed(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("websockets-13.1.dist-info", "pydantic_core-2.50.4.dist-info", "websockets"):
        (packages / name).mkdir(parents=True)
    assert versions(tmp_path / "bin" / "python") == ["pydantic_core 2.50.4", "websockets 13.1"]
