"""`judge`, `replay` and `shrink` as a person uses them: what they print, one clear line for bad input, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(sys.executable).with_name("roomproof")
LIARS = Path(__file__).parent.parent / "liars"


def roomproof(*words: str | Path, code: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([KIT, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def hooks_of(liar: str, folder: Path) -> Path:
    """A hook file that starts this liar."""
    path = folder / f"{liar}.yaml"
    path.write_text((LIARS / "hooks.yaml").read_text().replace("{liar}", liar).replace("{here}", str(LIARS)))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run against a server that still delivers to who has left; `run.json` is its report."""
    folder = tmp_path_factory.mktemp("run")
    hooks = hooks_of("room-6-left-still-hear", folder)
    words = ("--hooks", hooks, "--timers", "short", "--only", "ROOM-6*", "--transcripts", folder / "t")
    roomproof(*words, "--json", folder / "run.json", code=1)
    return folder


def test_a_folder_is_judged_as_its_run_was(run: Path) -> None:
    done = roomproof("judge", run / "t", "--json", code=1)
    said = {row["check"]: row for row in json.loads(done.stdout)}
    for check in json.loads((run / "run.json").read_text())["checks"]:
        if check["case"] is not None:
            names = ("verdict", "reason", "explanation", "statement", "expected", "seen", "evidence")
            assert {name: said[check["check"]][name] for name in names} == {name: check[name] for name in names}


def test_a_file_is_judged_with_the_watches_that_it_breaks(run: Path) -> None:
    file = next((run / "t").glob("ROOM-6.*"))
    done = roomproof("judge", file, code=1)
    assert "fail           ROOM-6." in done.stdout
    assert f"    in: {file}" in done.stdout
    assert "not-judged" not in done.stdout


def test_what_is_repeated_at_a_right_server_departs_from_the_file(run: Path, tmp_path: Path) -> None:
    file = next((run / "t").glob("ROOM-6.*"))
    out = tmp_path / "again.jsonl"
    done = roomproof("replay", file, "--hooks", "reference", "--out", out, code=0)
    assert "fail in the file, pass now" in done.stdout
    roomproof("judge", out, code=0)


def test_a_broken_conversation_becomes_a_short_story(run: Path, tmp_path: Path) -> None:
    file = next((run / "t").glob("ROOM-6.*"))
    out = tmp_path / "small.jsonl"
    hooks = hooks_of("room-6-left-still-hear", tmp_path)
    done = roomproof("shrink", file, "--hooks", hooks, "--out", out, "--seconds", "20", code=1)
    assert "sent frames on" in done.stdout.splitlines()[-1]
    assert "◀" in done.stdout
    assert "fail" in roomproof("judge", out, code=1).stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("judge", "nowhere.jsonl"), "nowhere.jsonl: no such file or folder"),
        (("judge", "x.jsonl"), "x.jsonl:1: a transcript of format unknown, and this kit reads format 2"),
        (("replay", "x.jsonl", "ws://127.0.0.1:1"), "x.jsonl:1: a transcript of format unknown"),
        (("replay", "good.jsonl"), "name a server"),
        (("replay", "good.jsonl", "http://x"), "'http://x' is no WebSocket address"),
        (("shrink", "good.jsonl", "ws://127.0.0.1:1"), "good.jsonl: the transcript breaks no check"),
        (("replay", "other.jsonl", "ws://127.0.0.1:1"), "other.jsonl: was written in dialect 'irc'"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    case = {"checks": [], "dialect": "roomproof.v1", "capabilities": [], "settings": None}
    for name, data in (
        ("x", {"checks": []}),
        ("good", {**case, "format": 2}),
        ("other", {**case, "format": 2, "dialect": "irc"}),
    ):
        record = {"i": 0, "t": 0, "conn": "", "kind": "case", "data": data}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record) + "\n")
    lines = roomproof(*words, code=2).stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"roomproof: {complaint}")


def test_a_server_that_is_not_there(run: Path) -> None:
    file = next((run / "t").glob("ROOM-6.*"))
    done = roomproof("replay", file, "ws://127.0.0.1:1/ws", code=3)
    assert "refused" in done.stderr
