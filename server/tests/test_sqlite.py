"""What the engine on a file does beyond what all engines do: it comes back."""

from __future__ import annotations

import gc
import json
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from roomproof_protocol import Limits
from roomproof_server.engine.base import Conflict, Joined, Limited, Stored
from roomproof_server.engine.stores import parse_store

LIMITS = Limits.from_mapping({"history": 10, "dedup_ms": 5000, "room_ttl_ms": 90_000, "guest_ttl_ms": 60_000})


@pytest.fixture
def bench(make_bench: Any) -> Any:
    return make_bench("sqlite", LIMITS)


def again(bench: Any, how: str, **options: Any) -> None:
    bench.restart(**options) if how == "stopped" else bench.killed(**options)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_history_numbers_and_epoch_come_back(bench: Any, how: str) -> None:
    """HIST-10, DISC-6, MSG-18, RES-1."""
    epoch = bench.enter("ann").tail.epoch
    bench.fill(25)
    before = bench.tail()
    again(bench, how)
    assert bench.engine.durability == "disk"
    after = bench.enter("ann").tail
    assert (after, after.epoch, after.head, after.first) == (before, epoch, 25, 16)
    assert bench.tail({"epoch": epoch, "seq": 20}).recovered
    assert bench.publish("ann", "on").seq == 26


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_retry_after_a_restart_is_known_for_the_rest_of_its_window(bench: Any, how: str) -> None:
    """MSG-9, MSG-10, MSG-14: also when the message itself has left the history."""
    bench.enter("ann")
    first = bench.publish("ann", "x", "mid-0001")
    bench.fill(15)
    bench.passes(1000)
    again(bench, how, after=1000)
    bench.enter("ann")
    assert bench.publish("ann", "x", "mid-0001") == Stored(first.epoch, first.seq, first.ts, duplicate=True)
    assert bench.publish("ann", "y", "mid-0001") == Conflict()
    bench.passes(2999)
    assert bench.publish("ann", "x", "mid-0001").duplicate
    bench.passes(1)
    assert bench.publish("ann", "x", "mid-0001").seq == 17


@pytest.mark.parametrize("step", [-3_600_000, 3_600_000])
def test_a_clock_that_was_set_between_two_starts(bench: Any, step: int) -> None:
    """MSG-8; the window is never longer than ``dedup_ms``, guests and rooms live no longer than they may."""
    bench.enter("ann")
    first = bench.publish("ann", "x", "mid-0001")
    guest = bench.new_guest()
    bench.engine.release_guest(guest.token)
    bench.exit("ann", last=True)
    bench.restart(after=step)
    if step > 0:  # nobody can know that it was not an hour
        assert bench.find_guest(guest.token) is None
        assert bench.enter("ann").tail.epoch != first.epoch
        return
    assert bench.enter("ann").tail.head == 1
    assert bench.publish("ann", "x", "mid-0001").duplicate
    bench.passes(LIMITS.dedup_ms)
    assert bench.publish("ann", "x", "mid-0001") == Stored(first.epoch, 2, first.ts, duplicate=False)
    bench.passes(LIMITS.guest_ttl_ms - LIMITS.dedup_ms)
    assert bench.find_guest(guest.token) is None


def test_a_step_of_the_clock_while_it_runs_ages_nothing(bench: Any) -> None:
    epoch = bench.enter("ann").tail.epoch
    first = bench.publish("ann", "x")
    guest = bench.new_guest()
    bench.engine.release_guest(guest.token)
    bench.exit("ann", last=True)
    bench.wall_ms += 10**9
    bench.passes(LIMITS.guest_ttl_ms - 1)
    assert bench.find_guest(guest.token) == guest
    assert bench.enter("ann").tail.epoch == epoch
    bench.wall_ms -= 2 * 10**9
    assert bench.publish("ann", "y").ts == first.ts


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_guests_come_back_by_their_token(bench: Any, how: str) -> None:
    """AUTH-12: whoever was connected when the process ended was last seen when the next one began."""
    gone, here = bench.new_guest(), bench.new_guest()
    bench.engine.release_guest(gone.token)
    bench.passes(1000)  # by then it is in the file when the guest went; a kill before that is later
    again(bench, how, after=LIMITS.guest_ttl_ms - 1000)
    assert bench.find_guest(gone.token) is None
    assert bench.find_guest(here.token) == here
    bench.restart(after=0)
    bench.passes(LIMITS.guest_ttl_ms - 1)
    assert bench.find_guest(here.token) == here
    bench.engine.release_guest(here.token)
    bench.passes(LIMITS.guest_ttl_ms)
    bench.passes(1000)
    bench.engine.close()
    assert bench.sql("SELECT count(*) FROM guest") == [(0,)]


