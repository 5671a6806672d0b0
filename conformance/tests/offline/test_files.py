"""Transcripts are found and read, and what is none is named with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from transcripts import Script

from roomproof_conformance.offline import files


def write(path: Path) -> Path:
    with path.open("w") as file:
        Script().transcript.write(file)
    return path


def test_a_folder_is_its_transcripts_and_a_file_is_itself(tmp_path: Path) -> None:
    b, a = write(tmp_path / "b.jsonl"), write(tmp_path / "a.jsonl")
    (tmp_path / "notes.txt").write_text("not one of them")
    assert files.found([tmp_path]) == [a, b]
    assert files.found([b]) == [b]


def test_a_gzipped_transcript_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "a.jsonl").read_bytes()))
    assert files.load(path).records == files.load(tmp_path / "a.jsonl").records


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.jsonl", b"", ":1: no transcript: the file is empty"),
        ("x.jsonl", b"\x00\xff\x01", ":1: no transcript: a byte that is not ASCII"),
        ("x.jsonl", b'{"log": 1}', ":1: no transcript record; expected an object with i, t, conn, kind and data"),
        ("x.jsonl.gz", b"not gzip", ":1: cannot be read: Not a gzipped file"),
        ("x.jsonl.gz", gzip.compress(b"{}")[:-4], ":1: cannot be read: "),
    ],
)
def test_what_is_no_transcript_is_said_with_file_and_line(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^[^\n]*$") as refused:
        files.load(path)
    assert str(refused.value).startswith(f"{path}{complaint}")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        files.found([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="no transcript in this folder"):
        files.found([tmp_path])
