"""Every specimen is what it says it is, and one that is not is found out before it is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roomproof_conformance.malformed import Specimen, specimens, unproven
from roomproof_protocol import DEFAULTS


@pytest.fixture(scope="module")
def walked() -> dict[str, Specimen]:
    return {s.id: s for s in specimens()}


def test_every_frame_is_proven(walked: dict[str, Specimen]) -> None:
    assert [fault for s in walked.values() if (fault := unproven(s, DEFAULTS))] == []


def _with_text(specimen: Specimen, text: str) -> Specimen:
    return replace(specimen, pieces=((1, text.encode(), True),))


@pytest.mark.parametrize(
    ("identifier", "text", "complaint"),
    [
        ("ping.id:missing", '{"type":"ping","id":"x"}', "is valid"),
        ("ping.id:missing", '{"type":"x"}', "has other faults"),
        ("ping.id:missing", "{", "is invalid_json"),
        ("ping:truncated", '{"type":"ping"}', "has other faults"),
        ("join.room:longest", '{"type":"join","id":"x","room":"A"}', "is not valid: /room"),
        ("ping:extra-overflow", '{"type":"ping","id":7,"x":1e400}', "is not valid"),
        ("ping.id:twice-last-good", '{"type":"ping","id":"x"}', "no member stands twice"),
        ("ping.id:twice-last-good", '{"type":"ping","id":"x","id":null}', "the last values are not valid"),
        ("ping:oversize", '{"type":"ping","id":"x"}', "is not too long"),
        ("ping:bad-utf8", '{"type":"ping","id":"x"}', "is UTF-8"),
    ],
)
def test_a_frame_that_is_not_as_it_says_is_found_out(
    walked: dict[str, Specimen], identifier: str, text: str, complaint: str
) -> None:
    assert complaint in unproven(_with_text(walked[identifier], text), DEFAULTS)


def test_a_twin_must_be_valid_and_a_binary_frame_must_be_one(walked: dict[str, Specimen]) -> None:
    bad_twin = replace(walked["ping.id:null"], twin='{"type":"ping"}')
    assert "the twin is not valid" in unproven(bad_twin, DEFAULTS)
    binary = replace(walked["ping:binary"], codes=("invalid_json",))
    assert "is no text frame" in unproven(binary, DEFAULTS)