def test_tokens_are_not_in_the_file(bench: Any) -> None:
    guest = bench.new_guest()
    bench.engine.close()
    assert guest.token.encode() not in bench.path.read_bytes()
    assert guest.id.encode() in bench.path.read_bytes()


def test_exactly_the_last_messages_are_in_the_file(bench: Any) -> None:
    """HIST-2, also when another history is configured later."""
    bench.enter("ann")
    bench.fill(25)
    bench.restart(limits=Limits.from_mapping({"history": 4}))
    assert bench.enter("ann").tail.first == 22
    bench.fill(1)
    bench.engine.close()
    assert bench.sql("SELECT seq FROM message ORDER BY seq") == [(23,), (24,), (25,), (26,)]


def test_without_history_numbers_go_on_all_the_same(make_bench: Any) -> None:
    bench = make_bench("sqlite", Limits.from_mapping({"history": 0}))
    bench.enter("ann")
    bench.fill(3)
    bench.restart()
    tail = bench.enter("ann").tail
    assert (tail.head, tail.first, tail.messages) == (3, 4, [])


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_idle_rooms_are_forgotten_for_good(bench: Any, how: str) -> None:
    """LIMIT-7, over restarts: the room idle before the restart goes first, the one in use then later."""
    epochs = {room: bench.enter("ann", room).tail.epoch for room in ("idle", "used")}
    for room in epochs:
        bench.publish("ann", "x", "mid-0001", room=room)
    bench.exit("ann", "idle", last=True)
    bench.passes(1000)
    again(bench, how, after=LIMITS.room_ttl_ms - 1001)
    bench.passes(1000)
    assert bench.enter("ann", "idle").tail.epoch != epochs["idle"]
    assert not bench.publish("ann", "x", "mid-0001", room="idle").duplicate
    bench.passes(LIMITS.room_ttl_ms)
    bench.engine.close()
    assert bench.sql("SELECT name FROM room") == [("idle",)]
    assert bench.sql("SELECT count(*) FROM message") == [(1,)]
    bench.revive()
    assert bench.enter("ann", "used").tail.epoch not in epochs.values()


def test_a_room_leaves_memory_and_comes_back_as_it_was(bench: Any) -> None:
    """Memory is bounded by the rooms in use, not by the rooms that are stored."""
    tails = {}
    for n in range(30):
        room = f"room{n}"
        bench.enter("ann", room)
        assert isinstance(bench.publish(f"u{n}", "x", room=room), Stored)
        tails[room] = bench.tail(room=room)
        bench.exit("reader", room)
        bench.exit("ann", room, last=True)
    assert len(bench.engine._rooms) == 30
    bench.passes(LIMITS.presence_grace_ms)
    assert (bench.engine._rooms, bench.engine._unloaded, bench.engine._idle) == ({}, {}, {})
    assert {room: bench.enter("ann", room).tail for room in tails} == tails


def test_opening_a_file_of_many_rooms_reads_few_of_them(bench: Any) -> None:
    bench.engine.close()
    with closing(sqlite3.connect(bench.path)) as db, db:
        numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        db.execute(f"{numbers} INSERT INTO room SELECT 'room' || i, 'epoch' || i, ? FROM n", (bench.wall_ms,))
        db.execute(f"{numbers} INSERT INTO message SELECT 'epoch' || i, 1, i, '{{\"seq\":1}}' FROM n")
    bench.revive()
    assert bench.engine._rooms == {}
    tail = bench.enter("ann", "room777").tail
    assert (tail.epoch, tail.head, tail.messages) == ("epoch777", 1, [b'{"seq":1}'])
    assert len(bench.engine._rooms) == 1


def test_nothing_is_told_before_the_commit(bench: Any) -> None:
    """MSG-18, MSG-7, MSG-12, section 9: numbers, mids and quota are decided at once, and told afterwards."""
    bench.enter("ann")
    bench.heard()
    first = bench.send("ann", "1", "mid-0001")
    copy, other = bench.send("ann", "1", "mid-0001"), bench.send("ann", "2", "mid-0001")
    rest = [bench.send("ann", str(n)) for n in range(2, 6)]
    over = bench.send("ann", "6")
    assert over == [Limited(1000)]
    joined = bench.ask(bench.engine.join, "lobby", bench.member("bob"), None, 100)
    assert joined[0].tail.head == 0  # a room in memory answers at once, of what is committed
    assert (first, copy, other, bench.ears["lobby"].heard[1:]) == ([], [], [], [])
    bench.settle()
    assert [answer.seq for (answer,) in (first, *rest)] == [1, 2, 3, 4, 5]
    assert (copy[0].duplicate, copy[0].seq, other) == (True, 1, [Conflict()])
    assert [entry.seq for entry in bench.heard()[1:]] == [1, 2, 3, 4, 5]


