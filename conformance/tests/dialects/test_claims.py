"""Claims: defaults, durations, and the numbers that a server states itself."""

from __future__ import annotations

from typing import Any

import pytest

from roomproof_conformance.dialects import (
    Claims,
    Connections,
    Dialect,
    Heartbeat,
    Outcome,
    RateLimit,
    Rooms,
    load,
    parse,
)

BARE = """
dialect: 1
name: bare
connect: {path: /}
codec: json
actions: {send: []}
events: [{as: message, match: {type: say}}]
claims: CLAIMS
"""
LIMITS: dict[str, Any] = {
    "rooms_per_conn": 64,
    "history": 100,
    "messages": {"count": 5, "window_ms": 1000, "scope": "user"},
    "frame_bytes": 16384,
    "text_bytes": 4096,
    "conns_per_user": 8,
    "per_address": None,
    "presence_grace_ms": 5000,
}


def dialect_with(claims: str) -> Dialect:
    return parse(BARE.replace("CLAIMS", claims))


def test_nothing_is_claimed_by_default() -> None:
    claims = dialect_with("{}").claims_for({})
    assert claims == Claims()
    assert not claims.rooms.isolated
    assert claims.malformed_outcome("not_json") is None


def test_an_area_may_say_none() -> None:
    assert dialect_with("{heartbeat: none, rate_limit: none}").claims_for({}) == Claims()


def test_durations_are_seconds() -> None:
    dialect = dialect_with(
        "{rooms: {}, heartbeat: {by: client, frame: keepalive, interval: 250ms, timeout: 2m},"
        " rate_limit: {scope: room, model: bucket, allow: 5, per: 1s, capacity: 8, effect: drop}}"
    )
    claims = dialect.claims_for({})
    assert claims.rooms == Rooms()
    assert claims.heartbeat == Heartbeat("client", "keepalive", 0.25, 120.0)
    assert claims.rate_limit is not None
    assert claims.rate_limit == RateLimit("room", "bucket", "drop", 5, 1.0, 8)
    assert claims.rate_limit.burst == 8
    assert dialect.claims["heartbeat"]["timeout"] == 120.0


def test_malformed_falls_back_to_default() -> None:
    claims = dialect_with("{malformed: {not_json: {close: 1007}, binary: close, default: error}}").claims_for({})
    assert claims.malformed_outcome("not_json") == Outcome("close", 1007)
    assert claims.malformed_outcome("binary") == Outcome("close")
    assert claims.malformed_outcome("oversize") == Outcome("error")


def test_native_numbers_come_from_the_server() -> None:
    native = load("native")
    claims = native.claims_for({"limits": LIMITS, "heartbeat": {"interval_ms": 20000, "timeout_ms": 15000}})
    assert claims.problems == ()
    assert claims.history is not None
    assert claims.history.bound == 100
    assert claims.rate_limit == RateLimit("user", "window", "error", 5, 1.0)
    assert claims.heartbeat == Heartbeat("server", "ping", 20.0, 15.0, "close", 4001)
    assert claims.connections == Connections(None, 8)
    assert claims.presence is not None
    assert claims.presence.grace == 5.0
    assert native.claims["history"]["bound"] == "{limits.history}"


@pytest.mark.parametrize("given", [True, "100", [], 1.5])
def test_numbers_that_are_none_are_problems(given: object) -> None:
    claims = load("native").claims_for({"limits": {**LIMITS, "history": given}, "heartbeat": {}})
    assert claims.history is not None
    assert claims.history.bound is None
    assert f"history.bound: the server gave {given!r}" in claims.problems
    assert "heartbeat.interval: the server gave no {heartbeat.interval_ms|seconds}" in claims.problems


def test_whatever_was_captured_nothing_is_raised() -> None:
    odd: list[Any] = [None, 1, "x", [], {"messages": 3, "history": {"a": 1}}]
    for limits in odd:
        assert load("native").claims_for({"limits": limits}).problems
