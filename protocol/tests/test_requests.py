from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_protocol import (
    ERRORS,
    Limits,
    ProtocolError,
    check_message,
    check_request,
    client_types,
    encode,
    parse_request,
    schema,
)
from roomproof_protocol.messages import Direction

Refusal = Callable[..., ProtocolError]
EXAMPLES = [example for type_ in client_types() for example in schema("client", type_)["examples"]]
STRINGS = st.text(st.characters())
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=5,
)
MEMBERS = sorted({name for type_ in client_types() for name in schema("client", type_)["properties"]})


@pytest.mark.parametrize(
    ("frame", "code", "re", "field"),
    [
        # in the order of checks
        ("{", "invalid_json", None, None),
        ("[]", "invalid_message", None, ""),
        ("null", "invalid_message", None, ""),
        ("{}", "invalid_message", None, "/type"),
        ('{"id":"7"}', "invalid_message", "7", "/type"),
        ('{"id":"7","type":null}', "invalid_message", "7", "/type"),
        ('{"id":"7","type":"nope"}', "unknown_type", "7", "/type"),
        ('{"id":7,"type":"nope"}', "unknown_type", None, "/type"),
        ('{"id":"7","type":"tick"}', "unknown_type", "7", "/type"),
        ('{"id":"7","type":"\\ud800"}', "unknown_type", "7", "/type"),
        ('{"type":"join","room":"A"}', "invalid_message", None, "/id"),
        ('{"type":"join","id":7,"room":"A"}', "invalid_message", None, "/id"),
        ('{"type":"join","id":"7\\n","room":"a"}', "invalid_message", None, "/id"),
        ('{"type":"join","id":"7","room":"A"}', "invalid_room", "7", "/room"),
        ('{"type":"join","id":"7","room":"\\ud800"}', "invalid_room", "7", "/room"),
        ('{"type":"join","id":"7","room":null}', "invalid_message", "7", "/room"),
        ('{"type":"join","id":"7","room":"a","history":1e400}', "invalid_message", "7", "/history"),
        (
            '{"type":"join","id":"7","room":"a","history":9007199254740992}',
            "invalid_message",
            "7",
            "/history",
        ),
        ('{"type":"join","id":"7","room":"a","history":"1"}', "invalid_message", "7", "/history"),
        ('{"type":"send","id":"7","room":"a","text":"\\ud800"}', "invalid_text", "7", "/text"),
        ('{"type":"hello","id":"7","name":"\\ud800"}', "invalid_name", "7", "/name"),
        ('{"type":"auth","id":"7","token":"\\ud800"}', "invalid_message", "7", "/token"),
        ('{"type":"history","id":"7","room":"a","before":1,"after":1}', "invalid_message", "7", "/after"),
        ('{"type":"ping","id":"7","id":"8"}', "invalid_json", None, None),
    ],
)
def test_what_is_refused_and_how(frame: str, code: str, re: str | None, field: str | None, refusal: Refusal) -> None:
    error = refusal(parse_request, frame)
    assert (error.code, error.re, error.field) == (code, re, field)
    assert not error.fatal
    assert refusal(parse_request, frame.encode()).to_message() == error.to_message()


def test_a_number_of_thousands_of_digits(refusal: Refusal) -> None:
    frame = '{"type":"join","id":"7","room":"a","%s":' + "9" * 5000 + "}"
    assert refusal(parse_request, frame % "history").code == "invalid_message"
    assert parse_request(frame % "other") == {"type": "join", "id": "7", "room": "a"}


def test_unknown_members_are_dropped_whatever_they_hold() -> None:
    frame = """{"type":"join","id":"7","room":"a","seq":-1,"from":null,"__proto__":{"a":1e400},
                "\\udfff":"\\ud800","after":{"epoch":"e","seq":1,"user":123456789012345678901234567890}}"""
    assert parse_request(frame) == {"type": "join", "id": "7", "room": "a", "after": {"epoch": "e", "seq": 1}}


def test_integers_come_out_as_integers() -> None:
    request = parse_request('{"type":"join","id":"7","room":"a","history":1e1,"after":{"epoch":"e","seq":-0.0}}')
    assert request["history"] == 10
    assert isinstance(request["history"], int)
    assert str(request["after"]["seq"]) == "0"


def test_names_come_out_in_nfc() -> None:
    assert parse_request('{"type":"hello","id":"1","name":"Zoe\u0308"}')["name"] == "Zoë"


def test_limits_decide(refusal: Refusal) -> None:
    frame = '{"type":"send","id":"7","room":"a","text":"ééé"}'
    assert parse_request(frame)
    assert refusal(parse_request, frame, Limits.from_mapping({"text_bytes": 5})).code == "text_too_long"


def test_examples_come_out_as_they_went_in(example: tuple[Direction, str, Any]) -> None:
    direction, _, message = example
    if direction == "client":
        assert parse_request(encode(message)) == message


def test_invalid_examples_get_their_code(invalid_example: tuple[Direction, str, Any], refusal: Refusal) -> None:
    direction, _, example = invalid_example
    if direction == "client":
        error = refusal(parse_request, json.dumps(example["value"]))
        assert (error.code, error.field) == (example["code"], example["pointer"])


def holds(frame: str | bytes) -> None:
    """Check what is true of every frame: a request that is right, or one error that is."""
    answer = outcome(frame)
    if isinstance(answer, ProtocolError):
        assert answer.code in ERRORS
        assert check_message(answer.to_message()) == []
        assert encode(answer.to_message())
    else:
        assert check_request(answer) == []
        assert parse_request(encode(answer)) == answer


def outcome(frame: str | bytes) -> dict[str, Any] | ProtocolError:
    try:
        return parse_request(frame)
    except ProtocolError as error:
        return error


@given(st.binary() | STRINGS)
def test_bytes_give_a_request_or_an_error(frame: str | bytes) -> None:
    holds(frame)


@given(st.sampled_from(EXAMPLES), st.dictionaries(st.sampled_from(MEMBERS) | STRINGS, ODD, max_size=3))
def test_altered_requests_give_a_request_or_an_error(example: dict[str, Any], members: dict[str, Any]) -> None:
    holds(json.dumps(example | members))


@given(st.sampled_from(EXAMPLES), st.data())
def test_broken_frames_give_a_request_or_an_error(example: dict[str, Any], data: st.DataObject) -> None:
    frame = bytearray(encode(example))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    holds(bytes(frame))
