from __future__ import annotations

from typing import Any

from roomproof_conformance.report.story import Gap, Line, connections, cut, sent_before, story
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.transcript import Transcript, payload_fields


def check_of(result: RunResult, check: str) -> CheckResult:
    return next(r for r in result.results if r.check == check)


def told(result: RunResult, check: str) -> list[Line]:
    return story(result.transcripts[check], check_of(result, check).conclusion.judged)


def test_events_and_operations_are_folded_into_their_frames(result: RunResult) -> None:
    lines = told(result, "ROOM-5.other-room")
    assert [(line.role, line.label) for line in lines[:3]] == [
        ("open", "connects to ws://127.0.0.1:4000/ws: 101"),
        ("out", "identify"),
        ("in", "welcome"),
    ]
    assert connections(lines) == ["a", "b", "c"]


def test_the_frame_of_an_event_that_is_evidence_is_evidence(result: RunResult) -> None:
    shown = [line for line in told(result, "ROOM-5.other-room") if line.evidence]
    assert [(line.role, line.conn) for line in shown] == [("in", "b"), ("decided", "")]
    assert "secret-1" in shown[0].text(300)


def test_what_was_sent_before_the_evidence(result: RunResult) -> None:
    leak, none_before = sent_before(result.transcripts["ROOM-5.other-room"], check_of(result, "ROOM-5.other-room"))
    assert [line.text(300) for line in leak] == ['{"type": "send", "id": "q3", "room": "r1", "text": "secret-1"}']
    assert none_before == 0
    flood, before = sent_before(result.transcripts["RATE-3.steady"], check_of(result, "RATE-3.steady"))
    assert (len(flood), before) == (3, 139)


def test_refusals_faults_and_ends_are_told(result: RunResult) -> None:
    labels = [line.label for line in told(result, "HIST-1.join")]
    assert "connects to ws://127.0.0.1:4000/ws: HTTP 503 <h1>busy</h1>" in labels
    labels = [line.label for line in told(result, "ERR-2.unknown-type")]
    assert "breaks RFC 6455: reserved-bits, RSV1 is set" in labels
    assert "closed by the server: 1011 '<script>alert(1)</script>'" in labels
    assert "raw bytes" in labels
    assert told(result, "MSG-3.echo")[-2].label == "TCP reset by the server, without a Close frame"


def test_odd_frames_say_what_is_odd() -> None:
    transcript = Transcript()
    transcript.add(0.0, "a", "sent", opcode=1, fin=False, rsv=4, masked=False, **payload_fields(b"x"))
    transcript.add(0.1, "a", "received", opcode=11, fin=True, rsv=0, masked=True, **payload_fields(b""))
    transcript.add(
        0.2,
        "a",
        "received",
        opcode=8,
        fin=True,
        rsv=0,
        masked=False,
        code=None,
        reason="",
        **payload_fields(b""),
    )
    labels = [line.label for line in story(transcript)]
    assert labels == [
        "text (not final, rsv 4, unmasked)",
        "reserved opcode 11 (masked)",
        "close without a code",
    ]


def test_an_operation_without_a_frame_does_not_name_the_next_one() -> None:
    transcript = Transcript()
    transcript.add(0.0, "a", "op", op="join", ref=None, user="u", args={})
    transcript.add(0.0, "a", "reply", op=0, ok=True, event=None)
    transcript.add(0.1, "a", "sent", opcode=1, fin=True, rsv=0, masked=True, **payload_fields(b"x"))
    assert [line.label for line in story(transcript)] == ["join: nothing to send", "text"]


def line(index: int, evidence: bool = False) -> Line:
    return Line(index, 0.0, "a", "in", "x", {}, evidence)


def shape(shown: list[Line | Gap]) -> list[Any]:
    return [f"+{item.count}" if isinstance(item, Gap) else item.index for item in shown]


def test_a_long_story_is_cut_around_its_evidence() -> None:
    lines = [line(i, i in (10, 50)) for i in range(100)]
    assert shape(cut(lines, 8)) == ["+8", 8, 9, 10, 11, "+36", 48, 49, 50, 51, "+48"]
    assert shape(cut(lines, 200)) == list(range(100))


def test_without_evidence_the_end_matters() -> None:
    assert shape(cut([line(i) for i in range(10)], 3)) == ["+7", 7, 8, 9]
    assert cut([], 3) == []
