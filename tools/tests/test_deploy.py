"""The linters of packaging find what is wrong: an unknown key of a unit, a workflow that names what is not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tools.packaging import deploy


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(deploy, "SCRATCH", tmp_path)


def test_an_unknown_key_of_the_unit_is_red(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs-package: systemd, for systemd-analyze")
    assert "prints nothing" in deploy.unit()
    wrong = tmp_path / "wrong" / "roomproof-server.service"
    wrong.parent.mkdir()
    wrong.write_text(deploy.UNIT.read_text(encoding="utf-8").replace("NoNewPrivileges", "NoNewPrivilege"))
    monkeypatch.setattr(deploy, "UNIT", wrong)
    with pytest.raises(deploy.Red, match="NoNewPrivilege"):
        deploy.unit()


def test_what_a_linter_says_is_red_and_shown(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp\n", encoding="utf-8")
    with pytest.raises(deploy.Red, match="DL3006"):
        deploy.run([deploy.BIN / "hadolint", tmp_path / "Dockerfile"])


def test_the_workflows_of_the_page_are_found() -> None:
    assert len(deploy.examples()) >= 2
