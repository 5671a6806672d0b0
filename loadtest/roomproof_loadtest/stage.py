"""What all users of one generator process share: board, dialect, names, and the pace that the server allows.

Made once when locust starts; only locust's process imports it.
"""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass, field
from typing import Any

import gevent

from roomproof_conformance.dialects import Dialect, load
from roomproof_conformance.judges.live import Violation

from .board import Board

_GOLDEN = 0.6180339887498949


@dataclass
class Stage:
    """`run` is a word that no other run has, `worker` one that no other process of this run has."""

    base: str
    dialect: Dialect
    board: Board
    parameters: dict[str, Any]
    run: str
    worker: str = "a"
    quiet: bool = False
    here: set[Any] = field(default_factory=set)  # the users that there are
    _count: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.random = random.Random(self.parameters["seed"])
        self._people = itertools.count()

    def name(self) -> str:
        """A user's name that nobody else has."""
        return f"u{self.run}{self.worker}{next(self._people)}"

    def index(self) -> int:
        """Counts the users of this process from 0."""
        return next(self._count)

    def room(self, number: int) -> str:
        return f"r{self.run}{self.worker}{number}"

    @property
    def hot_room(self) -> str:
        """The one room of all processes."""
        return f"hot{self.run}"

    def judged(self, number: int) -> bool:
        """Whether this room is one of those that are judged, spread evenly."""
        share: float = self.parameters["judge"]
        return share >= 1 or (number * _GOLDEN) % 1.0 < share

    def honest_rate(self) -> float:
        """Messages a second that a user may send without ever being refused, at most the wanted rate."""
        wanted: float = self.parameters["rate"]
        claims = self.board.crowd.claims
        limit = None if claims is None else claims.rate_limit
        if limit is None or not limit.allow or not limit.per:
            return wanted
        # Waits are between half and one and a half of the mean, so this many fall into a window at the most.
        most = (limit.allow - 1) / (2 * limit.per) if limit.allow > 1 else limit.allow / (2 * limit.per)
        if wanted > most:
            self.board.notes[f"--rate {wanted:g} is over what the server's limit allows; {most:g} is used"] = 1
        return min(wanted, most)

    def fence(self, patience: float) -> None:
        """Nobody sends any more: wait for what is on its way, judge what does not come."""
        self.quiet = True
        crowd = self.board.crowd
        until = time.monotonic() + patience + 3.0
        while time.monotonic() < until and crowd.pending() > 0:
            gevent.sleep(0.1)
            crowd.sweep(time.monotonic())
        gevent.sleep(0.05)
        crowd.sweep(time.monotonic())


def make(base: str, dialect: str, parameters: dict[str, Any], run: str, violated: Any) -> Stage:
    """The stage for this process. Raises DialectError for a bad dialect file."""

    def tell(violation: Violation) -> None:
        violated(violation)

    spoken = load(dialect)
    board = Board(spoken, patience=parameters["patience"], violated=tell)
    return Stage(base, spoken, board, parameters, run)