def test_a_batch_gathers_while_another_is_written(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group commit: one alone goes at once, those that come meanwhile go together."""
    sizes: list[int] = []
    apply = bench.engine._writer._apply
    monkeypatch.setattr(bench.engine._writer, "_apply", lambda db, batch, report: (
        sizes.append(len(batch.messages)), apply(db, batch, report)))  # fmt: skip
    bench.enter("ann")
    sizes.clear()
    answers = [bench.send("u0", "x")]
    bench.posts.get(timeout=10)()  # it is on its way
    answers += [bench.send(f"u{n}", "x") for n in range(1, 40)]
    bench.settle()
    assert [answer.seq for (answer,) in answers] == list(range(1, 41))
    assert sizes == [1, 39]


def test_rooms_that_are_asked_for_twice_are_read_once(bench: Any) -> None:
    bench.enter("ann")
    bench.fill(2)
    bench.restart()
    asked = [bench.ask(bench.engine.join, "lobby", bench.member(user), None, 100) for user in ("ann", "bob")]
    sent = bench.send("ann", "3")
    bench.settle()
    assert [(answer.tail.head, answer.count) for (answer,) in asked] == [(2, 1), (2, 2)]
    assert sent[0].seq == 3


def test_closing_keeps_what_was_accepted_and_leaves_one_file(bench: Any) -> None:
    bench.enter("ann")
    for n in range(50):
        bench.send(f"u{n}", "x")
    bench.engine.close()
    bench.engine.close()
    assert [file.name for file in bench.path.parent.iterdir()] == ["rooms.db"]
    assert bench.sql("SELECT max(seq) FROM message") == [(50,)]
    assert all(thread.name != "store" for thread in threading.enumerate())
    gc.collect()  # an open connection would warn here


def test_the_epoch_rolls_in_the_file_too(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 9: seq overflow."""
    monkeypatch.setattr("roomproof_server.rules.stream.MAX_SEQ", 2)
    bench.enter("ann")
    stored = [bench.publish("ann", "x") for _ in range(3)]
    assert [(one.epoch == stored[0].epoch, one.seq) for one in stored] == [(True, 1), (True, 2), (False, 1)]
    bench.restart()
    tail = bench.enter("ann").tail
    assert (tail.epoch, tail.head, len(tail.messages)) == (stored[2].epoch, 1, 1)
    bench.engine.close()
    assert bench.sql("SELECT count(*) FROM message") == [(1,)]


def test_settings_of_the_store() -> None:
    assert parse_store("memory") is None
    for text, path in (("sqlite", "roomproof.db"), ("sqlite:a/b", "a/b"), ("x.db", "x.db"), ("./x.sqlite", "x.sqlite")):
        assert str(parse_store(text)) == path
    for text in ("", "memroy", "file"):
        with pytest.raises(ValueError, match="expected memory"):
            parse_store(text)


def test_texts_come_back_as_they_were(bench: Any) -> None:
    """HIST-7: with line feeds, quotes, emoji, and what looks like SQL."""
    texts = ["a\nb\tc", '"\\"', "\N{GRINNING FACE}é\u2028\ufeff", "'); DROP TABLE room; --", "x" * 4096]
    bench.enter("ann")
    for n, text in enumerate(texts):
        bench.publish(f"u{n}", text)
    before = bench.tail().messages
    bench.restart()
    after = bench.enter("ann").tail.messages
    assert after == before
    assert [json.loads(message)["text"] for message in after] == texts


def test_who_asks_for_a_room_while_it_is_read_and_leaves(bench: Any) -> None:
    """A client that is gone before its join is answered keeps nothing in memory, and no room in use."""
    bench.enter("ann")
    bench.publish("ann", "x")
    bench.restart()

    class Ear:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    bench.engine.subscribe("lobby", Ear())
    answers = bench.ask(bench.engine.join, "lobby", bench.member("ann"), None, 100)
    bench.engine.unsubscribe("lobby")
    bench.settle()
    assert isinstance(answers[0], Joined)
    bench.engine.leave("lobby", bench.member("ann"), linger=False)
    bench.passes(LIMITS.presence_grace_ms)
    assert not bench.engine._rooms
    bench.passes(LIMITS.room_ttl_ms)
    bench.engine.close()
    assert bench.sql("SELECT count(*) FROM room") == [(0,)]
