"""What every scenario's user does: come, join, talk at its pace, come back when it was thrown out, and go.

A scenario is a class of locust with a docstring that says what it stands for; it overrides what differs.
"""

from __future__ import annotations

import random
import time
from typing import Any, ClassVar

import gevent
from locust import User, task
from locust.exception import StopUser

from roomproof_loadtest.stage import Stage
from roomproof_loadtest.user import Refused, Voice, waits

BACK_OFF = 0.2
"""Seconds after the first failed attempt to connect; twice as long after each further one, 2 s at the most."""


class ChatUser(User):
    """One user who is in one room (or a few) and talks. Set `stage` before locust makes the first."""

    abstract = True
    stage: ClassVar[Stage]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stage = type(self).stage
        self.index = stage.index()
        self.rng = random.Random(f"{stage.parameters['seed']}-{stage.worker}-{self.index}")
        self.rooms = self.choose_rooms()
        self.failures = 0
        self.inside = False
        self.voice = self.make_voice()
        stage.here.add(self)

    # -- what scenarios choose ------------------------------------------------------------------------

    def choose_rooms(self) -> list[str]:
        """Rooms fill up one after the other; with several each, a user is in neighbouring ones."""
        size = max(1, self.stage.parameters["room_size"])
        many = self.stage.dialect.rooms_per_connection == "many"
        number = self.index // size
        others = self.stage.parameters["rooms_per_user"] - 1 if many else 0
        return [self.stage.room(number + step) for step in range(1 + others)]

    def judged(self) -> bool:
        return self.stage.judged(self.index // max(1, self.stage.parameters["room_size"]))

    def make_voice(self) -> Voice:
        return self.new_voice()

    def new_voice(self, **given: Any) -> Voice:
        stage = self.stage
        return Voice(
            stage.name(), stage.dialect, stage.base, stage.board,
            judged=given.pop("judged", self.judged()), patience=stage.parameters["patience"], **given,
        )  # fmt: skip

    def is_bad(self) -> bool:
        """Whether this user is one of the `bad` share: evenly spread over the rooms."""
        share: float = self.stage.parameters["bad"]
        return share > 0 and int((self.index + 1) * share) > int(self.index * share)

    # -- locust's side --------------------------------------------------------------------------------

    def on_start(self) -> None:
        gevent.sleep(self.rng.uniform(0, 0.2))  # those of one batch do not come in step
        self.enter()

    def on_stop(self) -> None:
        self.stage.here.discard(self)
        self.voice.close()
        self.stage.board.forget(self.voice.name)

    def wait_time(self) -> float:
        return waits(self.rng, self.pace())

    def pace(self) -> float:
        """Messages a second."""
        return self.stage.honest_rate()

    @task
    def turn(self) -> None:
        """What locust calls between two waits."""
        if not self.stage.quiet:
            self.step()

    def step(self) -> None:
        """Come back if the connection is gone, and act."""
        if self.voice.open or self.enter(resume=True):
            self.act()

    def break_off(self) -> None:
        """Cut the connection, as a network does."""
        self.voice.vanish()

    def act(self) -> None:
        self.voice.say(self.rng.choice(self.rooms), self.stage.parameters["size"])

    def enter(self, *, resume: bool = False) -> bool:
        """Connect and join, with a wait after a failure; False when it did not work."""
        began = time.monotonic()
        self.inside = False
        try:
            self.voice.connect(self.rooms[0])
            for room in self.rooms:
                if self.stage.dialect.offers("join") and not self.voice.join(room, resume=resume, **self.join_with()):
                    self.stage.board.count("join failed")
            self.failures, self.inside = 0, True
            self.stage.board.took("enter", time.monotonic() - began)
            return True
        except Refused as refusal:
            self.failures += 1
            self.stage.board.count("connect failed")
            self.stage.board.notes[str(refusal)[:160]] += 1
            gevent.sleep(min(2.0, BACK_OFF * 2 ** min(self.failures, 5)) * self.rng.uniform(0.5, 1.0))
            return False

    def join_with(self) -> dict[str, Any]:
        return {}


__all__ = ["ChatUser", "StopUser"]
