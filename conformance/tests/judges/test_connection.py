"""Judges of the connection itself."""

from __future__ import annotations

import pytest
from transcripts import Script

from roomproof_conformance.judges import Ends, Opens, Pings, Pongs, Silent, Stays


def test_opens() -> None:
    script = Script()
    script.opened(0.0, "a")
    script.opened(0.0, "b", 403)
    assert script.judged(Opens("a")).outcome == "holds"
    assert script.judged(Opens("b")).outcome == "broken"
    assert script.judged(Opens("b", [403])).outcome == "holds"
    assert script.judged(Opens("c")).outcome == "broken"


@pytest.mark.parametrize(
    ("end", "judge", "outcome"),
    [
        ((3.0, 4001), Ends("a", codes=[4001], earliest=1.0, latest=4.0), "holds"),
        ((3.0, 4001), Ends("a", codes=[4002]), "broken"),
        ((0.5, 4001), Ends("a", codes=[4001], earliest=1.0), "broken"),
        ((5.0, 4001), Ends("a", codes=[4001], latest=4.0), "broken"),
        ((3.0, None), Ends("a", codes=[4001]), "broken"),
    ],
)
def test_ends(end: tuple[float, int | None], judge: Ends, outcome: str) -> None:
    script = Script()
    script.opened(0.0, "a")
    script.end(end[0], "a", code=end[1], how="close" if end[1] else "eof")
    assert script.judged(judge).outcome == outcome


def test_a_bare_end_of_tcp_counts_where_allowed() -> None:
    script = Script()
    script.end(1.0, "a", how="eof")
    assert script.judged(Ends("a", codes=[4001], tcp=True)).outcome == "holds"


def test_late_by_less_than_the_noise_is_unclear() -> None:
    script = Script()
    script.end(4.2, "a", code=4001)
    script.add(4.3, "", "noise", seconds=0.3)
    assert script.judged(Ends("a", latest=4.0)).outcome == "unclear"


def test_the_kits_own_end_is_none_of_the_servers() -> None:
    script = Script()
    script.opened(0.0, "a")
    script.end(1.0, "a", code=1000, by="kit")
    assert script.judged(Ends("a")).outcome == "broken"
    assert script.judged(Stays("a")).outcome == "holds"


def test_stays() -> None:
    script = Script()
    assert script.judged(Stays("a")).outcome == "unclear"
    script.opened(0.0, "a")
    until = script.mark(1.0)
    script.end(2.0, "a", code=1001)
    assert script.judged(Stays("a", until)).outcome == "holds"
    assert script.judged(Stays("a")).outcome == "broken"


def test_pings() -> None:
    script = Script()
    begin = script.mark(0.0)
    for t in (0.9, 1.9, 2.8):
        script.frame(t, "a", 9)
    end = script.mark(3.5)
    assert script.judged(Pings("a", begin, end, 1.5)).outcome == "holds"
    assert script.judged(Pings("a", begin, end, 0.8)).outcome == "broken"
    assert script.judged(Pings("b", begin, end, 1.5)).outcome == "broken"
    assert script.judged(Pings("b", begin, end, 5.0)).outcome == "unclear"


def test_pongs() -> None:
    script = Script()
    ping = script.frame(0.0, "a", 9, "sent", text="x", length=1)
    script.frame(0.1, "a", 10, text="y", length=1)
    finding = script.judged(Pongs("a", ping))
    assert finding.outcome == "broken"
    assert "'y'" in finding.seen
    script.frame(0.2, "a", 10, text="x", length=1)
    assert script.judged(Pongs("a", ping)).outcome == "holds"
    assert script.judged(Pongs("a", ping, within=0.1)).outcome == "broken"


def test_silent() -> None:
    script = Script()
    after = script.mark(0.0)
    script.frame(0.1, "a", 10)
    assert script.judged(Silent("a", after)).outcome == "holds"
    script.frame(0.2, "a", 1, text="hello")
    assert script.judged(Silent("a", after)).outcome == "broken"
