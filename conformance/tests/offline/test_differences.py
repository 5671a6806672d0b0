"""What a repetition says of its departures from the file."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.offline import differences
from roomproof_conformance.offline.rejudging import Said
from roomproof_conformance.verdicts import Conclusion, Verdict


def heard(*codes: str | None) -> Script:
    script = Script()
    script.opened(0.1, "a")
    for code in codes:
        script.event(0.2, "a", "error" if code else "message", tree={"code": code}, code=code)
    return script


def test_the_first_difference_of_a_connection_is_told() -> None:
    assert not differences.of_conversations(heard(None, "x").transcript, heard(None, "x").transcript)
    lines = differences.of_conversations(heard(None, "x").transcript, heard(None, "y", None).transcript)
    assert lines == ['a: at place 3 error {"code": "x"} in the file, error {"code": "y"} now']


def test_what_did_not_come_is_told() -> None:
    ended = heard()
    ended.end(1.0, "a", code=4001)
    lines = differences.of_conversations(heard().transcript, ended.transcript)
    assert lines == ["a: at place 2 nothing in the file, the server closed the connection 4001 at 1.00 s now"]


def test_verdicts_that_changed_are_told() -> None:
    then = [Said("X-1.a", Conclusion(Verdict.FAIL), "f"), Said("X-2.b", Conclusion(Verdict.PASS), "f")]
    now = [Said("X-1.a", Conclusion(Verdict.PASS), "g"), Said("X-2.b", Conclusion(Verdict.PASS), "g")]
    assert differences.of_verdicts(then, now) == ["X-1.a: fail in the file, pass now"]
