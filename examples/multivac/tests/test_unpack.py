from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from unpack import Answer, UsageFault, load_results, main, unpack

# Each answer's server file: its last line in the response, whether the fence closes, and the line at which
# `ast.parse` gives up (None: it parses).
EXPECTED = {
    "grok_420": (270, True, None),
    "gemini_3_flash": (181, True, None),
    "deepseek_v4": (223, True, None),
    "gpt_oss_120b": (218, False, 63),
    "gpt_5_4": (350, False, 230),
    "mimo_v2_flash": (274, False, 259),
    "claude_opus_46": (249, True, None),
    "claude_sonnet_46": (240, False, 102),
    "minimax_m25": (97, False, 82),
    "gemini_31_pro": (29, False, 14),
}


def results(tmp_path: Path, response: str, key: str = "some_model") -> Path:
    path = tmp_path / "results.json"
    answer = {"model_key": key, "model_name": "Some", "response": response}
    path.write_text(
        json.dumps({"responses": [answer], "rankings": {key: {"rank": 1, "average_score": 8.5}}}), encoding="utf-8"
    )
    return path


def only(path: Path) -> Answer:
    [answer] = load_results(path).values()
    return answer


def test_all_ten_end_where_they_end(answers: dict[str, Answer]) -> None:
    found = {
        key: (answer.last_line, answer.fence_closed, answer.cut_off and answer.cut_off.line)
        for key, answer in answers.items()
    }
    assert found == EXPECTED
    assert list(answers) == list(EXPECTED), "in order of rank"
    assert [answer.rank for answer in answers.values()] == list(range(1, 11))


def test_an_entry_point_tells_a_server_from_a_fragment(answers: dict[str, Answer]) -> None:
    assert [key for key, answer in answers.items() if answer.entry_point] == [
        "grok_420",
        "gemini_3_flash",
        "deepseek_v4",
    ]
    assert answers["claude_opus_46"].verdict == "parses, but starts nothing"


@pytest.mark.parametrize("key", EXPECTED)
def test_unpacked_bytes_are_the_answers_own(
    key: str, answers: dict[str, Answer], results_file: Path, tmp_path: Path
) -> None:
    path = unpack(answers[key], tmp_path)
    content = path.read_bytes()
    [response] = [
        each["response"] for each in json.loads(results_file.read_bytes())["responses"] if each["model_key"] == key
    ]
    assert path == tmp_path / key / "chat_server.py"
    assert content in response.encode()
    lines = response.split("\n")
    assert (
        content.decode().removesuffix("\n").split("\n") == lines[answers[key].first_line - 1 : answers[key].last_line]
    )
    facts = json.loads((path.parent / "chat_server.json").read_text(encoding="utf-8"))
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert (facts["model_key"], facts["parses"]) == (key, EXPECTED[key][2] is None)


def test_the_longest_block_of_python_is_chosen(tmp_path: Path) -> None:
    response = "text\n```python\na = 1\n```\n```json\n" + "{}\n" * 50 + "```\n```python\nlonger = 'block'\n```\nend"
    answer = only(results(tmp_path, response))
    assert (answer.code, answer.first_line, answer.last_line) == ("longer = 'block'\n", 58, 58)
    assert (answer.fence_closed, answer.parses, answer.entry_point) == (True, True, False)


@pytest.mark.parametrize("code", ["x = 'é\\u2028'\r\n\ty\x0c\n", "print('```')\n", "a = 1\n\n\n"])
def test_odd_bytes_survive(code: str, tmp_path: Path) -> None:
    answer = only(results(tmp_path, f"```python\n{code}```\n"))
    assert unpack(answer, tmp_path).read_bytes() == code.encode()


def test_a_fence_that_never_closes(tmp_path: Path) -> None:
    answer = only(results(tmp_path, "```python\ndef f(\n    a"))
    assert (answer.code, answer.fence_closed, answer.last_line) == ("def f(\n    a", False, 3)
    assert answer.cut_off is not None
    assert answer.cut_off.line == 1


def test_missing_data_is_one_line_that_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nowhere.json"
    assert main(["--results", str(path)]) == 2
    captured = capsys.readouterr()
    [line] = captured.err.splitlines()
    assert not captured.out
    for part in (
        str(path),
        "EVAL-20260402-133034",
        "themultivac/multivac-evaluation",
        "MIT",
        "--results PATH",
    ):
        assert part in line


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"responses": [{}]}', '{"responses": 5}'])
def test_another_file_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageFault, match="not a results file of themultivac"):
        load_results(path)


def test_a_key_that_would_leave_the_scratch_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="model_key"):
        load_results(results(tmp_path, "```python\na\n```", key="../up"))


def test_an_answer_without_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="no fenced block of Python"):
        load_results(results(tmp_path, "sorry"))


def test_the_command_names_the_known_keys(
    results_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grok", "--results", str(results_file), "--into", str(tmp_path)]) == 2
    assert "grok: no such answer; the file has grok_420, " in capsys.readouterr().err


def test_the_command_unpacks_all_ten(results_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(results_file), "--into", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(EXPECTED)
