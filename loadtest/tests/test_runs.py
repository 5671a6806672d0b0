"""Short loads against the reference: nothing found where nothing is wrong, and every way a run can end."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import html5lib
import jsonschema
import pytest

import roomproof_loadtest

Load = Callable[..., Any]
LIARS = Path(__file__).parent / "liars" / "serve.py"

REFERENCE = ("--start", "reference", "--users", "12", "--time", "3s")


def test_a_right_server_has_no_violation_and_figures(load: Load) -> None:
    done = load(*REFERENCE, "--rate", "2", "--max", "lost=0", "--max", "p99_delivery=10s")
    assert done.code == 0, done.err + done.out
    assert done.result is not None
    assert done.result["violations"]["total"] == 0
    assert done.result["counts"]["deliveries"] > 50
    assert done.result["latency"]["delivery"]["p50"] > 0
    assert done.result["latency"]["delivery"]["max"] >= done.result["latency"]["delivery"]["p99_9"]
    assert done.result["server"]["memory_most"] > 0
    assert [t["held"] for t in done.result["thresholds"]] == [True, True]


def test_the_result_is_of_its_schema_and_the_page_needs_nothing_else(load: Load, tmp_path: Path) -> None:
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    start = f"{sys.executable} {LIARS} duplicate"
    done = load(
        "--start", start, "--users", "20", "--time", "3s", "--rate", "2", "--html", str(page), "--markdown", str(text)
    )
    schema = json.loads((Path(roomproof_loadtest.__file__).parent / "report" / "load.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(done.result)
    html5lib.HTMLParser(strict=True).parse(page.read_text())
    assert not re.search(r"(src|href)=", page.read_text())
    assert "duplicated" in text.read_text()


def test_a_threshold_that_does_not_hold_is_exit_code_1(load: Load) -> None:
    done = load(*REFERENCE, "--min", "deliveries_per_s=1000000")
    assert done.code == 1
    assert "does not hold" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scenario", "no-such"), "there is no scenario 'no-such'"),
        ((), "expected the server's URL, or --start"),
        (("http://127.0.0.1:1",), "is no WebSocket address"),
        (("ws://127.0.0.1:1/", "--max", "speed=1"), "is no threshold"),
        (("ws://127.0.0.1:1/", "--time", "soon"), "is no duration"),
        (("ws://127.0.0.1:1/", "--dialect", "/nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(load: Load, arguments: tuple[str, ...], said: str) -> None:
    done = load(*arguments)
    assert done.code == 2, done.err
    assert said in done.err
    assert "Traceback" not in done.err


def test_nobody_there_is_exit_code_3(load: Load) -> None:
    done = load("ws://127.0.0.1:1/ws", "--time", "1s")
    assert done.code == 3
    assert "is the server running there?" in done.err
