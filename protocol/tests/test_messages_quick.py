"""The quick validator says yes exactly where the authority finds nothing wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomproof_protocol import DEFAULTS, Limits, messages
from roomproof_protocol.messages import Direction, accepts, client_types, schema, server_types

pytest.importorskip("jsonschema_rs", reason="the extra `server` is not installed")

FORMS: list[tuple[Direction, str]] = [
    *(("client", name) for name in client_types()),
    *(("server", name) for name in server_types()),
]
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 1.0, 1.5, 2**31, 2**53, 2**53 + 1, 2**64, -(2**64), 10**30, 1e300, float("inf"),
    float("nan"), "", " ", "a", "a\n", "lobby\n", "A" * 64, "a" * 65, "é" * 1024, "e\u0301", "\u0000", "\u202e",
    "\ud800", "\U0001f642" * 1024, "x" * 4096, "x" * 4097, "~", "..", "[]", [], {}, [None], {"id": 1}, [[]], "guest",
]  # fmt: skip


def authority(direction: Direction, type_: str, message: object, limits: Limits = DEFAULTS) -> bool:
    """What jsonschema alone says."""
    return next(messages._validator(direction, type_, limits).iter_errors(message), None) is None


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a message with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from places(value[key])


def examples(direction: Direction, type_: str) -> list[dict[str, Any]]:
    form = schema(direction, type_)
    invalid = [entry.get("instance", entry) for entry in form.get("x-invalid-examples", ())]
    return [deepcopy(example) for example in (*form["examples"], *invalid) if isinstance(example, dict)]


@pytest.mark.parametrize(("direction", "type_"), FORMS)
def test_every_example_with_every_odd_value_in_every_place(direction: Direction, type_: str) -> None:
    accepted = 0
    for example in schema(direction, type_)["examples"]:
        for number, _ in enumerate(list(places(example))):
            for odd in ODD:
                message = deepcopy(example)
                container, key = list(places(message))[number]
                container[key] = odd
                quick = accepts(direction, type_, message)
                accepted += quick
                if quick or not _unreadable(message):
                    assert quick == authority(direction, type_, message), json.dumps(message)
    assert accepted > 0


@pytest.mark.parametrize(("direction", "type_"), FORMS)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_what_hypothesis_makes_of_the_examples(direction: Direction, type_: str, data: st.DataObject) -> None:
    message = deepcopy(data.draw(st.sampled_from(examples(direction, type_))))
    values = st.one_of(st.sampled_from(ODD), st.text(max_size=70), st.integers(), st.floats(), st.booleans())
    for _ in range(data.draw(st.integers(0, 3))):
        found = list(places(message))
        if not found:
            break
        container, key = data.draw(st.sampled_from(found))
        if data.draw(st.booleans()):
            container[key] = data.draw(values)
        elif isinstance(container, dict):
            del container[key]
    if data.draw(st.booleans()):
        message[data.draw(st.text(min_size=1, max_size=8))] = data.draw(values)
    quick = accepts(direction, type_, message)
    if quick or not _unreadable(message):
        assert quick == authority(direction, type_, message)


def _unreadable(message: Any) -> bool:
    """Whether it holds what the quick validator cannot read, or keeps only roughly: there its no says nothing."""
    text = json.dumps(message)
    return "\\ud" in text.replace("\\ud83d\\ude42", "") or "NaN" in text or "Infinity" in text


def test_without_the_quick_one_the_authority_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_quick", lambda *_: None)
    assert not accepts("client", "ping", {"type": "ping", "id": "1"})
    assert messages.check_request({"type": "ping", "id": "1"}) == []
    assert messages.check_request({"type": "ping"}) != []
