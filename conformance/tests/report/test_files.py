from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TextIO

import pytest

from roomproof_conformance.report.files import ReportError, write, write_transcripts
from roomproof_conformance.results import RunResult


def test_one_file_of_json_lines_for_each_case(result: RunResult, tmp_path: Path) -> None:
    paths = write_transcripts(result, tmp_path / "cases")
    assert set(paths) == set(result.transcripts)
    for case, path in paths.items():
        lines = path.read_text(encoding="ascii").splitlines()
        assert [json.loads(line)["i"] for line in lines] == list(range(len(result.transcripts[case])))


def test_names_are_safe_and_do_not_collide(book: Any, result: RunResult, tmp_path: Path) -> None:
    transcript = result.transcripts["HIST-1.join"]
    names = ("../../etc/passwd", "a/b", "a:b", "A_B", ".hidden", "", "x" * 300)
    book.result.transcripts.update(dict.fromkeys(names, transcript))
    paths = write_transcripts(book.result, tmp_path)
    assert {path.parent for path in paths.values()} == {tmp_path}
    assert len({path.name.lower() for path in paths.values()}) == len(names)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()}


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(ReportError, match=r"file/report.html: cannot be written: .+\(.+file\)"):
        write(tmp_path / "file" / "report.html", lambda file: file.write("new"))


def test_what_is_broken_off_leaves_the_old_file(tmp_path: Path) -> None:
    def half(file: TextIO) -> None:
        file.write("half")
        raise RuntimeError("no more")

    (tmp_path / "report").write_text("old")
    with pytest.raises(RuntimeError):
        write(tmp_path / "report", half)
    assert (tmp_path / "report").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(pipe, lambda file: file.write("through"))
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
