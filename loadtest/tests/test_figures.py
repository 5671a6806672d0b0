"""Figures: percentiles never below the truth and never above the largest, sums over processes, and bounds on them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from roomproof_loadtest import thresholds
from roomproof_loadtest.figures import Histogram, Sheet
from roomproof_loadtest.parameters import PARAMETERS, from_environment, seconds, share
from roomproof_loadtest.result import own_limit


@pytest.mark.parametrize("seed", range(10))
def test_a_percentile_is_at_most_two_per_cent_above_the_truth(seed: int) -> None:
    rng = random.Random(seed)
    values = sorted(rng.lognormvariate(1, 2) for _ in range(2000))
    found = Histogram()
    for value in values:
        found.add(value)
    for p in (50.0, 90.0, 99.0, 99.9, 100.0):
        truth = values[max(0, -(-len(values) * int(p * 10) // 1000) - 1)]
        estimate = found.percentile(p)
        assert estimate is not None
        assert truth * 0.999 <= estimate <= truth * 1.021
    assert found.percentile(100) == max(values)


def test_one_slow_delivery_is_not_hidden() -> None:
    found = Histogram()
    for _ in range(999):
        found.add(1.0)
    found.add(5000.0)
    assert found.summary()["max"] == 5000
    assert found.percentile(99.95) == 5000


def test_sheets_add_up_over_processes_and_survive_json() -> None:
    a, b = Sheet(), Sheet()
    a.took("delivery", 1.0)
    b.took("delivery", 9.0)
    b.counts["sent"] += 2
    a.merge(Sheet.from_json(json.loads(json.dumps(b.as_json()))))
    assert a.latency["delivery"].count == 2
    assert a.latency["delivery"].most == 9.0
    assert a.counts["sent"] == 2


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("1m30s", 90), ("250ms", 0.25), ("2h", 7200), ("0.5s", 0.5)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


def test_parameters_come_from_the_environment_or_are_named() -> None:
    assert from_environment({"ROOMPROOF_LOAD_ROOM_SIZE": "7", "ROOMPROOF_LOAD_JUDGE": "50%"}) == {
        "room_size": 7,
        "judge": 0.5,
    }
    with pytest.raises(ValueError, match="ROOMPROOF_LOAD_BAD"):
        from_environment({"ROOMPROOF_LOAD_BAD": "lots"})
    with pytest.raises(ValueError, match="no share"):
        share("150%")
    assert len({p.option for p in PARAMETERS}) == len(PARAMETERS)


def result(**latency: float) -> dict[str, Any]:
    return {
        "violations": {"total": 3, "kinds": {"lost": 3}}, "counts": {"error:x": 2, "refused:rate": 1},
        "throughput": {"deliveries_per_s": 10, "sent_per_s": 1}, "own_lag": {"count": 1, "p99": 4.0}, "server": None,
        "latency": {"delivery": latency}, "own_limit": own_limit(latency, {"p50": 0.1, "p99": 4.0}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("lost=0", False),
        ("lost=3", True),
        ("leaked=0", True),
        ("violations=2", False),
        ("errors=2", True),
        ("p99_delivery=6ms", False),
        ("p99_delivery=1s", True),
        ("p50_delivery=5", True),
        ("server_cpu=50", False),
    ],
)
def test_thresholds(text: str, held: bool) -> None:
    assert thresholds.parse(text, most=True).judge(result(p50=5.0, p99=7.0))["held"] is held


def test_a_bound_that_the_generator_itself_may_have_broken_is_unclear() -> None:
    judged = thresholds.parse("p99_delivery=6ms", most=True).judge(result(p50=5.0, p99=7.0))
    assert (judged["held"], judged["unclear"]) == (False, True)


def test_the_generator_says_where_a_figure_is_its_own() -> None:
    found = own_limit({"p50": 5.0, "p99": 7.0}, {"p50": 0.1, "p99": 4.0})
    assert not found["clean"]
    assert len(found["says"]) == 1
    assert "limit of the generator" in found["says"][0]
