from __future__ import annotations

from pathlib import Path

import pytest
from answers import ANSWERS_FILE, LAUNCHER, choose_runnable, load_answers
from environments import REQUIREMENTS
from unpack import Answer, UsageFault

ENTRY = """
answers: 1
run:
  some:
    sha256: "{zeros}"
    requirements: [websockets==13.1]
    command: ["{{python}}", server.py, "{{port}}"]
""".format(zeros="0" * 64)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_names_code_that_the_evaluation_has(answers: dict[str, Answer]) -> None:
    runnable = load_answers()
    assert list(runnable) == ["grok_420", "deepseek_v4"]
    assert {key: entry.sha256 for key, entry in runnable.items()} == {key: answers[key].sha256 for key in runnable}


def test_commands_are_filled_in() -> None:
    runnable = load_answers()
    assert " ".join(runnable["grok_420"].command(Path("/e/python"), 8123)) == (
        "/e/python -m uvicorn chat_server:app --host 127.0.0.1 --port 8123"
    )
    assert runnable["deepseek_v4"].command(Path("/e/python"), 8123) == [
        "/e/python",
        str(LAUNCHER),
        "chat_server.py",
    ]


@pytest.mark.parametrize("key", load_answers())
def test_every_requirement_is_among_the_full_pins(key: str) -> None:
    lines = (REQUIREMENTS / f"{key}.txt").read_text(encoding="utf-8").splitlines()
    pins = {line for line in lines if not line.startswith("#")}
    assert all("==" in pin for pin in pins)
    assert {requirement.replace("[standard]", "") for requirement in load_answers()[key].requirements} <= pins


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "command:",
            "comand:",
            "$.run.some: Additional properties are not allowed ('comand' was unexpected)",
        ),
        ("answers: 1", "answers: 2", "$.answers: 1 was expected"),
        ("websockets==13.1", "websockets<14", "$.run.some.requirements[0]: 'websockets<14' does not match"),
        (
            '"{port}"',
            '"{host}"',
            "$.run.some.command: unknown placeholder {host}; known are {python}, {launcher}, {port}",
        ),
        ("  some:", "  ../some:", "$.run: '../some' does not match"),
        ("  some:", "  5:", "$.run: 5 is not of type 'string'"),
        ("run:", "run: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_told_by_place(old: str, new: str, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path, ENTRY.replace(old, new))
    with pytest.raises(UsageFault) as raised:
        load_answers(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_smallest_file_is_right(tmp_path: Path) -> None:
    assert list(load_answers(written(tmp_path, ENTRY))) == ["some"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="No such file"):
        load_answers(tmp_path / "none.yaml")


def test_unknown_key_names_the_known_ones() -> None:
    with pytest.raises(
        UsageFault,
        match=f"grok: not an answer that can be run; {ANSWERS_FILE.name} has grok_420, deepseek_v4",
    ):
        choose_runnable(load_answers(), "grok")
