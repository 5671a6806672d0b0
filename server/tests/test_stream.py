"""One stream against a model that keeps everything and counts by hand."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from roomproof_server.rules.stream import MAX_SEQ, Stream, text_digest

RETAIN, DEDUP = 5, 1000
USERS = st.sampled_from(["ann", "bob"])
MIDS = st.sampled_from(["mid-0001", "mid-0002", "mid-0003"])


class StreamMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream("lobby", "e1", retain=RETAIN, dedup=DEDUP)
        self.kept: list[dict[str, Any]] = []  # every committed message, ever
        self.staged: list[tuple[dict[str, Any], tuple[str, str] | None]] = []
        self.mids: dict[tuple[str, str], tuple[float, int, str]] = {}
        self.now, self.wall = 0.0, 1000

    @rule(user=USERS, mid=st.none() | MIDS, text=st.sampled_from(["a", "b\n", 'c"\\é']))
    def stage(self, user: str, mid: str | None, text: str) -> None:
        if mid is not None and self.stream.seen(user, mid, self.now):
            return
        entry = self.stream.stage({"id": user, "name": user}, text, mid, now=self.now, wall=self.wall)
        seq = len(self.kept) + len(self.staged) + 1
        assert (entry.seq, entry.epoch, entry.mid) == (seq, "e1", mid)
        message = json.loads(entry.payload)
        assert "mid" not in message
        assert message | ({"mid": mid} if mid else {}) == json.loads(entry.own_payload())
        assert (message["seq"], message["text"], message["from"]["id"]) == (seq, text, user)
        self.staged.append((message, (user, mid) if mid else None))
        if mid:
            self.mids[user, mid] = (self.now + DEDUP, seq, text)

    @precondition(lambda self: self.staged)
    @rule()
    def commit(self) -> None:
        message, _ = self.staged.pop(0)
        assert json.loads(self.stream.commit().payload) == message
        self.kept.append(message)

    @rule()
    def rollback(self) -> None:
        for _, key in self.staged:
            if key:
                self.mids.pop(key, None)
        self.staged.clear()
        self.stream.rollback()

    @rule(ms=st.sampled_from([1, 400, DEDUP]), step=st.sampled_from([-500, 0, 300]))
    def time_passes(self, ms: int, step: int) -> None:
        self.now += ms
        self.wall += step

    @rule(user=USERS, mid=MIDS)
    def dedupe(self, user: str, mid: str) -> None:
        seen = self.stream.seen(user, mid, self.now)
        expires, seq, text = self.mids.get((user, mid), (0.0, 0, ""))
        if expires > self.now:
            assert seen is not None
            assert (seen.seq, seen.digest) == (seq, text_digest(text))
        else:
            assert seen is None

    @rule(epoch=st.sampled_from(["e1", "e0"]), seq=st.integers(0, 30), history=st.integers(0, RETAIN))
    def join(self, epoch: str, seq: int, history: int) -> None:
        head = len(self.kept)
        first = max(1, head - RETAIN + 1)
        tail = self.stream.tail({"epoch": epoch, "seq": seq}, history)
        replayed = [json.loads(payload) for payload in tail.messages]
        assert (tail.epoch, tail.head, tail.first) == ("e1", head, first)
        if epoch == "e1" and first - 1 <= seq <= head:
            assert (tail.recovered, tail.reason, tail.missed) == (True, None, None)
            assert replayed == self.kept[seq:]
            return
        assert not tail.recovered
        assert replayed == self.kept[max(0, head - history) :]
        if epoch != "e1":
            assert (tail.reason, tail.missed) == ("epoch_changed", None)
        elif seq > head:
            assert (tail.reason, tail.missed) == ("ahead", None)
        else:
            assert (tail.reason, tail.missed) == ("too_old", first - 1 - seq)

    @rule(
        cursor=st.integers(0, 30),
        limit=st.integers(1, 8),
        which=st.sampled_from(["before", "after", "neither"]),
    )
    def page(self, cursor: int, limit: int, which: str) -> None:
        retained = self.kept[-RETAIN:]
        page = self.stream.page(
            before=cursor if which == "before" else None,
            after=cursor if which == "after" else None,
            limit=limit,
        )
        if which == "after":
            matching = [m for m in retained if m["seq"] > cursor]
            expected = matching[:limit]
        else:
            matching = [m for m in retained if which == "neither" or m["seq"] < cursor]
            expected = matching[-limit:]
        assert [json.loads(payload) for payload in page.messages] == expected
        assert page.more == (len(matching) > len(expected))

    @invariant()
    def numbers_have_no_holes_and_time_no_steps(self) -> None:
        assert [m["seq"] for m in self.kept] == list(range(1, len(self.kept) + 1))
        assert [m["ts"] for m in self.kept] == sorted(m["ts"] for m in self.kept)
        tail = self.stream.tail(None, RETAIN)
        assert (tail.recovered, tail.reason, tail.missed) == (False, None, None)
        assert [json.loads(payload) for payload in tail.messages] == self.kept[-RETAIN:]


TestStream = StreamMachine.TestCase


def test_the_last_hundred_of_two_hundred_and_fifty() -> None:
    """HIST-2."""
    stream = Stream("lobby", "e", retain=100, dedup=1)
    for _ in range(250):
        stream.stage({"id": "u", "name": "U"}, "x", None, now=0, wall=0)
        stream.commit()
    tail = stream.tail(None, 100)
    assert [json.loads(payload)["seq"] for payload in tail.messages] == list(range(151, 251))


@given(st.integers(0, 3))
def test_a_stream_is_full_before_a_number_passes_two_to_the_53(left: int) -> None:
    stream = Stream("lobby", "e", retain=3, dedup=1)
    stream.head = MAX_SEQ - left
    for _ in range(left):
        assert not stream.full
        assert stream.stage({"id": "u", "name": "U"}, "x", None, now=0, wall=0).seq <= MAX_SEQ
    assert stream.full
