"""A room's members around a join that takes its time, and around a reset."""

from __future__ import annotations

from typing import Any

import pytest

from roomproof_server.hub import Room
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Entry


class Ear:
    """A listener that keeps the frames."""

    def __init__(self, user: str) -> None:
        self.user_id = user
        self.heard: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.heard.append(frame)

    def take(self) -> list[str]:
        """The kinds of the frames, messages by their number."""
        heard, self.heard = self.heard, []
        kinds = ("reset", "presence")
        return [next((kind for kind in kinds if kind in frame.decode()), frame.decode()) for frame in heard]


def entry(seq: int) -> Entry:
    return Entry("e", seq, 0, "guest:else", None, b"%d" % seq)


COMING = PresenceEvent("join", "guest:else", "Else", 3)


@pytest.fixture
def room(house: Any) -> Room:
    made: Room = house.hub.room("lobby")
    return made


def test_a_new_member_hears_what_its_answer_does_not_tell(room: Room) -> None:
    """HIST-4, ROOM-4."""
    ear = Ear("ann")
    room.hold(ear)
    room.message(entry(1))
    room.presence(COMING)
    room.message(entry(2))
    assert ear.take() == []
    room.admit(ear, b"joined", 1, already=False)
    assert ear.take() == ["joined", "presence", "2"]
    room.message(entry(3))
    assert ear.take() == ["3"]


def test_a_member_that_joins_again_misses_nothing(room: Room) -> None:
    """MSG-2, MSG-5."""
    ear = Ear("ann")
    room.hold(ear)
    room.admit(ear, b"joined", 0, already=False)
    room.hold(ear)
    room.message(entry(1))
    room.message(entry(2))
    room.admit(ear, b"joined", 1, already=True)
    assert ear.take() == ["joined", "1", "joined", "2"]
    room.hold(ear)
    room.message(entry(3))
    room.refuse(ear, already=True)
    assert ear.take() == ["3"]


def test_after_a_reset_presence_but_no_messages(room: Room) -> None:
    """ROOM-12, PRES-2; a refused join changes nothing."""
    ear = Ear("ann")
    room.hold(ear)
    room.admit(ear, b"joined", 0, already=False)
    room.reset("next", 0, "epoch_changed")
    room.message(entry(1))
    room.presence(COMING)
    assert ear.take() == ["joined", "reset", "presence"]
    room.hold(ear)
    room.refuse(ear, already=True)
    room.message(entry(2))
    assert ear.take() == []
    room.hold(ear)
    room.admit(ear, b"joined", 2, already=True)
    room.message(entry(3))
    assert ear.take() == ["joined", "3"]


def test_after_a_reset_no_message_comes_before_the_answer(room: Room) -> None:
    """ROOM-12, where messages come while a join is answered that speaks of them."""
    ear = Ear("ann")
    room.hold(ear)
    room.admit(ear, b"joined", 0, already=False)
    room.reset("f", 0, "epoch_changed")
    room.hold(ear)
    room.message(entry(1))
    room.message(entry(2))
    ear.take()
    room.admit(ear, b"joined", 1, already=True)
    assert ear.take() == ["joined", "2"]


def test_a_reset_while_a_join_is_answered(room: Room) -> None:
    ear = Ear("ann")
    room.hold(ear)
    room.message(entry(1))
    room.reset("next", 0, "gap")
    room.presence(COMING)
    room.message(entry(1))
    room.admit(ear, b"joined", 0, already=False)
    assert ear.take() == ["joined", "presence", "reset"]
    room.message(entry(2))
    assert ear.take() == []
    room.drop(ear)
    assert room.size == 0
