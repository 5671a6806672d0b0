from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roomproof_conformance.report.jsonreport import dump, schema, write_json
from roomproof_conformance.results import RunResult
from roomproof_conformance.verdicts import Reason, Verdict


def read(result: RunResult) -> Any:
    file = io.StringIO()
    dump(result, file)
    assert file.getvalue().isascii()
    return json.loads(file.getvalue())


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_report_is_valid(result: RunResult, conformant: RunResult, known: RunResult) -> None:
    for run in (result, conformant, known):
        Draft202012Validator(schema()).validate(read(run))


def test_the_schema_describes_every_member(result: RunResult) -> None:
    report = read(result)
    described = schema()
    assert set(report) == set(described["properties"]) == set(described["required"])
    check = described["$defs"]["check"]
    assert set(report["checks"][0]) == set(check["properties"]) == set(check["required"])


def test_the_schema_knows_all_verdicts_and_reasons() -> None:
    definitions = schema()["$defs"]
    assert set(definitions["verdict"]["enum"]) == {verdict.value for verdict in Verdict}
    assert set(definitions["reason"]["enum"]) == {reason.value for reason in Reason} | {None}


def test_what_was_sent_and_where_its_transcript_is(result: RunResult) -> None:
    told = replace(result, files={"ROOM-5.other-room": Path("out/ROOM-5.other-room.jsonl")})
    entries = {entry["check"]: entry for entry in read(told)["checks"]}
    leak = entries["ROOM-5.other-room"]
    assert leak["transcript"] == "out/ROOM-5.other-room.jsonl"
    payload = '{"type": "send", "id": "q3", "room": "r1", "text": "secret-1"}'
    assert leak["sent"] == [{"conn": "a", "t": 0.112, "what": "send", "payload": payload}]
    assert (entries["CONN-1.case-1"]["sent"], entries["CONN-1.case-1"]["transcript"]) == ([], None)


def test_known_failures_are_named(known: RunResult) -> None:
    entries = {entry["check"]: entry["known"] for entry in read(known)["checks"]}
    assert entries["MSG-3.echo"] is None
    assert (entries["CONN-1.case-1"]["stale"], entries["CONN-1.case-1"]["excused"]) == (True, False)
    assert entries["RATE-3.steady"] == {
        "kind": "failing",
        "reason": "being rewritten <b>",
        "where": "known.yaml:3",
        "until": "2027-01-31",
        "stale": False,
        "excused": True,
    }


def test_dash_is_stdout(conformant: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(conformant, "-")
    write_json(conformant, tmp_path / "report.json")
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "report.json").read_text())
