from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from roomproof_conformance.report.terminal import print_result
from roomproof_conformance.results import RunResult
from roomproof_conformance.verdicts import Conclusion, Reason, Verdict

COPIED = ("  transcript ", "  repeat ")


def printed(
    result: RunResult, width: int = 100, *, encoding: str = "utf-8", colour: bool = False, **options: object
) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n", write_through=True)
    console = Console(
        file=file, width=width, force_terminal=colour, highlight=False, markup=False, emoji=False, _environ={}
    )
    print_result(result, console, **options)  # type: ignore[arg-type]  # options of every kind are passed on
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [40, 60, 100, 200])
@pytest.mark.parametrize("verbose", [False, True])
def test_lines_fit_and_end_without_blanks(result: RunResult, width: int, verbose: bool) -> None:
    for line in printed(result, width, verbose=verbose).splitlines():
        assert line == line.rstrip()
        assert cell_len(line) <= width or line.startswith(COPIED)


def test_a_red_line_has_all_that_a_reader_needs(result: RunResult) -> None:
    text = printed(result, 200)
    block = text[text.index("FAIL  ROOM-5.other-room") :].split("\n\n")[0]
    assert block.splitlines()[1:] == [
        "  ROOM-5 MUST   " + next(r.sentence for r in result.results if r.requirement == "ROOM-5"),
        "  statement     b, who is in r2 only, hears nothing of r1",
        '  sent          a at 0.112 s: send {"type": "send", "id": "q3", "room": "r1", "text": "secret-1"}',
        '  came          it came: {"type": "message", "room": "r1", "seq": 1, '
        '"from": {"id": "u1", "name": "user a"}, '
        '"text": "secret-1"}',
        '  right         no {"kind": "message", "text": "secret-1"} on b',
        "  transcript    case ROOM-5.other-room, records 39 (kept with --transcripts DIR)",
        "  repeat        roomproof ws://127.0.0.1:4000/ws --timers short --only ROOM-5.other-room",
    ]


def test_the_transcript_is_named_by_its_path(result: RunResult) -> None:
    text = printed(replace(result, files={"ROOM-5.other-room": Path("out/ROOM-5.other-room.jsonl")}))
    assert "  transcript    out/ROOM-5.other-room.jsonl, records 39\n" in text


def test_passes_are_one_line_and_every_check_only_when_asked_for(result: RunResult) -> None:
    brief, long = printed(result), printed(result, verbose=True)
    assert "  pass         CONN-1   MUST   Situation 1 in which it must hold (and 1 more)\n" in brief
    assert "CONN-1.case-2" not in brief
    assert "CONN-1.case-2  Situation 2 in which it must hold" in long
    assert "  n/a          PRES-1, PRES-2 (not claimed: presence)\n" in brief
    assert "PRES-2.leave  A leave is told (not-claimed: not claimed: presence)" in long


def test_the_summary_counts(result: RunResult) -> None:
    text = printed(result, 200)
    assert text.endswith(
        "Not conformant: ws://127.0.0.1:4000/ws (roomproof.v1)\n"
        "191 checks: 4 fail, 1 kit-error, 1 warn, 1 inconclusive, "
        "6 not-judged, 1 tolerated, 175 pass, 2 not-applicable\n"
        "requirements: 122 judged of 152 observable of 155 in the table\n"
        "time: sum of waits 31:13 min, wall 41.3 s, longest wait 34.0 s; worst lag 12 ms\n"
    )
    assert "\nno check yet (20): AUTH-5, AUTH-6," in text
    assert "needs-hook: needs a hook file with `start`\n    RES-4.restart, CL-1.two-nodes" in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_text_of_the_target_reaches_the_terminal_raw(result: RunResult, encoding: str, verbose: bool) -> None:
    text = printed(result, encoding=encoding, verbose=verbose)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", text)
    assert "\\x1b[31mred" in text
    assert "[bold red]markup[/bold red]" in " ".join(text.split())


def test_colours_only_on_a_terminal(result: RunResult) -> None:
    assert "\x1b[1;31mFAIL" in printed(result, colour=True)
    assert "\x1b" not in printed(result)


def test_a_conformant_run_ends_with_the_good_news(conformant: RunResult) -> None:
    text = printed(conformant)
    assert "\nConformant: " in text
    assert "FAIL" not in text


def test_what_was_left_out_for_its_waits_is_told_by_row(book: Any) -> None:
    for check, seconds in (("BEAT-2.a", 40), ("BEAT-5.a", 120), ("BEAT-5.b", 20)):
        book.add(check, "t", Conclusion(Verdict.NOT_JUDGED, Reason.TOO_LONG, f"must wait {seconds} s"))
    book.add("BEAT-2.b", "t", Conclusion(Verdict.PASS))
    text = printed(book.result, 200)
    assert "  too-long: must wait too long\n    BEAT-5; in part BEAT-2\n\n" in text
    assert "  pass         BEAT-2   MUST   t (1 of 2 checks)\n" in text
    assert "BEAT-5.a" not in text
    assert "BEAT-5.a" in printed(book.result, 200, verbose=True)


def test_known_failures_are_told_apart(known: RunResult) -> None:
    text = printed(known, 200)
    assert "  known-failing RATE-3   MUST   A steady flood is held to the limit\n" in text
    assert "\nKnown failures\n  known-failing RATE-3.steady: fail, known to be failing until 2027-01-31: " in text
    assert "  known-flaky   BEAT-2.interval: inconclusive, known to be flaky: slow machine (flaky.yaml:3)\n" in text
    assert "STALE  CONN-1.case-1" in text
    assert "  known         it passes, so the list is stale: remove the entry in known.yaml:6 (was broken)\n" in text
    assert "FAIL  RATE-3.steady" not in text
    assert "KNOWN-FAILING  RATE-3.steady" in printed(known, 200, verbose=True)


def test_an_empty_run_can_be_printed(book: object) -> None:
    result = book.result  # type: ignore[attr-defined]  # the Book of conftest.py, which cannot be imported
    assert "Nothing judged: " in printed(result)
    assert "0 checks: none" in printed(result)


def test_rich_and_jinja_are_not_loaded_before_they_are_needed() -> None:
    code = (
        "import sys, roomproof_conformance.report, roomproof_conformance.report.terminal\n"
        "print([name for name in ('rich', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
