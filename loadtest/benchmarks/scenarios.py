"""What is asked of every server. Every sender stays below five messages a second, the quota of roomproof.v1."""

from __future__ import annotations

from dataclasses import dataclass

SIZE = 60
# A delivered frame of roomproof.v1 names epoch, time and sender beside the text; peers get as many bytes of text more,
# so that all send frames of the same size.
MORE = 115


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rooms`` of ``members`` each, ``rate`` messages a second over all of them."""

    name: str
    title: str
    rooms: int
    members: int
    rate: float
    senders: int | None = None  # of each room; None for all members


FAN_OUT = {
    scenario.name: scenario
    for scenario in (
        Scenario("a", "1 room x 50, 100 messages/s", 1, 50, 100),
        Scenario("b", "1 room x 1,000, 8 messages/s", 1, 1000, 8),
        Scenario("c", "200 rooms x 10, 500 messages/s", 200, 10, 500),
        # At exactly five a second a millisecond of jitter would be a refusal: 400 of the 500 send twice a second.
        Scenario("h", "hot: 1 room x 500, 800 messages/s", 1, 500, 800, 400),
    )
}

SQLITE = Scenario("ack", "100 rooms x 10, 1,000 messages/s", 100, 10, 1000)
SLOW = FAN_OUT["a"]
IDLE_CONNECTIONS, IDLE_ROOM = 10_000, 10
STORM_JOINS, STORM_S = 1_000, 2.0
