from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from roomproof_protocol import DEFAULTS, ERRORS, Limits, SchemaFault, check_message, check_request, schema
from roomproof_protocol.data import SCHEMAS, schema_file, table
from roomproof_protocol.messages import Direction

FILES = sorted(str(path.relative_to(SCHEMAS)) for path in SCHEMAS.rglob("*.json"))
LOCAL: Registry[Any] = Registry().with_resources(
    (schema_file(file)["$id"], Resource.from_contents(schema_file(file))) for file in FILES
)
LITERAL = {"examples", "x-invalid-examples", "x-errors", "x-limit", "const", "enum", "default"}
ANNOTATIONS = {"$ref", "description", "default"}


def check(direction: Direction, message: object, limits: Limits = DEFAULTS) -> list[SchemaFault]:
    return (check_request if direction == "client" else check_message)(message, limits)


def plain(direction: Direction, type_: str, message: object) -> bool:
    """Tell what a validator that knows nothing of ours says, by the files and their references."""
    return Draft202012Validator(schema_file(f"{direction}/{type_}.json"), registry=LOCAL).is_valid(message)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a schema that is not a literal value."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in LITERAL:
                yield from nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from nodes(item)


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_a_documented_schema(file: str) -> None:
    form = schema_file(file)
    Draft202012Validator.check_schema(form)
    assert form["$id"] == f"https://roomproof.invalid/v1/{file}"
    assert form["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert form["title"]
    assert form["description"]


@pytest.mark.parametrize("file", FILES)
def test_every_reference_leads_to_a_common_value_and_changes_nothing_in_it(file: str) -> None:
    own = "" if file == "common.json" else "../common.json"
    for node in nodes(schema_file(file)):
        if "$ref" in node and isinstance(node["$ref"], str):
            assert node["$ref"].startswith(f"{own}#/$defs/")
            assert node["$ref"].rpartition("/")[2] in schema_file("common.json")["$defs"]
            assert node.keys() <= ANNOTATIONS


@pytest.mark.parametrize("file", FILES)
def test_only_documented_keywords_of_ours_are_used(file: str) -> None:
    known = {row["name"] for row in table("keywords")["keywords"]}
    for node in nodes(schema_file(file)):
        assert {key for key in node if key.startswith("x-")} <= known
        assert node.get("x-errors", {}).keys() <= node.keys()
        assert set(node.get("x-errors", {}).values()) <= ERRORS.keys()
        for keyword, limit in node.get("x-limit", {}).items():
            assert node[keyword] == getattr(DEFAULTS, limit)


@pytest.mark.parametrize("file", FILES)
def test_patterns_use_only_what_every_language_reads_alike(file: str) -> None:
    for node in nodes(schema_file(file)):
        if isinstance(node.get("pattern"), str):
            assert re.fullmatch(r"\^[^\\]*?\$?", node["pattern"])


def test_titles_are_unique() -> None:
    titles = [schema_file(file)["title"] for file in FILES]
    titles += [form["title"] for form in schema_file("common.json")["$defs"].values()]
    assert len(set(titles)) == len(titles)


def test_error_codes_of_the_schema_are_those_of_the_table() -> None:
    assert schema_file("common.json")["$defs"]["error_code"]["enum"] == list(ERRORS)


def test_the_schema_is_of_its_type_and_open(message_type: tuple[Direction, str]) -> None:
    form = schema(*message_type)
    assert form["properties"]["type"] == {"const": message_type[1]}
    assert not any("additionalProperties" in node for node in nodes(form))
    assert form["examples"]
    assert form["x-invalid-examples"]
    assert all("$ref" not in node for node in nodes(form))


def test_every_request_names_its_reply(message_type: tuple[Direction, str]) -> None:
    direction, type_ = message_type
    if direction == "client":
        assert schema("server", schema("client", type_)["x-reply"])["properties"]["re"]
    assert schema(direction, type_).get("x-reserved", False) is (type_ == "removed")


def test_examples_are_valid(example: tuple[Direction, str, Any]) -> None:
    direction, type_, message = example
    assert check(direction, message) == []
    assert plain(direction, type_, message)


def test_unknown_members_are_legal(example: tuple[Direction, str, Any]) -> None:
    direction, type_, message = example
    assert check(direction, message | {"__proto__": {"type": None}, "später": 1e300}) == []
    assert plain(direction, type_, message | {"extra": None})


def test_invalid_examples_are_wrong_in_exactly_the_way_they_say(
    invalid_example: tuple[Direction, str, Any],
) -> None:
    direction, _, example = invalid_example
    (fault,) = check(direction, example["value"])
    assert (fault.pointer, fault.keyword) == (example["pointer"], example["keyword"])
    if direction == "client":
        assert fault.code == example["code"]


def test_other_validators_take_more_never_less(invalid_example: tuple[Direction, str, Any]) -> None:
    direction, type_, example = invalid_example
    beyond_them = example["keyword"].startswith("x-") or example["value"].get("room") == "lobby\n"
    assert plain(direction, type_, example["value"]) is beyond_them


@pytest.mark.parametrize(
    ("message", "pointer"),
    [(None, ""), ([], ""), ({}, "/type"), ({"type": 1}, "/type"), ({"type": "tick"}, "/type")],
)
def test_what_is_no_request_at_all(message: object, pointer: str) -> None:
    assert [fault.pointer for fault in check_request(message)] == [pointer]


def test_bounds_follow_the_limits() -> None:
    small = Limits.from_mapping({"text_bytes": 4, "history": 2, "page": 3})
    text = {"type": "send", "id": "1", "room": "a", "text": "ééé"}
    join = {"type": "join", "id": "1", "room": "a", "history": 3}
    page = {"type": "history", "id": "1", "room": "a", "limit": 4}
    for message, keyword in ((text, "x-utf8-bytes"), (join, "maximum"), (page, "maximum")):
        assert check_request(message) == []
        assert [fault.keyword for fault in check_request(message, small)] == [keyword]


def test_what_the_server_sends_is_in_nfc() -> None:
    message = schema("server", "message")["examples"][0]
    (fault,) = check_message(message | {"from": {"id": "u", "name": "e\u0301"}})
    assert (fault.pointer, fault.keyword) == ("/from/name", "x-nfc")
    assert check_request({"type": "hello", "id": "1", "name": "e\u0301"}) == []


def test_faults_do_not_quote_what_was_sent() -> None:
    for value in ("s3cret", ["s3cret"], {"s3cret": 1}):
        for member in ("room", "text", "mid"):
            faults = check_request({"type": "send", "id": "1", "room": "a", "text": "b", member: value})
            assert all("s3cret" not in fault.message for fault in faults)


def test_an_unknown_type_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no client message has type 'jion'; did you mean join\?"):
        schema("client", "jion")
