"""`roomproof list --malformed`: counts, one place, everything as JSON, and a name that nothing has."""

from __future__ import annotations

import json

import pytest

from roomproof_conformance.cli.malformed_command import list_malformed


def test_counts_by_operator(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_malformed((), False) == 0
    out = capsys.readouterr().out
    assert "lone-surrogate" in out
    assert out.splitlines()[-1].endswith("raw frames beside them")


def test_everything_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_malformed((), True) == 0
    whole = json.loads(capsys.readouterr().out)
    counts = whole["counts"]
    assert counts["negative"] >= 400
    assert counts["valid"] >= 150
    assert counts["negative_operators"] >= 15
    assert counts["negative"] + counts["valid"] == len(whole["frames"])
    assert counts["raw"] == len(whole["raw"])
    one = next(frame for frame in whole["frames"] if frame["id"] == "join.room:empty")
    assert one["expected"] == "invalid_room"
    assert '"room":""' in one["frames"][0]["payload"]


def test_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_malformed(("hello.caps[0]:integer", "top-bit:*"), False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("hello.caps[0]:integer")
    assert lines[1:3] == ["top-bit:text", "top-bit:all-ones"]


def test_a_name_that_nothing_has_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_malformed(("jion.*",), False) == 2
    err = capsys.readouterr().err
    assert "jion.*" in err
    assert len(err.splitlines()) == 1
