"""The walk over the schemas: how much it yields, that it is the same every time, and that the schemas drive it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from roomproof_conformance.malformed import FAMILIES, OPERATORS, Specimen, specimens
from roomproof_conformance.malformed.walk import example_values
from roomproof_protocol import Limits, client_types, requirements, schema


@pytest.fixture(scope="module")
def walked() -> list[Specimen]:
    return list(specimens())


def test_enough_distinct_frames_by_enough_operators(walked: list[Specimen]) -> None:
    negative = {s.id for s in walked if s.negative}
    assert len(negative) >= 400
    assert len({s.id for s in walked if not s.negative}) >= 150
    assert len({s.operator for s in walked if s.negative}) >= 15
    assert len({s.id for s in walked}) == len(walked)


def test_every_operator_is_explained_and_every_explained_one_is_used(walked: list[Specimen]) -> None:
    assert {s.operator for s in walked} == set(OPERATORS)


def test_the_same_every_time(walked: list[Specimen]) -> None:
    assert list(specimens()) == walked


def test_every_client_message_is_walked_by_every_family() -> None:
    for family in set(FAMILIES) - {"numbers"}:
        assert {s.type for s in specimens((family,))} == set(client_types()), family
    assert {s.type for s in specimens(("numbers",))} == {"join", "history"}


def test_every_frame_has_a_row_of_the_table_a_reply_and_a_twin_where_it_has_a_defect(walked: list[Specimen]) -> None:
    rows = {row.id for row in requirements()}
    for specimen in walked:
        assert specimen.requirement in rows, specimen.id
        assert specimen.reply, specimen.id
        assert (specimen.twin is not None) is specimen.negative, specimen.id
        assert specimen.codes or specimen.close or specimen.outcome in ("accepted", "understood"), specimen.id


@pytest.mark.parametrize(
    ("identifier", "requirement", "expected"),
    [
        ("join.room:upper-case", "ROOM-1", "invalid_room"),
        ("join.history:boolean", "ERR-5", "invalid_message"),
        ("join.history:above-maximum", "LIMIT-1", "invalid_message"),
        ("join.after.seq:inexact", "ERR-3", "invalid_json or invalid_message"),
        ("join.after:null", "CONN-14", "invalid_message"),
        ("join.room:null", "ERR-10", "invalid_message"),
        ("history.after:excluded", "ERR-10", "invalid_message"),
        ("send.text:too-long", "ERR-8", "text_too_long"),
        ("send.text:nul", "MSG-13", "invalid_text"),
        ("send.text:line-feed-behind", "MSG-13", "`sent`"),
        ("send.text:lone-surrogate", "MSG-13", "invalid_json or invalid_text"),
        ("send.mid:too-short", "ERR-10", "invalid_message"),
        ("ping.id:missing", "ERR-4", "invalid_message"),
        ("ping.type:other-type", "ERR-6", "unknown_type"),
        ("ping.type:fraction", "ERR-4", "invalid_message"),
        ("ping:truncated", "ERR-1", "invalid_json"),
        ("ping:nan", "ERR-2", "invalid_json"),
        ("ping:binary", "ERR-7", "unsupported_data"),
        ("ping:oversize", "ERR-8", "close 1009"),
        ("ping:bad-utf8", "ERR-9", "close 1007"),
        ("ping:largest", "LIMIT-1", "`pong`"),
        ("ping:deepest", "CONN-12", "`pong`"),
        ("hello.auth.scheme:upper-case", "CONN-13", "`welcome`, or an error that is not about its form"),
        ("ping:extra-null", "CONN-12", "`pong`"),
        ("hello.name:blank-before", "AUTH-10", "invalid_name, fatal, and close 4401"),
        ("hello.caps:null", "CONN-14", "invalid_message, fatal, and close 4401"),
        ("hello:nan", "ERR-2", "invalid_json, fatal, and close 4401"),
        ("hello:truncated", "CONN-13", "invalid_json, fatal, and close 4401"),
        ("hello.caps[0]:integer", "CONN-13", "invalid_message, fatal, and close 4401"),
        ("history.limit:whole-float", "ERR-5", "`history`, or (tolerated) invalid_message"),
        ("leave.room:twice-last-good", "ERR-15", "invalid_json, or (tolerated) `left`"),
    ],
)
def test_what_is_expected_of_one_frame(
    walked: list[Specimen], identifier: str, requirement: str, expected: str
) -> None:
    found = next(s for s in walked if s.id == identifier)
    assert (found.requirement, found.expected) == (requirement, expected)


MADE_UP: dict[str, Any] = {
    "type": "object",
    "x-reply": "shaken",
    "required": ["type", "id", "grip"],
    "properties": {
        "type": {"const": "shake"},
        "id": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9]*$"},
        "grip": {"type": "integer", "minimum": 2, "maximum": 5},
        "hands": {
            "type": "array",
            "items": {"type": "object", "required": ["side"], "properties": {"side": {"enum": ["left", "right"]}}},
        },
    },
}


def _ids(form: dict[str, Any]) -> set[str]:
    return {s.id for s in specimens(schemas={"shake": form})}


def test_a_schema_nobody_has_heard_of_is_walked() -> None:
    found = _ids(MADE_UP)
    assert {
        "shake.grip:missing",
        "shake.grip:below-minimum",
        "shake.grip:maximum",
        "shake.hands:null",
        "shake.hands[0]:string",
        "shake.hands[0].side:other-type",
        "shake.hands[0]:extra-object",
        "shake:truncated",
    } <= found


def test_a_schema_that_grows_a_member_yields_more_without_a_change_of_code() -> None:
    grown = copy.deepcopy(MADE_UP)
    grown["properties"]["mood"] = {"type": "string", "maxLength": 3}
    new = _ids(grown) - _ids(MADE_UP)
    assert {"shake.mood:null", "shake.mood:too-long", "shake.mood:longest", "shake.mood:twice-last-good"} <= new
    assert all(identifier.startswith("shake.mood:") for identifier in new)
    grown["required"].append("mood")
    assert _ids(grown) - _ids(MADE_UP) - new == {"shake.mood:missing"}


def test_a_member_without_a_known_value_says_so_in_one_line() -> None:
    strange = copy.deepcopy(MADE_UP)
    strange["properties"]["grip"] = {"type": "string", "pattern": "^%%%$"}
    with pytest.raises(ValueError, match=r"no valid value is known for a member 'grip'.*give one in Values"):
        _ids(strange)


def test_bounds_are_those_that_the_target_states() -> None:
    limits = Limits.from_mapping({"history": 7, "text_bytes": 50, "frame_bytes": 2000})
    forms = {type_: schema("client", type_, limits) for type_ in ("join", "send")}
    found = {s.id: s for s in specimens(schemas=forms, limits=limits)}
    assert b'"history":8' in found["join.history:above-maximum"].payload
    assert len(found["send:largest"].payload) == 2000
    assert len(found["send:oversize"].payload) == 2001
    assert b"a" * 50 + b'"' in found["send.text:longest"].payload


def test_values_of_the_target_stand_in_the_frames() -> None:
    values = example_values()
    found = {s.id: s for s in specimens(("types",), values=values)}
    assert b'"epoch":"epoch-1"' in found["join.after.seq:null"].payload
    assert b'"scheme":"guest"' in found["hello.auth.token:null"].payload
