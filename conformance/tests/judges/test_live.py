"""Live judges of a crowd: each fault is told once and as what it is, a right stream in any allowed order never."""

from __future__ import annotations

import random
from typing import Any

import pytest

from roomproof_conformance.dialects import Claims, RateLimit
from roomproof_conformance.events import Event
from roomproof_conformance.judges.live import Crowd, RateWatch, Token, Violation, compose, parse
from roomproof_conformance.judges.live.room import RoomWatch
from roomproof_conformance.judges.rate import AtMost, MustAdmit
from roomproof_conformance.transcript import Transcript


class World:
    """A crowd of two members in one room, on a server that numbers nothing and acknowledges."""

    def __init__(self, *, acks: bool = True, claims: Claims | None = None) -> None:
        self.found: list[Violation] = []
        self.crowd = Crowd(self.found.append, echo=True, acks=acks, clock="c", patience=5.0)
        self.crowd.learned(claims or Claims())
        self.a, self.b = self.enter("a", 0.0), self.enter("b", 0.0)
        self.t = 1.0

    def enter(self, name: str, t: float) -> Any:
        member = self.crowd.member(name)
        self.crowd.reply(member, self.crowd.op(member, "join", "r", t), ok=True, event=Event("joined"), t=t)
        return member

    def send(self, member: Any) -> tuple[int, str]:
        self.t += 1.0
        number, text = self.crowd.text(member, "r", self.t, self.t, 60)
        return self.crowd.op(member, "send", "r", self.t, number=number), text

    def accept(self, member: Any, op: int) -> None:
        self.crowd.reply(member, op, ok=True, event=Event("ack"), t=self.t)

    def hear(self, member: Any, text: str, room: str = "r") -> None:
        self.crowd.event(member, Event("message", {"room": room, "text": text}), self.t)

    @property
    def kinds(self) -> list[str]:
        self.crowd.sweep(self.t + 30)
        self.crowd.sweep(self.t + 40)
        return [violation.kind for violation in self.found]


def exchange(world: World, heard_by_b: list[int], count: int = 4) -> None:
    """`a` sends, hears all of its own; `b` hears these, in this order."""
    texts = []
    for _ in range(count):
        op, text = world.send(world.a)
        world.accept(world.a, op)
        world.hear(world.a, text)
        texts.append(text)
    for place in heard_by_b:
        world.hear(world.b, texts[place])


@pytest.mark.parametrize(
    ("heard", "kinds"),
    [
        ([0, 1, 2, 3], []),
        ([0, 2, 3], ["lost"]),
        ([0, 1, 2], ["lost"]),
        ([], ["lost"] * 4),
        ([0, 1, 1, 2, 3], ["duplicated"]),
        ([0, 1, 3, 2], ["reordered"]),
        ([1, 0, 2, 3], ["reordered"]),
    ],
)
def test_what_a_member_hears(heard: list[int], kinds: list[str]) -> None:
    world = World()
    exchange(world, heard)
    assert world.kinds == kinds


def test_a_refused_message_is_owed_to_nobody_and_may_reach_nobody() -> None:
    world = World()
    op, text = world.send(world.a)
    world.crowd.reply(world.a, op, ok=False, event=Event("error"), t=world.t)
    exchange(world, [0, 1, 2, 3])
    assert world.kinds == []
    world.hear(world.b, text)
    assert "contradicted" in [v.kind for v in world.found]


def test_without_acknowledgements_a_refusal_is_of_the_oldest_message_without_a_fate() -> None:
    world = World(acks=False)
    texts = []
    for _ in range(3):
        world.t += 1
        number, text = world.crowd.text(world.a, "r", world.t, world.t, 60)
        world.crowd.op(world.a, "send", "r", world.t, number=number, answers=False)
        texts.append(text)
    world.hear(world.a, texts[0])
    world.crowd.event(world.a, Event("rate_limited"), world.t)
    world.hear(world.a, texts[2])
    world.hear(world.b, texts[0])
    world.hear(world.b, texts[2])
    assert world.kinds == []


