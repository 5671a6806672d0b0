"""One room as its members hear it: what was accepted reaches each of them, once, in the order of its sender.

Every text carries its sender and that sender's own count (see `tokens`), so this holds for any server, numbered
messages or not. Remembered is: one number for each pair of member and sender, what was accepted in the last seconds,
and what a member still misses. Knows no wire.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Tell = Callable[[str, str, str, str, str | None], None]
"""Called with kind, conn, expected, seen and the sender."""


REMEMBERED = 10_000
"""Refused numbers of one sender from which the old ones are forgotten."""


@dataclass(slots=True)
class Line:
    """What one sender has written into the room. Numbers below `begun` were begun."""

    begun: int = 0
    refused: set[int] = field(default_factory=set)
    open: dict[int, float] = field(default_factory=dict)  # not known to be accepted, and since when
    accepted: deque[tuple[float, int]] = field(default_factory=deque)
    doubtful: set[int] = field(default_factory=set)  # nobody can tell whether they were accepted: owed to nobody
    due: int = -1  # the highest number that everybody must have by now
    local: bool = False  # its outcomes are known here; those of another process's senders are not


@dataclass(slots=True)
class Place:
    """A connection's place in the room."""

    conn: str
    own: str  # the sender name of this connection
    expect: dict[str, int] = field(default_factory=dict)  # the next number of each sender
    soft: dict[str, int] = field(default_factory=dict)  # sent while it joined: from here on either way is right
    told: dict[str, int] = field(default_factory=dict)  # `expect` as a history in single pieces has set it
    missing: dict[tuple[str, int], float] = field(default_factory=dict)
    inside: bool = False
    since: float = 0.0
    floors: dict[str, int] = field(default_factory=dict)  # when it asked to join: what was still open then


