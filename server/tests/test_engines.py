"""What every engine must do, whatever it is made of. One list of engines, one set of behaviours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest

from roomproof_protocol import Limits
from roomproof_server.engine.base import (
    Conflict,
    Engine,
    Guest,
    Joined,
    Limited,
    Member,
    Present,
    Stale,
    Stored,
)
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Entry, Page, Tail

LIMITS = Limits.from_mapping({"history": 10, "dedup_ms": 5000, "room_ttl_ms": 90_000, "guest_ttl_ms": 60_000})


class Ear:
    """A sink that remembers, in the order of calls."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def message(self, entry: Entry) -> None:
        self.heard.append(entry)

    def presence(self, event: PresenceEvent) -> None:
        self.heard.append(event)

    def reset(self, epoch: str, head: int, reason: Literal["epoch_changed", "gap"]) -> None:
        self.heard.append((epoch, head, reason))


class Bench:
    """An engine with plain calls: each waits for its one answer."""

    def __init__(self, make: Callable[[Callable[[], float], Callable[[], int]], Engine]) -> None:
        self.ms = 50_000.0
        self.engine = make(lambda: self.ms, lambda: int(self.ms))
        self.ears: dict[str, Ear] = {}

    def _answer(self, operation: Callable[..., None], *args: Any, **kwargs: Any) -> Any:
        answers: list[Any] = []
        operation(*args, done=answers.append, **kwargs)
        assert len(answers) == 1
        return answers[0]

    def member(self, user: str, connection: int = 1) -> Member:
        return Member(f"{user}-{connection}", f"guest:{user}", user.title())

    def enter(self, user: str, room: str = "lobby", connection: int = 1) -> Joined:
        if room not in self.ears:
            self.ears[room] = Ear()
            self.engine.subscribe(room, self.ears[room])
        joined = self._answer(self.engine.join, room, self.member(user, connection), None, 100)
        assert isinstance(joined, Joined)
        return joined

    def exit(
        self, user: str, room: str = "lobby", connection: int = 1, *, linger: bool = False, last: bool = False
    ) -> None:
        if last:
            self.engine.unsubscribe(room)
            del self.ears[room]
        self.engine.leave(room, self.member(user, connection), linger=linger)

    def tail(self, after: dict[str, Any] | None = None, history: int = 100, room: str = "lobby") -> Tail:
        joined = self._answer(self.engine.join, room, self.member("reader"), after, history)
        assert isinstance(joined, Joined)
        return joined.tail

    def publish(self, user: str, text: str, mid: str | None = None, room: str = "lobby") -> Any:
        return self._answer(self.engine.publish, room, self.member(user), text, mid)

    def fill(self, count: int) -> None:
        """Messages of many users, so that no quota is in the way."""
        for n in range(count):
            assert isinstance(self.publish(f"filler{n}", f"text {n}"), Stored)

    def page(self, **query: Any) -> Any:
        query = {"epoch": None, "before": None, "after": None, "limit": 50} | query
        return self._answer(self.engine.page, "lobby", **query)

    def present(self, limit: int = 500) -> Present:
        present = self._answer(self.engine.present, "lobby", limit)
        assert isinstance(present, Present)
        return present

    def new_guest(self) -> Guest:
        guest = self._answer(self.engine.new_guest)
        assert isinstance(guest, Guest)
        return guest

    def find_guest(self, token: str) -> Guest | None:
        guest = self._answer(self.engine.find_guest, token)
        assert guest is None or isinstance(guest, Guest)
        return guest

    def passes(self, ms: float) -> None:
        self.ms += ms
        self.engine.sweep()

    def heard(self, room: str = "lobby") -> list[Any]:
        ear = self.ears[room]
        heard, ear.heard = ear.heard, []
        return heard


ENGINES: dict[str, Callable[[Callable[[], float], Callable[[], int]], Engine]] = {
    "memory": lambda now, wall: MemoryEngine(LIMITS, now=now, wall=wall),
}


@pytest.fixture(params=ENGINES)
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(ENGINES[request.param])


def test_a_message_is_stored_and_heard_with_the_same_numbers(bench: Bench) -> None:
    epoch = bench.enter("ann").tail.epoch
    bench.heard()
    for seq in (1, 2):
        stored = bench.publish("ann", f"text {seq}")
        assert stored == Stored(epoch, seq, stored.ts, duplicate=False)
        (entry,) = bench.heard()
        assert (entry.epoch, entry.seq, entry.ts) == (epoch, seq, stored.ts)
        assert json.loads(entry.payload) == {
            "type": "message", "room": "lobby", "epoch": epoch, "seq": seq, "ts": stored.ts,
            "from": {"id": "guest:ann", "name": "Ann"}, "text": f"text {seq}",
        }  # fmt: skip


def test_a_retry_gets_the_first_answer_and_is_not_heard(bench: Bench) -> None:
    """MSG-9, MSG-10, MSG-11."""
    bench.enter("ann")
    first = bench.publish("ann", "x", "mid-0001")
    bench.heard()
    assert bench.publish("ann", "x", "mid-0001") == Stored(first.epoch, first.seq, first.ts, duplicate=True)
    assert bench.publish("ann", "y", "mid-0001") == Conflict()
    assert bench.heard() == []
    assert not bench.publish("bob", "x", "mid-0001").duplicate
    bench.enter("ann", "other")
    assert not bench.publish("ann", "y", "mid-0001", room="other").duplicate