def test_without_acknowledgements_what_nobody_heard_is_lost_to_all_unless_its_sender_went() -> None:
    for went, kinds in ((False, ["lost", "lost"]), (True, [])):
        world = World(acks=False)
        number, _ = world.crowd.text(world.a, "r", world.t, world.t, 60)
        world.crowd.op(world.a, "send", "r", world.t, number=number, answers=False)
        if went:
            world.crowd.ended(world.a, world.t)
        assert world.kinds == kinds


def test_a_message_of_another_room_is_leaked() -> None:
    world = World()
    stranger = world.crowd.member("x")
    op, text = world.send(world.a)
    world.accept(world.a, op)
    world.hear(world.a, text)
    world.hear(world.b, text)
    world.hear(stranger, text)
    assert world.kinds == ["leaked"]


def test_a_text_that_was_changed_is_altered() -> None:
    world = World()
    op, text = world.send(world.a)
    world.accept(world.a, op)
    world.hear(world.a, text)
    world.hear(world.b, text[:-1])
    assert sorted(set(world.kinds)) == ["altered", "lost"]


def test_who_joins_later_is_owed_what_is_begun_after_the_answer() -> None:
    world = World()
    exchange(world, [0, 1, 2, 3])
    late = world.enter("late", world.t)
    op, text = world.send(world.a)
    world.accept(world.a, op)
    world.hear(world.a, text)
    world.hear(world.b, text)
    assert world.kinds == ["lost"]
    assert world.found[0].conn == late.name


def test_what_was_sent_while_it_joined_may_come_live_and_then_all_of_it_does() -> None:
    for heard, kinds in (([0, 1, 2], []), ([1, 2], []), ([2], []), ([], []), ([0, 2], ["lost"])):
        world = World()
        member = world.crowd.member("late")
        join = world.crowd.op(member, "join", "r", world.t)
        texts = []
        for _ in range(3):
            op, text = world.send(world.a)
            world.accept(world.a, op)
            world.hear(world.a, text)
            world.hear(world.b, text)
            texts.append(text)
        world.crowd.reply(member, join, ok=True, event=Event("joined"), t=world.t)
        for place in heard:
            world.hear(member, texts[place])
        assert world.kinds == kinds


def test_a_history_goes_on_live_without_a_hole() -> None:
    """The race: what was said between the look at the history and the subscription is in neither."""
    for gap, kinds in ((False, []), (True, ["lost"])):
        world = World()
        op, first = world.send(world.a)
        world.accept(world.a, op)
        member = world.crowd.member("late")
        join = world.crowd.op(member, "join", "r", world.t)
        op, between = world.send(world.a)
        world.accept(world.a, op)
        entries = [{"text": first}] if gap else [{"text": first}, {"text": between}]
        answer = Event("joined", {"room": "r", "entries": entries})
        world.crowd.reply(member, join, ok=True, event=answer, t=world.t)
        op, after = world.send(world.a)
        world.accept(world.a, op)
        for text in (first, between, after):
            world.hear(world.a, text)
            world.hear(world.b, text)
        world.hear(member, after)
        assert world.kinds == kinds


def test_a_history_that_comes_one_by_one_goes_on_live() -> None:
    world = World(acks=False)
    member = world.crowd.member("late")
    join = world.crowd.op(member, "join", "r", world.t)
    texts = []
    for _ in range(4):
        number, text = world.crowd.text(world.a, "r", world.t, world.t, 60)
        world.crowd.op(world.a, "send", "r", world.t, number=number, answers=False)
        texts.append(text)
    world.crowd.reply(member, join, ok=True, event=Event("joined"), t=world.t)
    for text in texts[:3]:
        world.crowd.event(member, Event("history", {"room": "r", "text": text}), world.t)
    world.hear(member, texts[3])
    for text in texts:
        world.hear(world.a, text)
        world.hear(world.b, text)
    assert world.kinds == []


