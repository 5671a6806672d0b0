"""Plain integers, and histograms as OpenMetrics counts them."""

from __future__ import annotations

from typing import Any

from roomproof_server.counters import Counters, Histogram


def test_histogram() -> None:
    histogram = Histogram((1.0, 10.0), [0, 1, 1.5, 10, 11])
    assert histogram.cumulative() == [("1.0", 2), ("10.0", 4), ("+Inf", 5)]
    assert histogram.total == 23.5


def test_what_a_session_does_is_counted(house: Any) -> None:
    ann, bob = house.guest("Ann", "lobby"), house.guest("Bob", "lobby")
    counters: Counters = house.hub.counters
    ann.ask("send", room="lobby", text="x", mid="m-000001")
    ann.ask("send", room="lobby", text="x", mid="m-000001")
    ann.ask("join", room="lobby", after={"epoch": "none", "seq": 0})
    bob.raw("{")
    bob.ask("send", room="other", text="x")
    assert counters.deliveries == 2
    assert counters.messages == {"stored": 1, "duplicate": 1}
    assert counters.joins == {"fresh": 2, "epoch_changed": 1}
    assert counters.refused == {"invalid_json": 1, "not_joined": 1}
    assert counters.refused_last["not_joined"] == bob.session.conn
    assert sum(counters.commit.counts) == 1
