from __future__ import annotations

from typing import Any

import pytest

from roomproof_protocol import DEFAULTS, Heartbeat, Limits, schema
from roomproof_protocol.data import table


def flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for name, inner in value.items() for k, v in flat(inner, f"{path}.{name}".strip(".")).items()}


def test_the_dataclass_is_the_table() -> None:
    rows = {row["name"]: row["default"] for row in table("limits")["limits"]}
    on_by_default = {name: value for name, value in rows.items() if not name.startswith("per_address.")}
    assert flat(DEFAULTS.advertised()) == on_by_default | {"messages.scope": "user"}
    address = Limits.from_mapping({"per_address": ADDRESS})
    assert flat(address.advertised()).keys() == rows.keys() - {"per_address"} | {"messages.scope"}
    assert Heartbeat().advertised() == {row["name"]: row["default"] for row in table("limits")["heartbeat"]}


def test_the_schema_of_welcome_has_the_same_members() -> None:
    form = schema("server", "welcome")["properties"]["limits"]
    assert form["required"] == list(form["properties"]) == list(DEFAULTS.advertised())
    assert form["properties"]["per_address"]["required"] == list(ADDRESS)


def test_fixed_numbers_are_those_that_cannot_be_changed() -> None:
    for row in table("limits")["limits"]:
        if row.get("fixed"):
            assert Limits.from_mapping({row["name"]: row["default"]}) == DEFAULTS
            with pytest.raises(ValueError, match=f"limit {row['name']} is fixed at .* by {row['requirement']}"):
                Limits.from_mapping({row["name"]: row["default"] - 1})


ADDRESS = {
    "conns": 20,
    "guests": {"count": 9, "window_ms": 60000},
    "messages": {"count": 50, "window_ms": 1000},
}


def test_overrides_are_deep_and_a_welcome_can_be_read_back() -> None:
    limits = Limits.from_mapping({"errors": {"count": 3}, "queue_bytes": 9, "per_address": ADDRESS})
    assert (limits.errors.count, limits.errors.window_ms, limits.queue_bytes) == (3, 10000, 9)
    assert limits.advertised()["per_address"] == ADDRESS
    assert Limits.from_mapping(limits.advertised()) == limits
    assert hash(limits) != hash(DEFAULTS)


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"queue_byte": 1}, r"unknown limit queue_byte; did you mean queue_bytes\?"),
        ({"frames": {"bust": 1}}, r"unknown limit frames.bust; did you mean burst\?"),
        ({"xyzzy": 1}, r"unknown limit xyzzy$"),
        ({"history": "100"}, "limit history must be a whole number of at least 0, not '100'"),
        ({"history": True}, "limit history must be a whole number"),
        ({"history": -1}, "limit history must be a whole number"),
        ({"frames": 5}, "limit frames must be a mapping of rate, burst"),
        ({"messages": {"scope": "address"}}, "limit messages.scope can only be 'user'"),
        ({"per_address": {"conns": 5}}, "limit per_address lacks guests, messages"),
        ({"per_address": ADDRESS | {"guests": {"count": 1}}}, "limit per_address.guests lacks window_ms"),
    ],
)
def test_bad_overrides_are_one_clear_line(overrides: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Limits.from_mapping(overrides)