class RoomWatch:
    """The fold for one room. `echo`: whether a sender hears its own messages. Times are seconds of one clock."""

    def __init__(
        self,
        name: str,
        tell: Tell,
        *,
        echo: bool = True,
        acks: bool = True,
        patience: float = 10.0,
        settle: float = 2.0,
    ) -> None:
        self.name = name
        self._tell = tell
        self._echo = echo
        self._acks = acks
        self._patience = patience
        self._settle = settle
        self.lines: dict[str, Line] = {}
        self.places: dict[str, Place] = {}

    # -- senders ----------------------------------------------------------------------------------

    def number(self, sender: str, t: float) -> int:
        """The number for the next message of `sender`, which is about to be written."""
        line = self.lines.setdefault(sender, Line())
        line.local = True
        number = line.begun
        line.begun += 1
        line.open[number] = t
        return number

    def accepted(self, sender: str, number: int, t: float) -> None:
        line = self.lines.get(sender)
        if line is not None and line.open.pop(number, None) is not None:
            line.accepted.append((t, number))

    def refused(self, sender: str, number: int) -> None:
        line = self.lines.get(sender)
        if line is not None and line.open.pop(number, None) is not None:
            line.refused.add(number)

    def refused_oldest(self, sender: str) -> bool:
        """A refusal that names no request: of the oldest message whose fate is open; False when there is none.

        Only where a sender hears its own messages are the fates of those before it known by then. Elsewhere the
        refusal may mean any of the open ones.
        """
        line = self.lines.get(sender)
        if line is None or not line.open:
            return False
        if self._echo:
            self.refused(sender, min(line.open))
        else:
            self.unknown(sender)
        return True

    def unknown(self, sender: str) -> None:
        """Whether what is open was accepted will never be said."""
        line = self.lines.get(sender)
        if line is not None:
            line.doubtful.update(line.open)
            line.open.clear()

    # -- members ----------------------------------------------------------------------------------

    def joining(self, conn: str, own: str, *, resumed: bool = False) -> None:
        """A join is about to be asked for: what is accepted from now on may reach it already.

        `resumed` when it asks for what it has missed, so that what it had before counts.
        """
        place = self.places.get(conn)
        if place is None or not resumed:
            place = self.places[conn] = Place(conn, own)
        place.floors = {name: min(line.open, default=line.begun) for name, line in self.lines.items()}

    def joined(self, conn: str, t: float, *, resumed: bool = False) -> None:
        """The join is answered: from here on nothing of the room may pass it by.

        `resumed` when it asked for what it had missed, and gets it: then it owes nothing to the time in between.
        """
        place = self.places.get(conn)
        if place is None:
            return
        place.inside, place.since = True, t
        for name, line in self.lines.items():
            if resumed and name in place.expect:
                continue
            floor = place.floors.get(name, 0)
            before = place.expect.get(name)
            if before is not None and before > floor:  # heard already while the join was under way
                continue
            place.expect[name] = line.begun
            if floor < line.begun:
                place.soft[name] = floor
            else:
                place.soft.pop(name, None)
        place.missing.clear()

    def past(
        self, conn: str, numbers: Iterable[tuple[str, int]], t: float, *, resumed: bool = False, single: bool = False
    ) -> None:
        """Older messages came, in one piece or one by one (`single`): live ones go on where they end."""
        place = self.places.get(conn)
        if place is None:
            return
        if resumed:
            for sender, number in numbers:
                self.heard(conn, sender, number, t)
            return
        spans: dict[str, list[int]] = {}
        for sender, number in numbers:
            spans.setdefault(sender, []).append(number)
        for sender, got in spans.items():
            line = self.lines.setdefault(sender, Line())
            seen = set(got)
            for number in range(min(seen), max(seen)):
                if number not in seen | line.refused | line.doubtful and number not in line.open:
                    self._tell("lost", conn, "a history without holes", f"it leaves out number {number}", sender)
            if len(seen) < len(got):
                self._tell("duplicated", conn, "each message once in the history", "one came twice in it", sender)
            live = place.expect.get(sender)
            if single and live is not None and place.told.get(sender) == live and max(seen) >= live:
                place.expect[sender] = place.told[sender] = max(seen) + 1
            elif live is None or sender in place.soft:  # of a member who asks later, what is live may be ahead
                place.expect[sender] = max(seen) + 1
                place.soft.pop(sender, None)
                if single:
                    place.told[sender] = place.expect[sender]

    def heard(self, conn: str, sender: str, number: int, t: float) -> None:
        """A live message arrived."""
        place = self.places[conn]
        expect = place.expect.get(sender)
        if expect == number:
            place.expect[sender] = number + 1
            line = self.lines.get(sender)
            if line is not None:
                if number in line.open:
                    self._proved(line, number, t)
                elif number >= line.begun:
                    line.begun = number + 1  # a sender of another process
                elif number in line.refused:
                    self._tell(
                        "contradicted", conn, "a refused message reaches nobody", f"number {number} came", sender
                    )
            return
        self._out_of_step(place, sender, number, expect, t)

    def _out_of_step(self, place: Place, sender: str, number: int, expect: int | None, t: float) -> None:
        line = self.lines.setdefault(sender, Line())
        if number in line.open:
            self._proved(line, number, t)
        elif number in line.refused:
            self._tell("contradicted", place.conn, "a refused message reaches nobody", f"number {number} came", sender)
        line.begun = max(line.begun, number + 1)
        if expect is None:
            if not (place.inside and line.local):  # the first that is heard of it, and its beginning was not seen here
                place.expect[sender] = number + 1
                return
            expect = 0  # it began when this member was inside
            if number == 0:
                place.expect[sender] = 1
                return
        soft = place.soft.pop(sender, None)
        if soft is not None and soft <= number < expect:
            place.expect[sender] = number + 1  # from this one on all of them follow
            return
        if number > expect:
            self._note_gap(place, sender, line, expect, number, t)
            place.expect[sender] = number + 1
        elif number < expect:
            if place.missing.pop((sender, number), None) is not None:
                seen = f"number {number} came behind number {expect - 1}"
                self._tell("reordered", place.conn, "the messages of a sender in its order", seen, sender)
            else:
                seen = f"number {number} came again, after number {expect - 1}"
                self._tell("duplicated", place.conn, "each message once", seen, sender)

    def _note_gap(self, place: Place, sender: str, line: Line, start: int, end: int, t: float) -> None:
        for number in range(start, end):
            if number not in line.refused and number not in line.doubtful:
                place.missing[sender, number] = t

    def _proved(self, line: Line, number: int, t: float) -> None:
        """Somebody heard it, so it was accepted, whether or not its sender is told."""
        line.open.pop(number, None)
        line.accepted.append((t, number))

    def leave(self, conn: str) -> None:
        """It asks to leave, or its connection is over: from now on nothing is owed to it."""
        place = self.places.get(conn)
        if place is not None:
            place.inside = False
            place.missing.clear()

    def out(self, conn: str) -> None:
        """It is out, and what it heard is of no interest any more."""
        self.places.pop(conn, None)

    # -- time -------------------------------------------------------------------------------------

    def sweep(self, t: float) -> None:
        """Say what is lost by now; called every second or so."""
        for sender, line in self.lines.items():
            before = line.due
            while line.accepted and line.accepted[0][0] <= t - self._patience:
                line.due = max(line.due, line.accepted.popleft()[1])
            wait = 3 * self._patience if self._acks else self._patience
            for number in [n for n, since in line.open.items() if since <= t - wait]:
                del line.open[number]
                if self._acks:
                    line.doubtful.add(number)  # its outcome will not be known any more
                else:
                    line.due = max(line.due, number)  # nobody refused it, and nobody heard it
            if len(line.doubtful) > REMEMBERED:
                line.doubtful = {number for number in line.doubtful if number >= line.due}
            if len(line.refused) > REMEMBERED:
                line.refused = {number for number in line.refused if number >= line.due}
            if line.due > before:
                self._behind(sender, line, t)
        for place in self.places.values():
            if place.missing:
                self._settle_missing(place, t)

    def _behind(self, sender: str, line: Line, t: float) -> None:
        """Whoever has not got what is due misses it."""
        for place in self.places.values():
            if not place.inside or (place.own == sender and not self._echo):
                continue
            expect = place.expect.get(sender)
            if expect is None and line.local:  # it began after this member joined
                expect = 0
            if expect is None or expect > line.due:
                continue
            place.soft.pop(sender, None)
            self._note_gap(place, sender, line, expect, line.due + 1, t - self._settle)
            place.expect[sender] = line.due + 1

    def _settle_missing(self, place: Place, t: float) -> None:
        for (sender, number), since in list(place.missing.items()):
            if since > t - self._settle:
                continue
            line = self.lines[sender]
            if number in line.open:
                continue
            del place.missing[sender, number]
            told = number in line.refused or number in line.doubtful
            if not told and not (place.own == sender and not self._echo):
                seen = f"number {number} did not come, and later ones did or the time is up"
                self._tell("lost", place.conn, "every accepted message reaches every member", seen, sender)

    def pending(self) -> int:
        """How many (member, message) pairs are still on their way: what a run waits for at its end."""
        count = 0
        for sender, line in self.lines.items():
            count += len(line.open)
            newest = max((number for _, number in line.accepted), default=-1)
            for place in self.places.values():
                if newest >= 0 and place.inside and not (place.own == sender and not self._echo):
                    count += max(0, newest + 1 - place.expect.get(sender, 0 if line.local else newest + 1))
        return count
