"""Judges of the connection itself: that it ends, that it does not, pings, pongs, silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding, Outcome

from .base import Judge, how_it_ended, shown


@dataclass
class Ends(Judge):
    """The server ends `conn`, between `earliest` and `latest` seconds after record `after`.

    `codes` are the allowed codes of its Close frame (empty: any); `tcp` allows a bare TCP end too.
    """

    conn: str
    after: int = 0
    codes: list[int] = field(default_factory=list)
    tcp: bool = False
    earliest: float | None = None
    latest: float | None = None
    clean: bool = False
    _start: float = field(default=0.0, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.conn == self.conn and record.kind == "end" and self._end is None:
            self._end = record

    def end(self) -> Finding:
        codes = " or ".join(str(code) for code in self.codes)
        expected = f"the server closes {self.conn}" + (f" with {codes}" if codes else "")
        expected += " or ends TCP" if self.tcp else ""
        if self.earliest is not None:
            expected += f", not before {self.earliest:g} s"
        if self.latest is not None:
            expected += f", within {self.latest:g} s"
        end = self._end
        if end is None or end.data["by"] != "server":
            return Finding("broken", expected, f"still open after {self.last - self._start:.2f} s", (self.after,))
        seen, evidence = how_it_ended(end), (self.after, end.index)
        took = end.t - self._start
        if self.earliest is not None and took < self.earliest:
            unclear = self.earliest - took <= self.noise
            return Finding("unclear" if unclear else "broken", expected, f"{seen}, {took:.2f} s after", evidence)
        if self.latest is not None and (outcome := self.bounded(took, self.latest)) != "holds":
            return Finding(outcome, expected, f"{seen}, {took:.2f} s after", evidence)
        closed = end.data["how"] == "close"
        if not closed and not self.tcp:
            return Finding("broken", expected, seen, evidence)
        if closed and self.codes and end.data.get("code") not in self.codes:
            return Finding("broken", expected, seen, evidence)
        return Finding("holds", expected, seen, evidence)


@dataclass
class Opens(Judge):
    """The handshake of `conn` is accepted; with `status`, it is refused with one of these HTTP statuses instead."""

    conn: str
    status: list[int] = field(default_factory=list)
    subprotocol: str | None = None
    no_subprotocol: bool = False
    or_nobody: bool = False  # that nobody listens is right as well
    _answer: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.conn == self.conn and record.kind == "handshake":
            self._answer = record

    def settled(self) -> bool:
        return self._answer is not None

    def end(self) -> Finding:
        statuses = self.status or [101]
        expected = f"HTTP {' or '.join(map(str, statuses))}"
        if self.subprotocol is not None:
            expected += f" with subprotocol {self.subprotocol}"
        if self.no_subprotocol:
            expected += " without a subprotocol"
        if self._answer is None:
            return Finding("holds" if self.or_nobody else "broken", expected, "nobody listens")
        data, evidence = self._answer.data, (self._answer.index,)
        seen = f"HTTP {data['status']}" + (
            f" with subprotocol {data['subprotocol']}" if data.get("subprotocol") else ""
        )
        right = data["status"] in statuses
        right = right and (self.subprotocol is None or data.get("subprotocol") == self.subprotocol)
        right = right and not (self.no_subprotocol and data.get("subprotocol"))
        return Finding("holds" if right else "broken", expected, seen, evidence)


@dataclass
class Stays(Judge):
    """`conn` is open at record `until` (the end of the transcript when None)."""

    conn: str
    until: int | None = None
    _end: Record | None = field(default=None, init=False)
    _opened: bool = field(default=False, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or (self.until is not None and record.index > self.until):
            return
        if record.kind == "handshake" and record.data.get("status") == 101:
            self._opened = True
        if record.kind == "end" and record.data["by"] == "server" and self._end is None:
            self._end = record

    def end(self) -> Finding:
        expected = f"{self.conn} stays open"
        if self._end is not None:
            return Finding("broken", expected, how_it_ended(self._end), (self._end.index,))
        if not self._opened:
            return Finding("unclear", expected, "it was never open")
        return Finding("holds", expected, "open")


@dataclass
class Pings(Judge):
    """From record `after` to record `until`, signs of life come to `conn` at most `max_gap` seconds apart.

    `sign` is `ping` (WebSocket Ping), `heartbeat` (the dialect's), or `data` (any application frame).
    """

    conn: str
    after: int
    until: int
    max_gap: float
    sign: str = "ping"
    _at: list[float] = field(default_factory=list, init=False)
    _stop: float | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index in (self.after, self.until):
            self._at.append(record.t)
            self._stop = record.t if record.index == self.until else None
        elif self.after < record.index < self.until and record.conn == self.conn and self._is_sign(record):
            self._at.append(record.t)

    def _is_sign(self, record: Record) -> bool:
        if self.sign == "ping":
            return record.kind == "received" and record.data["opcode"] == 9
        if self.sign == "heartbeat":
            return record.kind == "event" and record.data["kind"] == "heartbeat"
        return record.kind == "received" and record.data["opcode"] in (1, 2)

    def end(self) -> Finding:
        expected = f"a {self.sign} at least every {self.max_gap:g} s on {self.conn}"
        gaps = [later - earlier for earlier, later in pairwise(self._at)]
        if self._stop is None or not gaps:
            return Finding("unclear", expected, "not observed to the end", (self.after,))
        seen = f"{len(self._at) - 2} in {self._at[-1] - self._at[0]:.2f} s, longest gap {max(gaps):.2f} s"
        if len(self._at) == 2 and self._at[-1] - self._at[0] <= self.max_gap:
            return Finding("unclear", expected, f"{seen}: listened too short", (self.after, self.until))
        return Finding(self.bounded(max(gaps), self.max_gap), expected, seen, (self.after, self.until))


@dataclass
class Pongs(Judge):
    """The Ping written in record `ping` is answered by a Pong of equal payload within `within` seconds."""

    conn: str
    ping: int
    within: float = 1.0
    _sent: Record | None = field(default=None, init=False)
    _pong: Record | None = field(default=None, init=False)
    _wrong: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.ping:
            self._sent = record
        elif self._sent is None or record.conn != self.conn:
            return
        elif record.kind == "received" and record.data["opcode"] == 10 and self._pong is None:
            same = all(record.data.get(key) == self._sent.data.get(key) for key in ("text", "base64", "length"))
            if same:
                self._pong = record
            else:
                self._wrong = record
        elif record.kind == "end":
            self._end = record

    def end(self) -> Finding:
        expected = f"a Pong with the payload of the Ping within {self.within:g} s"
        if self._sent is None or self._pong is None:
            seen = "no such Pong"
            if self._wrong is not None:
                seen += f", one with {shown(self._wrong.data.get('text') or self._wrong.data.get('base64') or '')!r}"
            if self._end is not None:
                seen += f"; {how_it_ended(self._end)}"
            return Finding("broken", expected, seen, (self.ping, *([self._wrong.index] if self._wrong else [])))
        took = self._pong.t - self._sent.t
        return Finding(self.bounded(took, self.within), expected, f"after {took:.3f} s", (self.ping, self._pong.index))


@dataclass
class Silent(Judge):
    """The server writes no application frame to `conn` between records `after` and `until`."""

    conn: str
    after: int
    until: int | None = None
    _frame: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.index <= self.after or self._frame is not None:
            return
        if self.until is not None and record.index > self.until:
            return
        if record.kind == "received" and record.data["opcode"] in (0, 1, 2):
            self._frame = record

    def end(self) -> Finding:
        expected = f"nothing more on {self.conn}"
        if self._frame is None:
            return Finding("holds", expected, "nothing")
        return Finding("broken", expected, f"got {shown(self._frame.data.get('text', ''))}", (self._frame.index,))


@dataclass
class Compressed(Judge):
    """The handshake of `conn` negotiated compression (RFC 7692)."""

    conn: str
    _answer: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.conn == self.conn and record.kind == "handshake":
            self._answer = record

    def extensions(self) -> str | None:
        """What the server accepted of the extensions offered, None before it answered."""
        if self._answer is None:
            return None
        named = (value for name, value in self._answer.data["headers"] if name.lower() == "sec-websocket-extensions")
        return ", ".join(named)

    def _found(self, outcome: Outcome, expected: str, seen: str) -> Finding:
        return Finding(outcome, expected, seen, () if self._answer is None else (self._answer.index,))

    def end(self) -> Finding:
        named = self.extensions()
        outcome: Outcome = "unclear" if named is None else "holds" if "permessage-deflate" in named else "broken"
        return self._found(outcome, "a handshake with compression", f"negotiated: {shown(named or 'none')}")


@dataclass
class Uncompressed(Compressed):
    """The handshake of `conn` negotiated no compression, unless that is `tolerated`: it may be configured (LIMIT-4)."""

    tolerated: bool = False

    def end(self) -> Finding:
        named, expected = self.extensions(), "a handshake without compression"
        if not named:
            return self._found("unclear" if named is None else "holds", expected, "none was negotiated")
        return self._found("tolerated" if self.tolerated else "broken", expected, f"negotiated: {shown(named)}")
