"""`roomproof selftest`: what it is asked, and how it answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from roomproof_conformance.cli.main import cli
from roomproof_conformance.cli.selftest_command import _share
from roomproof_conformance.selftest import read_table

LIARS = Path(__file__).parent.with_name("liars")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["rooom-*"], "no liar is called 'rooom-*'"),
        (["--full", "most"], "--full most: expected all, none or a share like 1/5"),
        (["--full", "1/0"], "--full 1/0: expected"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], complaint: str) -> None:
    done = CliRunner().invoke(cli, ["selftest", str(LIARS), *arguments])
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_a_table_is_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["selftest", str(tmp_path)])
    assert done.exit_code == 2
    assert "table" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_fifth_is_another_fifth_every_day_and_five_of_them_are_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime, timedelta

    from roomproof_conformance.cli import selftest_command

    liars = read_table(LIARS / "table")
    shares = []
    for day in range(5):

        class Then(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:
                return datetime(2026, 1, 1) + timedelta(days=day)  # noqa: B023 - called before the loop goes on

        monkeypatch.setattr(selftest_command, "datetime", Then)
        shares.append(_share("1/5", liars))
    assert frozenset().union(*shares) == {liar.name for liar in liars}
    assert sum(map(len, shares)) == len(liars)
