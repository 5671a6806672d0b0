"""What only the memory engine does."""

from __future__ import annotations

from typing import Any

import pytest

from roomproof_protocol import Limits
from roomproof_server.engine.base import Member
from roomproof_server.engine.memory import BARREN_MS, MemoryEngine
from roomproof_server.rules import stream

ANN = Member("c", "guest:ann", "Ann")


class Ear:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def message(self, entry: Any) -> None:
        self.heard.append(entry)

    def presence(self, event: Any) -> None:
        pass

    def reset(self, *told: Any) -> None:
        self.heard.append(told)


def join(engine: MemoryEngine, ear: Ear | None) -> str:
    answers: list[Any] = []
    if ear is not None:
        engine.subscribe("lobby", ear)
    engine.join("lobby", ANN, None, 0, answers.append)
    return str(answers[0].tail.epoch)


def test_a_room_in_which_nothing_was_sent_is_forgotten_sooner() -> None:
    ms = [0.0]
    engine = MemoryEngine(Limits(), now=lambda: ms[0], wall=lambda: 0)
    epoch = join(engine, Ear())
    engine.unsubscribe("lobby")
    engine.leave("lobby", ANN, linger=False)
    ms[0] = BARREN_MS - 1
    engine.sweep()
    assert join(engine, Ear()) == epoch
    engine.unsubscribe("lobby")
    ms[0] += BARREN_MS
    engine.sweep()
    assert join(engine, Ear()) != epoch


def test_the_epoch_rolls_before_a_number_passes_two_to_the_53(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 9: seq overflow."""
    monkeypatch.setattr(stream, "MAX_SEQ", 2)
    engine = MemoryEngine(Limits(), now=lambda: 0, wall=lambda: 0)
    ear = Ear()
    first = join(engine, ear)
    answers: list[Any] = []
    for _ in range(3):
        engine.publish("lobby", ANN, "x", None, answers.append)
    assert [(a.epoch == first, a.seq) for a in answers] == [(True, 1), (True, 2), (False, 1)]
    assert ear.heard[2] == (answers[2].epoch, 0, "epoch_changed")
    assert ear.heard[3].seq == 1
