"""A day of a chat service in a minute: its number of users is a curve."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

from locust import LoadTestShape

from roomproof_loadtest.parameters import PREFIX

from .base import ChatUser

DAY = ((0.0, 0.1), (0.25, 0.6), (0.5, 0.6), (0.55, 1.0), (0.7, 1.0), (0.75, 0.5), (0.95, 0.1))
"""Share of the time and share of the users: ramp, plateau, spike, drain; straight lines between."""


def share_at(moment: float) -> float:
    """The share of the users that are there at a share of the time."""
    for (t0, u0), (t1, u1) in pairwise(DAY):
        if moment < t1:
            return u0 + (u1 - u0) * max(0.0, moment - t0) / (t1 - t0)
    return DAY[-1][1]


class MixedDay(ChatUser):
    """A ramp in the morning, a plateau, a spike in the evening, a drain: what a day looks like, in short.

    It stands for change: users come and go all the time while the others talk. One in ten scrolls back in between,
    one in twenty leaves the room and joins it again.
    """

    def act(self) -> None:
        chance, room, dialect = self.rng.random(), self.rooms[0], self.stage.dialect
        if chance < 0.1 and dialect.offers("history"):
            self.voice.wait(self.voice.ask("history", room))
        elif chance < 0.15 and dialect.offers("leave") and not dialect.room_in_url:
            op = self.voice.ask("leave", room)
            self.voice.wait(op)
            if not self.stage.quiet and self.voice.open:
                self.voice.join(room)
        else:
            super().act()


class DayShape(LoadTestShape):
    """The curve of `DAY` over the run's time and users."""

    seconds = float(os.environ.get(PREFIX + "TIME") or 60)
    most = int(os.environ.get(PREFIX + "USERS") or 100)

    def tick(self) -> tuple[int, float] | None:
        """How many users there are now, and how fast they come or go; None at the end."""
        clock: Any = self  # locust is typed in parts
        gone = float(clock.get_run_time())
        if gone >= self.seconds:
            return None
        return max(1, round(self.most * share_at(gone / self.seconds))), max(5.0, self.most / 5.0)


__all__ = ["DAY", "DayShape", "MixedDay", "share_at"]