def test_a_retry_after_the_window_counts_as_new(bench: Bench) -> None:
    bench.enter("ann")
    bench.publish("ann", "x", "mid-0001")
    bench.passes(LIMITS.dedup_ms - 1)
    assert bench.publish("ann", "x", "mid-0001").duplicate
    bench.passes(1)
    assert bench.publish("ann", "x", "mid-0001").seq == 2


def test_the_quota_is_the_users_and_retries_are_free(bench: Bench) -> None:
    """RATE-3, RATE-5, RATE-9, MSG-16."""
    bench.enter("ann")
    bench.enter("ann", "other")
    for n in range(5):
        assert isinstance(bench.publish("ann", "x", f"mid-000{n}", room=("lobby", "other")[n % 2]), Stored)
    assert bench.publish("ann", "x", "mid-new1") == Limited(1000)
    assert bench.publish("ann", "x", "mid-0000").duplicate
    assert isinstance(bench.publish("bob", "x"), Stored)
    bench.passes(1000)
    assert not bench.publish("ann", "other text", "mid-new1").duplicate


def test_exactly_the_last_messages_are_kept(bench: Bench) -> None:
    """HIST-2, HIST-5..8; the details are the stream's own tests."""
    epoch = bench.enter("ann").tail.epoch
    bench.fill(25)
    tail = bench.tail(history=3)
    assert (tail.head, tail.first, len(tail.messages)) == (25, 16, 3)
    recovered = bench.tail({"epoch": epoch, "seq": 20}, history=0)
    assert (recovered.recovered, len(recovered.messages)) == (True, 5)
    page = bench.page(before=20, limit=2, epoch=epoch)
    assert isinstance(page, Page)
    assert ([json.loads(m)["seq"] for m in page.messages], page.more) == ([18, 19], True)
    assert bench.page(epoch="another") == Stale()


def test_presence_of_users_not_connections(bench: Bench) -> None:
    """PRES-1..3."""
    assert bench.enter("ann").count == 1
    assert bench.enter("ann", connection=2).count == 1
    assert bench.enter("bob").count == 2
    assert [event.event for event in bench.heard()] == ["join", "join"]
    assert sorted(bench.present().members) == [("guest:ann", "Ann"), ("guest:bob", "Bob")]
    assert (len(bench.present(1).members), bench.present(1).count) == (1, 2)
    bench.exit("ann")
    assert bench.heard() == []
    bench.exit("ann", connection=2, linger=True)
    bench.passes(LIMITS.presence_grace_ms - 1)
    assert (bench.heard(), bench.present().count) == ([], 2)
    bench.passes(1)
    assert bench.heard() == [PresenceEvent("leave", "guest:ann", "Ann", 1)]
    bench.exit("bob", linger=False)
    assert bench.heard() == [PresenceEvent("leave", "guest:bob", "Bob", 0)]


def test_who_is_back_within_the_grace_was_never_gone(bench: Bench) -> None:
    """RES-11; and a second loss starts a new grace."""
    bench.enter("ann")
    bench.heard()
    bench.exit("ann", linger=True)
    bench.passes(4000)
    bench.enter("ann", connection=2)
    bench.passes(4000)
    bench.exit("ann", connection=2, linger=True)
    bench.passes(4000)
    assert (bench.heard(), bench.present().count) == ([], 1)
    bench.passes(1000)
    assert [event.event for event in bench.heard()] == ["leave"]


def test_a_room_outlives_its_last_member_for_its_time_to_live(bench: Bench) -> None:
    """HIST-11, LIMIT-7."""
    epoch = bench.enter("ann").tail.epoch
    bench.publish("ann", "x")
    for _ in range(2):
        bench.exit("ann", last=True)
        bench.passes(LIMITS.room_ttl_ms - 1)
        tail = bench.enter("ann").tail
        assert (tail.epoch, tail.head) == (epoch, 1)
    bench.passes(10 * LIMITS.room_ttl_ms)  # members keep it
    assert bench.tail().epoch == epoch
    bench.exit("ann", last=True)
    bench.passes(LIMITS.room_ttl_ms)
    tail = bench.enter("ann").tail
    assert tail.epoch != epoch
    assert (tail.head, tail.first, tail.messages) == (0, 1, [])


def test_a_guest_is_the_same_while_connected_and_for_a_while_after(bench: Bench) -> None:
    """AUTH-7, AUTH-12, AUTH-13."""
    guest, other = bench.new_guest(), bench.new_guest()
    assert guest.id.startswith("guest:")
    assert (guest.id, guest.token) != (other.id, other.token)
    assert len(guest.token) * 6 >= 128
    bench.passes(3 * LIMITS.guest_ttl_ms)
    assert bench.find_guest(guest.token) == guest
    bench.engine.release_guest(guest.token)
    bench.passes(3 * LIMITS.guest_ttl_ms)
    assert bench.find_guest(guest.token) == guest
    for _ in range(2):
        bench.engine.release_guest(guest.token)
    bench.passes(LIMITS.guest_ttl_ms - 1)
    assert bench.find_guest(guest.token) == guest
    bench.engine.release_guest(guest.token)
    bench.passes(LIMITS.guest_ttl_ms)
    assert bench.find_guest(guest.token) is None
    assert bench.find_guest("") is None
    assert bench.find_guest(other.token[:-1]) is None
