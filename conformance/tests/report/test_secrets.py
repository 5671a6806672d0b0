from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from roomproof_conformance.report import html, junit, markdown
from roomproof_conformance.report.files import write_transcripts
from roomproof_conformance.report.jsonreport import dump
from roomproof_conformance.report.secrets import conceal, hide
from roomproof_conformance.report.terminal import print_result
from roomproof_conformance.results import RunResult
from roomproof_conformance.transcript import Transcript, payload_fields
from roomproof_conformance.verdicts import Conclusion, Finding, Judged, Verdict

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJndWVzdDoxIn0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
GUEST = "gt_5f0c4a9be1d84bb7a6c2"
QUERY = "q7Zk2mVxw9LrT4ae"
PASSWORD = "zq-battery-st"
SECRETS = (JWT, GUEST, QUERY, PASSWORD)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f'{{"auth": {{"token": "{JWT}"}}}}', '{"auth": {"token": "eyJhbG… (75 characters)"}}'),
        (f'{{"token":"{GUEST}","v":"1"}}', '{"token":"gt_5f0… (23 characters)","v":"1"}'),
        (f"got {{'token': '{GUEST}'}}", "got {'token': 'gt_5f0… (23 characters)'}"),
        (f'"{{\\"token\\":\\"{GUEST}\\"}}"', '"{\\"token\\":\\"gt_5f0… (23 characters)\\"}"'),
        ('{"guest_token": "abcdefghijkl', '{"guest_token": "abcd… (12 characters)'),
        (f"ws://h:1/ws?room=a&token={QUERY}#x", "ws://h:1/ws?room=a&token=q7Zk2… (16 characters)#x"),
        (f"wss://me:{PASSWORD}@h/ws", "wss://me:zq-b… (13 characters)@h/ws"),
        (f"it said {JWT}.", "it said eyJhbG… (75 characters)."),
        ('{"token": "a"}', '{"token": "… (1 characters)"}'),
        ('{"token": "", "code": "bad_token"}', '{"token": "", "code": "bad_token"}'),
        ("nothing secret: token", "nothing secret: token"),
    ],
)
def test_what_stands_under_the_name_of_a_secret_is_shortened(text: str, shown: str) -> None:
    assert hide(text) == shown
    assert hide(shown) == shown


@pytest.fixture
def leaky(book: Any) -> RunResult:
    """A run whose target, addresses, frames, findings and notes hold secrets."""
    tape = Transcript()
    tape.add(0.0, "", "case", checks=["MSG-1.x"], target=f"ws://me:{PASSWORD}@h/ws?token={QUERY}")
    tape.add(0.1, "a", "open", url=f"ws://h/ws?token={QUERY}", headers=[], subprotocols=[])
    tape.add(0.2, "a", "op", op="identify", ref="q1", user="a", args={"scheme": "jwt", "token": JWT})
    hello = json.dumps({"type": "hello", "auth": {"scheme": "jwt", "token": JWT}}).encode()
    tape.add(0.2, "a", "sent", opcode=1, fin=True, rsv=0, masked=True, **payload_fields(hello))
    tape.add(0.2, "a", "sent", opcode=2, fin=True, rsv=0, masked=True, **payload_fields(hello + b"\xff"))
    welcome = json.dumps({"type": "welcome", "token": GUEST, "text": f"your token is {GUEST}"}).encode()
    frame = tape.add(0.3, "a", "received", opcode=1, fin=True, rsv=0, masked=False, **payload_fields(welcome))
    tape.add(0.3, "a", "event", frame=frame.index, kind="welcome", fields={"token": GUEST}, tree={"token": GUEST})
    found = Finding("broken", f"no {GUEST[:15]}", f"it came: {GUEST} and {GUEST[:14]}…", (frame.index,))
    book.result.transcripts["MSG-1.x"] = tape
    book.add("MSG-1.x", "t", Conclusion(Verdict.FAIL, judged=Judged("MSG-1.x", "must", "says", found)), "MSG-1.x")
    address = f"ws://me:{PASSWORD}@h/ws?token={QUERY}"
    book.result.results = [replace(book.result.results[0], repeat=f"roomproof '{address}' --only MSG-1.x")]
    book.result.target = address
    book.result.notes = [f"after MSG-1.x the server said {JWT}"]
    result: RunResult = book.result
    return result


def _terminal(result: RunResult) -> str:
    file = io.StringIO()
    print_result(result, Console(file=file, width=400, _environ={}), verbose=True)
    return file.getvalue()


def _json(result: RunResult) -> str:
    file = io.StringIO()
    dump(result, file)
    return json.dumps(json.loads(file.getvalue()), ensure_ascii=False)


REPORTS = {
    "html": html.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "terminal": _terminal,
    "json": _json,
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_no_report_holds_a_readable_secret(leaky: RunResult, report: Callable[[RunResult], str]) -> None:
    text = report(leaky)
    for secret in SECRETS:
        assert secret[: len(secret) // 2] not in text
        assert base64.b64encode(secret.encode()).decode()[:-4] not in text
        assert f"… ({len(secret)} characters)" in text.replace("\\", "")


def test_transcripts_are_evidence_and_keep_them(leaky: RunResult, tmp_path: Any) -> None:
    conceal(leaky)
    path = write_transcripts(leaky, tmp_path)["MSG-1.x"]
    for secret in SECRETS:
        assert secret in path.read_text()


def test_a_binary_frame_does_not_hide_a_secret(leaky: RunResult) -> None:
    record = conceal(leaky).transcripts["MSG-1.x"].records[4]
    assert JWT.encode() not in base64.b64decode(record.data["base64"])


def test_it_is_done_once_and_leaves_the_result_as_it_was(leaky: RunResult) -> None:
    once = conceal(leaky)
    assert conceal(once) is once
    assert JWT in leaky.notes[0]
    assert JWT not in once.notes[0]


def test_a_short_or_odd_token_does_not_eat_the_report(book: Any) -> None:
    """A server that hands out `e` or `"type"` as a token hides nothing but that."""
    tape = Transcript()
    for token in ("e", '"type": "message"', "a b c d e f g h"):
        welcome = json.dumps({"type": "welcome", "token": token}).encode()
        tape.add(0.1, "a", "received", opcode=1, fin=True, rsv=0, masked=False, **payload_fields(welcome))
    found = Finding("broken", "one message", 'two came: {"type": "message"} a b c d e f g h')
    book.result.transcripts["MSG-1.x"] = tape
    book.add("MSG-1.x", "t", Conclusion(Verdict.FAIL, judged=Judged("MSG-1.x", "must", "says", found)), "MSG-1.x")
    (check,) = conceal(book.result).results
    assert check.conclusion.judged == Judged("MSG-1.x", "must", "says", found)
