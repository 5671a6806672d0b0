"""A room's members around a join that takes its time, and around a reset."""

from __future__ import annotations

from typing import Any

import pytest

from roomproof_server.hub import BUSY_MS, CROWD_MS, Room
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Entry


class Ear:
    """A listener that keeps the frames."""

    def __init__(self, user: str) -> None:
        self.user_id = user
        self.heard: list[bytes] = []

        self.apart = False

    def send(self, frame: bytes) -> None:
        self.heard.append(frame)

    keep = write = send

    def flush(self) -> None:
        pass

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


class Slowly:
    """A hub's clock and its timers, moved by hand."""

    def __init__(self, hub: Any) -> None:
        self.ms, self._calls = 1_000_000.0, list[tuple[float, Any]]()
        hub.now, hub.later = lambda: self.ms, lambda delay, call: self._calls.append((self.ms + delay, call))

    def passes(self, ms: float) -> None:
        self.ms += ms
        due = [call for at, call in self._calls if at <= self.ms]
        self._calls = [(at, call) for at, call in self._calls if at > self.ms]
        for call in due:
            call()


@pytest.fixture
def slowly(house: Any) -> Slowly:
    return Slowly(house.hub)


def member(room: Room, user: str) -> Ear:
    ear = Ear(user)
    room.hold(ear)
    room.admit(ear, b"joined ", 0, already=False)
    return ear


def test_a_quiet_room_hears_it_in_this_turn_a_busy_one_at_most_once_a_window(room: Room, slowly: Slowly) -> None:
    ear = member(room, "ann")
    slowly.passes(0)
    ear.take()
    room.message(entry(1))
    slowly.passes(0)
    assert ear.take() == ["1"]
    for seq in (2, 3, 4):
        room.message(entry(seq))
        slowly.passes(1)
        assert ear.take() == []
    slowly.passes(BUSY_MS)
    assert ear.take() == ["234"]
    slowly.passes(BUSY_MS)
    room.message(entry(5))
    slowly.passes(0)
    assert ear.take() == ["5"]


def test_a_timer_that_fires_early_does_not_strand_the_batch(room: Room, slowly: Slowly) -> None:
    ear = member(room, "ann")
    slowly.passes(0)
    room.message(entry(1))
    slowly.passes(0)
    room.message(entry(2))
    ear.take()
    room._write_if_due()
    assert ear.take() == []
    slowly.passes(BUSY_MS + 1)
    assert ear.take() == ["2"]


def test_newcomers_wait_for_nobody_and_hear_nothing_of_before(room: Room, slowly: Slowly) -> None:
    """A message does not wait as long as the news of who came; what was waiting before a join is not for it."""
    ann = member(room, "ann")
    slowly.passes(0)
    ann.take()
    for _ in range(2):
        room.presence(COMING)
        slowly.passes(0)
    assert ann.take() == ["presence"]
    bob = member(room, "bob")
    room.message(entry(1))
    slowly.passes(BUSY_MS)
    assert ann.take() == ["presence"]  # with the message behind it
    assert bob.take() == ["joined ", "1"]


def test_a_reply_overtakes_nothing_of_its_room(room: Room, slowly: Slowly) -> None:
    ann, bob = member(room, "ann"), member(room, "bob")
    slowly.passes(0)
    room.message(entry(1))
    slowly.passes(0)
    ann.take(), bob.take()
    room.message(entry(2))
    room.stand_aside(ann)
    ann.send(b"reply")
    room.message(entry(3))
    assert ann.take() == ["2", "reply", "3"]
    slowly.passes(BUSY_MS)
    assert ann.take() == []
    assert bob.take() == ["23"]


def test_who_goes_has_heard_what_was_said_before(room: Room, slowly: Slowly) -> None:
    ann, bob = member(room, "ann"), member(room, "bob")
    slowly.passes(0)
    room.message(entry(1))
    slowly.passes(0)
    ann.take(), bob.take()
    room.message(entry(2))
    room.drop(ann)
    room.message(entry(3))
    slowly.passes(BUSY_MS)
    assert ann.take() == ["2"]
    assert bob.take() == ["23"]


def test_who_stands_apart_gets_every_frame_through_its_queue_until_it_does_not(room: Room, slowly: Slowly) -> None:
    ann = member(room, "ann")
    slowly.passes(0)
    ann.apart = True
    room.stand_aside(ann)
    ann.take()
    room.message(entry(1))
    assert ann.take() == ["1"]
    ann.apart = False
    slowly.passes(BUSY_MS)
    room.message(entry(2))
    assert ann.take() == []
    slowly.passes(BUSY_MS)
    assert ann.take() == ["2"]


def test_many_newcomers_are_told_of_together(room: Room, slowly: Slowly) -> None:
    """The half a million frames of a thousand joins go out in few writes."""
    ann = member(room, "ann")
    slowly.passes(CROWD_MS)
    ann.take()
    for count in range(50):
        member(room, f"user-{count}")
        room.presence(COMING)
        slowly.passes(1)
    slowly.passes(CROWD_MS)
    assert len(ann.take()) <= 4


def test_a_connection_that_is_lost_takes_nothing_from_the_others(room: Room, slowly: Slowly) -> None:
    """DISC-2: between the loss and the news of it a transport may refuse to write."""

    class Lost(Ear):
        def write(self, frame: bytes) -> None:
            raise RuntimeError("the handler is closed")

    lost = Lost("lost")
    room.hold(lost)
    room.admit(lost, b"joined ", 0, already=False)
    ann = member(room, "ann")
    slowly.passes(CROWD_MS)
    ann.take()
    room.message(entry(1))
    slowly.passes(BUSY_MS)
    assert ann.take() == ["1"]
