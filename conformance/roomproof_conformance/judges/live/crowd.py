"""All members and rooms of one load process, judged as it runs: every kind of violation of `said.KINDS`.

It is told what a transcript records (`op`, `reply`, `event`, `ended`), with the time as an argument, and tells each
violation once, when it is certain. Patience is the only bound: what did not come within it did not come.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.dialects.claims import Claims
from roomproof_conformance.events import Event

from .numbers import Numbers
from .rates import RateWatch
from .room import RoomWatch
from .said import Violation
from .tokens import Token, compose, parse


@dataclass(slots=True)
class Pending:
    """A request on its way: `number` of a send."""

    action: str
    room: str | None
    t: float
    number: int | None = None
    answers: bool = True


@dataclass(slots=True)
class Member:
    """One virtual user over all its connections; `judged` False: it talks and is measured, and nobody looks."""

    name: str
    judged: bool = True
    rooms: set[str] = field(default_factory=set)  # in which a message of the room is no surprise
    pending: dict[int, Pending] = field(default_factory=dict)
    resuming: dict[str, bool] = field(default_factory=dict)
    alive: bool = False
    pace: bool = True  # keeps to the limit: a refusal for its rate is looked at


class Crowd:
    """See the module. `claims` are the server's own, as the first connection resolved them."""

    def __init__(
        self,
        tell: Callable[[Violation], None],
        *,
        echo: bool,
        acks: bool,
        clock: str,
        patience: float = 10.0,
    ) -> None:
        self._tell_out = tell
        self._echo = echo
        self._acks = acks
        self._clock = clock
        self._patience = patience
        self._ops = itertools.count(1)
        self.now = 0.0
        self.rooms: dict[str, RoomWatch] = {}
        self.rates: dict[str, RateWatch] = {}
        self.numbers: Numbers | None = None
        self.claims: Claims | None = None
        self.members: dict[str, Member] = {}

    def learned(self, claims: Claims) -> None:
        """What the server promises, with the numbers of its own welcome."""
        if self.claims is None:
            self.claims = claims
            if claims.numbering:
                self.numbers = Numbers(self._tell)

    # -- what members do ----------------------------------------------------------------------------

    def member(self, name: str, *, judged: bool = True, pace: bool = True) -> Member:
        found = self.members.get(name)
        if found is None:
            found = self.members[name] = Member(name, judged, pace=pace)
        found.alive = True
        return found

    def room(self, name: str) -> RoomWatch:
        watch = self.rooms.get(name)
        if watch is None:
            watch = RoomWatch(
                name,
                lambda kind, conn, expected, seen, other: self._tell(kind, conn, name, expected, seen, other),
                echo=self._echo,
                acks=self._acks,
                patience=self._patience,
            )
            self.rooms[name] = watch
        return watch

    def text(self, member: Member, room: str, t: float, stamp: float, size: int) -> tuple[int, str]:
        """The number and the text of the member's next message into the room."""
        number = self.room(room).number(member.name, t)
        return number, compose(Token(room, member.name, number, stamp, self._clock), size)

    def op(
        self,
        member: Member,
        action: str,
        room: str | None,
        t: float,
        *,
        number: int | None = None,
        answers: bool = True,
        resumed: bool = False,
    ) -> int:
        """A request is about to be written; its number here. `answers`: whether it has an answer at all."""
        op = next(self._ops)
        self.now = t
        member.pending[op] = Pending(action, room, t, number, answers)
        if action == "send":
            self._rate(member, op, t)
        elif action == "join" and room is not None:
            member.rooms.add(room)
            member.resuming[room] = resumed
            if member.judged:
                self.room(room).joining(member.name, member.name, resumed=resumed)
        elif action == "leave" and room is not None and member.judged:
            self.room(room).leave(member.name)
        if not answers:
            self._unasked(member, op, t)
        return op

    def _unasked(self, member: Member, op: int, t: float) -> None:
        """A request that the dialect knows no answer to: it is taken for done when nobody says otherwise."""
        pending = member.pending[op]
        if pending.action in ("join", "leave"):
            self.reply(member, op, ok=True, event=None, t=t)
        else:
            del member.pending[op]

    def _rate(self, member: Member, op: int, t: float) -> None:
        limit = None if self.claims is None else self.claims.rate_limit
        if limit is None or limit.model != "window" or not limit.allow or not limit.per or not self._acks:
            return
        if limit.scope not in ("user", "connection"):
            return
        watch = self.rates.get(member.name)
        if watch is None:
            watch = self.rates[member.name] = RateWatch(limit.allow, limit.per)
        watch.begin(op, member.name, member.name, t)

    def reply(self, member: Member, op: int, *, ok: bool, event: Event | None, t: float) -> None:
        """A request was answered: by success, by `rate_limited`, or by another refusal."""
        self.now = t
        pending = member.pending.pop(op, None)
        if pending is None:
            return
        if pending.action == "send":
            self._sent(member, op, pending, ok, event, t)
        elif pending.action == "join" and pending.room is not None:
            self._joined(member, pending.room, ok, event, t)
        elif pending.action == "leave" and pending.room is not None and ok:
            member.rooms.discard(pending.room)
            if member.judged:
                self.room(pending.room).out(member.name)
            if self.numbers is not None:
                self.numbers.forget(member.name, pending.room)

    def _sent(self, member: Member, op: int, pending: Pending, ok: bool, event: Event | None, t: float) -> None:
        watch = self.rates.get(member.name)
        fault, kind = None, ""
        if watch is not None and event is not None and event.fields.get("duplicate") is True:
            watch.other(op)
        elif watch is not None and ok:
            fault, kind = watch.admitted(op, t), "over-admitted"
        elif watch is not None and event is not None and event.kind == "rate_limited":
            if event.fields.get("scope") in (None, "user", "connection"):
                fault, kind = watch.refused(op, t), "wrongly-refused"
            else:
                watch.other(op)
        elif watch is not None:
            watch.other(op)
        if fault is not None and watch is not None:
            expected = f"{watch.allow} messages in any {watch.per:g} s, no more and no fewer"
            self._tell(kind, member.name, pending.room, expected, fault, None)
        if pending.room is not None and pending.number is not None:
            room = self.room(pending.room)
            if ok:
                room.accepted(member.name, pending.number, t)
            else:
                room.refused(member.name, pending.number)

    def _joined(self, member: Member, name: str, ok: bool, event: Event | None, t: float) -> None:
        resumed = member.resuming.pop(name, False)
        if not ok:
            member.rooms.discard(name)
            if member.judged:
                self.room(name).out(member.name)
            return
        if not member.judged:
            return
        if resumed and event is not None and event.fields.get("reason") is not None:
            # The server could not go on where this member stopped, and says so: it begins anew.
            self.room(name).joining(member.name, member.name)
            resumed = False
        self.room(name).joined(member.name, t, resumed=resumed)
        if self.numbers is not None:
            self.numbers.forget(member.name, name)
        if event is not None:
            self._history(member, name, event, t, resumed=resumed)
            if self.numbers is not None:
                self.numbers.begins(member.name, name, event.fields)

    def _history(self, member: Member, name: str, event: Event, t: float, *, resumed: bool) -> None:
        entries = event.entries
        if not entries:
            return
        numbers: list[tuple[str, int]] = []
        for entry in entries:
            token = self._token(member, name, entry.get("text"))
            if token is not None:
                numbers.append((token.sender, token.number))
        if self.claims is not None and self.claims.history and self.claims.history.order == "newest-first":
            numbers.reverse()
        single = "entries" not in event.fields
        self.room(name).past(member.name, numbers, t, resumed=resumed, single=single)

    # -- what they hear -----------------------------------------------------------------------------

    def event(self, member: Member, event: Event, t: float) -> Token | None:
        """Anything that came, answers included; the token of a live message of this run."""
        self.now = t
        if event.kind == "message":
            fields = event.fields
            text = fields.get("text")
            token = self._token(member, fields.get("room"), text) if type(text) is str else None
            if token is not None and member.judged:
                if token.room not in member.rooms:
                    self._tell(
                        "leaked",
                        member.name,
                        token.room,
                        "messages of its own rooms",
                        f"one of {token.room}",
                        token.sender,
                    )
                    return token
                watch = self.rooms.get(token.room) or self.room(token.room)
                if member.name in watch.places:
                    watch.heard(member.name, token.sender, token.number, t)
                if self.numbers is not None:
                    self.numbers.heard(member.name, token, fields)
            return token
        if event.kind == "history" and member.judged and event.room is not None and event.room in member.rooms:
            self._history(member, event.room, event, t, resumed=False)
        elif event.kind == "kicked" and event.room is not None:
            self._out_of(member, event.room)
        elif event.kind == "notice" and event.rule == "reset" and event.room is not None:
            if member.judged:
                self.room(event.room).leave(member.name)
            if self.numbers is not None:
                self.numbers.forget(member.name, event.room)
        elif event.kind in ("rate_limited", "error") and not self._acks and event.ref is None:
            self._refused_unasked(member)
        return None

    def _refused_unasked(self, member: Member) -> None:
        """A refusal that names no request, on a server that acknowledges nothing."""
        for room in member.rooms:
            if self.room(room).refused_oldest(member.name):
                return

    def _out_of(self, member: Member, room: str) -> None:
        member.rooms.discard(room)
        if member.judged:
            self.room(room).out(member.name)

    def _token(self, member: Member, shown: Any, text: Any) -> Token | None:
        """The token of a text, judged for what it is: whole, and shown as of the room that it belongs to."""
        if type(text) is not str:
            return None
        try:
            token = parse(text)
        except ValueError as changed:
            self._tell("altered", member.name, None, "the text that was sent", f"{text[:120]!r}: {changed}", None)
            return None
        if token is not None and shown is not None and shown != token.room:
            self._tell(
                "leaked",
                member.name,
                token.room,
                f"a message of {token.room} under that name",
                f"it came as one of {shown}",
                token.sender,
            )
        return token

    def ended(self, member: Member, t: float) -> None:
        """A connection is over; whether that is a fault, `dropped` says."""
        self.now = t
        member.alive = False
        for op, pending in list(member.pending.items()):
            if pending.action == "send" and (watch := self.rates.get(member.name)) is not None:
                watch.unknown(op, t)
        member.pending.clear()
        for room in member.rooms:
            if not self._acks and room in self.rooms:
                self.rooms[room].unknown(member.name)
            if member.judged and room in self.rooms:
                self.rooms[room].leave(member.name)
            if self.numbers is not None:
                self.numbers.forget(member.name, room)
        member.rooms.clear()

    def dropped(self, member: Member, fault: str, t: float) -> None:
        """The server ended a connection at `t` whose client was alive and kept to the rules."""
        expected = "a connection that stays while its client is alive"
        self._tell_out(Violation("dropped", t, member.name, None, expected, fault))

    # -- time -----------------------------------------------------------------------------------------

    def sweep(self, t: float) -> None:
        """Say what is overdue; called every second or so, and at the end."""
        self.now = t
        for watch in self.rooms.values():
            watch.sweep(t)
        for member in self.members.values():
            if not member.alive:
                continue
            late = [op for op, p in member.pending.items() if p.answers and p.t < t - self._patience]
            for op in late:
                pending = member.pending.pop(op)
                seen = f"{pending.action} without an answer for {t - pending.t:.1f} s"
                self._tell("unanswered", member.name, pending.room, "an answer to each request", seen, None)
                if (rates := self.rates.get(member.name)) is not None:
                    rates.unknown(op, t)

    def pending(self) -> int:
        """What is still on its way: messages and answers."""
        waiting = sum(len(m.pending) for m in self.members.values() if m.alive)
        return waiting + sum(watch.pending() for watch in self.rooms.values())

    def _tell(self, kind: str, conn: str, room: str | None, expected: str, seen: str, other: str | None) -> None:
        self._tell_out(Violation(kind, self.now, conn, room, expected, seen, other))
