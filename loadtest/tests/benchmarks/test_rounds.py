"""What is made of samples: turns, medians, ratios within a round, exponents."""

from __future__ import annotations

import pytest
from benchmarks.processes import Failed
from benchmarks.rounds import exponent, interleaved, ratio, summed_up
from benchmarks.samples import Sample


def test_every_second_round_goes_the_other_way_about() -> None:
    order: list[str] = []

    def measure(name: str) -> Sample:
        order.append(name)
        return {"cpu_us": 1.0}

    samples = interleaved(["one", "two", "three"], 3, measure, lambda _: None)
    assert order == ["one", "two", "three", "three", "two", "one", "one", "two", "three"]
    assert [sample["round"] for sample in samples["two"]] == [0, 1, 2]


def test_who_fails_is_told_and_left_out_of_the_round() -> None:
    told: list[str] = []

    def measure(name: str) -> Sample:
        raise Failed("it did not start")

    assert interleaved(["one"], 1, measure, told.append) == {"one": []}
    assert told == ["  one: it did not start"]


def test_ratios_are_made_within_a_round() -> None:
    slow_hour = [{"round": 0, "cpu_us": 2.0}, {"round": 1, "cpu_us": 20.0}]
    floor = [{"round": 0, "cpu_us": 1.0}, {"round": 1, "cpu_us": 10.0}, {"round": 2, "cpu_us": 5.0}]
    assert ratio(slow_hour, floor) == 2.0
    assert ratio([], floor) is None


def test_medians_and_what_must_not_be_lost_in_them() -> None:
    samples = [{"round": n, "cpu_us": us, "lost": lost} for n, (us, lost) in enumerate([(1.0, 0), (9.0, 0), (2.0, 3)])]
    found = summed_up(samples)
    assert found["cpu_us"] == 2.0
    assert found["lost"] == 3
    assert found["rounds"] == 3


def test_the_exponent_of_a_power() -> None:
    assert exponent([(x, 7 * x**1.5) for x in (10, 100, 1000)]) == pytest.approx(1.5)
