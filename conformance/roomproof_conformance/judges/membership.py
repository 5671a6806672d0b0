"""Judges of what an open socket promises, and of how signs of life are spread."""

from __future__ import annotations

from dataclasses import dataclass, field

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, how_it_ended


@dataclass
class Hears(Judge):
    """As long as `conn` is open it receives every one of the texts that others sent to its room after record `after`.

    `may_end`: the server may end the connection (it claims that such a client is let go); what it
    must not do is to leave the socket open and the member out (BEAT-5).
    """

    conn: str
    room: str
    texts: list[str]
    after: int
    may_end: bool = False
    _start: float = field(default=0.0, init=False)
    _sent: dict[str, Record] = field(default_factory=dict, init=False)
    _got: dict[str, Record] = field(default_factory=dict, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.kind == "op" and record.data["op"] == "send" and record.data["args"].get("text") in self.texts:
            self._sent[record.data["args"]["text"]] = record
        elif record.conn != self.conn:
            return
        elif record.kind == "event" and record.data["kind"] == "message":
            text = record.data["fields"].get("text")
            if text in self.texts:
                self._got.setdefault(text, record)
        elif record.kind == "end" and record.data["by"] == "server":
            self._end = record

    def settled(self) -> bool:
        return self._end is not None

    def end(self) -> Finding:
        expected = f"{self.conn} hears its room while its socket is open" + (
            "" if self.may_end else ", and stays connected"
        )
        if self._end is not None and not self.may_end:
            return Finding("broken", expected, how_it_ended(self._end), (self._end.index,))
        missed = [self._sent[t] for t in self.texts if t in self._sent and t not in self._got]
        if self._end is not None:
            missed = [record for record in missed if record.t < self._end.t - 1.0]
        if not missed:
            return Finding("holds", expected, f"heard {len(self._got)} of {len(self.texts)}")
        last = max((r for r in self._got.values()), key=lambda r: r.t, default=None)
        heard = f"last heard {last.t - self._start:.1f} s after its last frame" if last else "heard nothing"
        seen = f"{heard}; missed what was sent {missed[0].t - self._start:.1f} s after it"
        seen += f"; {how_it_ended(self._end)}" if self._end else "; its socket is still open"
        return Finding("broken", expected, seen, tuple(r.index for r in (last, missed[0], self._end) if r is not None))


EARLY = 0.05
"""Seconds before half an interval at which a first Ping may come: timers are not exact."""


@dataclass
class SpreadPings(Judge):
    """The first Pings of the connections, counted from each one's welcome, fall into I/2..I and not all together."""

    conns: list[str]
    interval: float
    _begun: dict[str, float] = field(default_factory=dict, init=False)  # no earlier than the server's own beginning
    _opened: dict[str, float] = field(default_factory=dict, init=False)
    _first: dict[str, Record] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.conn not in self.conns:
            return
        if record.kind == "handshake":
            self._begun[record.conn] = record.t
        elif record.kind == "event" and record.data["kind"] == "welcome":
            self._opened[record.conn] = record.t
        elif record.kind == "received" and record.data["opcode"] == 9 and record.conn in self._opened:
            self._first.setdefault(record.conn, record)

    def end(self) -> Finding:
        expected = f"first Pings spread between {self.interval / 2:g} and {self.interval:g} s"
        delays = sorted(record.t - self._opened[conn] for conn, record in self._first.items())
        if len(delays) < len(self.conns) // 2:
            return Finding(
                "unclear", expected, f"only {len(delays)} of {len(self.conns)} connections got a Ping in time"
            )
        width = delays[-1] - delays[0]
        seen = f"{len(delays)} first Pings between {delays[0]:.2f} and {delays[-1]:.2f} s"
        early = self.interval / 2 - min(record.t - self._begun.get(conn, 0.0) for conn, record in self._first.items())
        if early > EARLY:
            return Finding("unclear" if early - EARLY <= self.noise else "broken", expected, f"{seen}, too early")
        if width >= self.interval * 0.2:
            return Finding("holds", expected, seen)
        return Finding("unclear" if self.noise > self.interval * 0.1 else "broken", expected, seen)


@dataclass
class TicksWhenIdle(Judge):
    """No heartbeat event comes to `conn` within half an interval (seconds) of another frame (BEAT-3).

    Half, because the first one of a connection may come that early (BEAT-9). Without `least` other
    frames nothing was put to the test.
    """

    conn: str
    interval: float
    after: int = 0
    until: int | None = None
    least: int = 3
    _last: Record | None = field(default=None, init=False)
    _frames: int = field(default=0, init=False)
    _early: tuple[float, int, int] | None = field(default=None, init=False)

    def starts(self) -> int:
        return self.after

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.kind != "event":
            return
        if self.until is not None and record.index > self.until:
            return
        if record.data["kind"] != "heartbeat":
            self._last, self._frames = record, self._frames + 1
        elif self._last is not None:
            gap = record.t - self._last.t
            if self._early is None or gap < self._early[0]:
                self._early = (gap, self._last.index, record.index)

    def end(self) -> Finding:
        expected = f"no heartbeat within {self.interval / 2:g} s of another frame on {self.conn}"
        if self._early is not None and self._early[0] < self.interval / 2:
            gap, *evidence = self._early
            unclear = gap + self.noise >= self.interval / 2
            seen = f"one came {gap:.2f} s after another frame"
            return Finding("unclear" if unclear else "broken", expected, seen, tuple(evidence))
        if self._frames < self.least:
            return Finding("unclear", expected, f"only {self._frames} other frames came")
        return Finding("holds", expected, f"{self._frames} other frames, and no such heartbeat")


@dataclass
class KeptWhileSending(Judge):
    """`conn` stays open while it sends frames at most `timeout` seconds apart, from `after` to `until` (BEAT-6)."""

    conn: str
    timeout: float
    after: int
    until: int
    _last: float | None = field(default=None, init=False)
    _gap: float = field(default=0.0, init=False)
    _end: Record | None = field(default=None, init=False)

    def starts(self) -> int:
        return self.after

    def step(self, record: Record) -> None:
        if record.index > self.until or self._end is not None:
            return
        if record.index == self.after:
            self._last = record.t
        if record.conn != self.conn:
            return
        ended = record.kind == "end" and record.data["by"] == "server"
        if ended:
            self._end = record
        if (ended or record.kind == "sent") and self._last is not None:
            self._gap = max(self._gap, record.t - self._last)
            self._last = record.t

    def end(self) -> Finding:
        expected = f"{self.conn} stays open while it sends something at least every {self.timeout:g} s"
        if self._gap + self.noise > self.timeout:
            return Finding("unclear", expected, f"the kit itself paused for {self._gap:.2f} s")
        if self._end is not None:
            return Finding("broken", expected, how_it_ended(self._end), (self._end.index,))
        return Finding("holds", expected, f"open; longest pause {self._gap:.2f} s")
