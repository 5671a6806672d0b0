"""What every engine must do, whatever it is made of. One list of engines, one set of behaviours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roomproof_protocol import Limits
from roomproof_server.engine.base import Conflict, Limited, Stale, Stored
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Page

LIMITS = Limits.from_mapping({"history": 10, "dedup_ms": 5000, "room_ttl_ms": 90_000, "guest_ttl_ms": 60_000})


@pytest.fixture(params=["memory", "sqlite", "redis"])
def bench(request: pytest.FixtureRequest, make_bench: Any) -> Any:
    return make_bench(request.param, LIMITS)


def test_a_message_is_stored_and_heard_with_the_same_numbers(bench: Any) -> None:
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


def test_a_retry_gets_the_first_answer_and_is_not_heard(bench: Any) -> None:
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


def test_a_retry_after_the_window_counts_as_new(bench: Any) -> None:
    bench.enter("ann")
    bench.publish("ann", "x", "mid-0001")
    bench.passes(LIMITS.dedup_ms - 1)
    assert bench.publish("ann", "x", "mid-0001").duplicate
    bench.passes(1)
    assert bench.publish("ann", "x", "mid-0001").seq == 2


def test_the_quota_is_the_users_and_retries_are_free(bench: Any) -> None:
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


def test_exactly_the_last_messages_are_kept(bench: Any) -> None:
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


def test_presence_of_users_not_connections(bench: Any) -> None:
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


def test_who_is_back_within_the_grace_was_never_gone(bench: Any) -> None:
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


def test_a_room_outlives_its_last_member_for_its_time_to_live(bench: Any) -> None:
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
    bench.exit("reader")  # who looked at the tail
    bench.exit("ann", last=True)
    bench.passes(LIMITS.room_ttl_ms)
    tail = bench.enter("ann").tail
    assert tail.epoch != epoch
    assert (tail.head, tail.first, tail.messages) == (0, 1, [])


def test_a_guest_is_the_same_while_connected_and_for_a_while_after(bench: Any) -> None:
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