def test_a_resume_owes_what_was_missed() -> None:
    for missed_comes, kinds in ((True, []), (False, ["lost"])):
        world = World(claims=Claims(resume=True))
        exchange(world, [0, 1, 2, 3])
        world.crowd.ended(world.b, world.t)
        op, missed = world.send(world.a)
        world.accept(world.a, op)
        world.hear(world.a, missed)
        back = world.crowd.member("b")
        join = world.crowd.op(back, "join", "r", world.t, resumed=True)
        entries = [{"text": missed}] if missed_comes else []
        world.crowd.reply(back, join, ok=True, event=Event("joined", {"room": "r", "entries": entries}), t=world.t)
        op, text = world.send(world.a)
        world.accept(world.a, op)
        world.hear(world.a, text)
        world.hear(back, text)
        assert world.kinds == kinds


def test_a_request_without_an_answer_is_told_while_the_connection_lives() -> None:
    world = World()
    world.crowd.op(world.a, "history", "r", world.t)
    world.crowd.op(world.b, "history", "r", world.t)
    world.crowd.ended(world.b, world.t)
    assert world.kinds == ["unanswered"]


@pytest.mark.parametrize("seed", range(40))
def test_the_rate_is_judged_as_the_kit_judges_a_transcript(seed: int) -> None:
    """Random attempts with random outcomes: the live fold says over-admitted or wrongly refused where the kit does."""
    rng = random.Random(seed)
    transcript, watch = Transcript(), RateWatch(3, 1.0)
    over = refused = False
    t = 0.0
    for number in range(30):
        t += rng.choice((0.01, 0.05, 0.2, 0.4, 0.9))
        op = transcript.add(
            t, "a", "op", op="send", ref=str(number), user="a", args={"room": "r", "text": f"x{number}"}
        )
        watch.begin(op.index, "a", "a", t)
        t += rng.choice((0.001, 0.02, 0.2))
        admitted = rng.random() < rng.choice((0.2, 0.8))
        kind = "ack" if admitted else "rate_limited"
        event = transcript.add(t, "a", "event", kind=kind, fields={"ref": str(number)}, tree=None, rule="")
        transcript.add(t, "a", "reply", op=op.index, ok=admitted, event=event.index)
        if admitted:
            over = bool(watch.admitted(op.index, t)) or over
        else:
            refused = bool(watch.refused(op.index, t)) or refused
    kit = [AtMost(allow=3, per=1.0), MustAdmit(allow=3, per=1.0)]
    for judge in kit:
        for record in transcript:
            judge.feed(record)
    assert over == (kit[0].end().outcome == "broken")
    assert refused == (kit[1].end().outcome == "broken")


def test_rates_come_from_the_claims() -> None:
    world = World(claims=Claims(rate_limit=RateLimit("user", "window", "error", 2, 10.0)))
    for _ in range(3):
        op, text = world.send(world.a)
        world.accept(world.a, op)
        world.hear(world.a, text)
        world.hear(world.b, text)
    assert world.kinds == ["over-admitted"]


def test_memory_does_not_grow_with_the_number_of_messages() -> None:
    told: list[Any] = []
    room = RoomWatch("r", lambda *said: told.append(said), patience=1.0)
    for conn in ("a", "b"):
        room.joining(conn, conn)
        room.joined(conn, 0.0)
    for step in range(20_000):
        t = step / 100
        number = room.number("a", t)
        room.accepted("a", number, t)
        room.heard("a", "a", number, t)
        room.heard("b", "a", number, t)
        if step % 100 == 0:
            room.sweep(t)
    line = room.lines["a"]
    assert told == []
    assert len(line.accepted) < 300
    assert not line.open
    assert not line.refused


@pytest.mark.parametrize("size", [0, 40, 60, 61, 62, 120, 400, 1000])
def test_a_token_comes_back_from_its_text(size: int) -> None:
    token = Token("room1", "user1", 17, 12.5, "abc")
    text = compose(token, size)
    assert parse(text) == token
    assert len(text) == max(size, len(text))
    assert parse("hello") is None
    with pytest.raises(ValueError, match="characters"):
        parse(text + "!")
