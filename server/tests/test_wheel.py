"""The wheel: never early, hardly late, and only the last deadline counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roomproof_server.shell.wheel import SLOT_MS, Wheel


class Alarm:
    def __init__(self, again: float | None = None) -> None:
        self.slot = 0
        self.again = again
        self.fired: list[float] = []

    def on_timer(self, now: float) -> float | None:
        self.fired.append(now)
        return None if self.again is None else now + self.again


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=5), st.integers(1, 350))
def test_the_last_deadline_counts(deadlines: list[float], step: int) -> None:
    start = 12_345.6
    wheel, alarm, now = Wheel(start), Alarm(), start
    for deadline in deadlines:
        wheel.at(start + deadline, alarm)
    while now < start + 6000:
        now += step
        wheel.turn(now)
    assert len(alarm.fired) == 1
    late = alarm.fired[0] - (start + deadlines[-1])
    assert 0 <= late <= SLOT_MS + max(step, SLOT_MS)


def test_it_comes_again_as_asked() -> None:
    wheel, alarm = Wheel(0), Alarm(again=500)
    wheel.at(500, alarm)
    for now in range(0, 5000, 50):
        wheel.turn(now)
    assert 8 <= len(alarm.fired) <= 9
