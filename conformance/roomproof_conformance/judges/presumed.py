"""What every conversation presumes of a server, whatever it was made for, and a row judges by itself.

A server that breaks one of these turns the watch of that row red; what other cases could not find out because of it is
not held against it a second time (`judging`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .everywhere import Everywhere
from .rate import Attempts, standing

PING, PONG = 9, 10
RAW = None
"""The opcode of bytes that are no frame."""


@dataclass
class AnsweredIsAlive(Everywhere):
    """Who answers every Ping that it is sent and reads is not closed for its silence.

    The kit's clients answer Pings at once, without a record of it. Left out: those that were told not to or to read
    slowly, that send Pongs or raw bytes of their own, and times in which the kit itself was late.
    """

    reads = frozenset({"case", "sent", "received", "local", "end"})
    expected: ClassVar[str] = "a client that answers every Ping stays connected (BEAT-5)"
    nothing: ClassVar[str] = "nobody was sent a Ping"
    _beat: dict[str, Any] | None = field(default=None, init=False)
    _asked: set[str] = field(default_factory=set, init=False)
    _odd: set[str] = field(default_factory=set, init=False)

    def step(self, record: Record) -> None:
        conn, data = record.conn, record.data
        if record.kind == "case":
            self._beat = data.get("heartbeat")
        elif record.kind == "local" or (record.kind == "sent" and data["opcode"] in (PONG, RAW)):
            self._odd.add(conn)
        elif record.kind == "received" and data["opcode"] == PING:
            self._looked += 1
            self._asked.add(conn)
        elif record.kind == "end":
            self._ended(record)

    def _ended(self, record: Record) -> None:
        beat, conn = self._beat, record.conn
        if beat is None or record.data["by"] != "server" or record.data.get("code") != beat["code"]:
            return
        if conn not in self._odd and self.noise < beat["timeout"] / 3:
            asked = "answered every Ping" if conn in self._asked else "was never sent a Ping"
            self.violated(f"{conn} {asked} and was closed {beat['code']}", record.index)


@dataclass
class QuotaIsGranted(Everywhere):
    """No message is refused for its user's rate with less than the quota admitted in the window before it."""

    reads = frozenset({"case", "op", "sent", "event", "reply"})
    expected: ClassVar[str] = "a message within its user's quota is admitted (RATE-2)"
    nothing: ClassVar[str] = "no message was refused for the rate of its user"
    _quota: dict[str, Any] | None = field(default=None, init=False)
    _attempts: Attempts = field(default_factory=Attempts, init=False, repr=False)

    def step(self, record: Record) -> None:
        if record.kind == "case":
            self._quota = record.data.get("quota")
        elif self._quota is not None:
            self._attempts.step(record)

    def end(self) -> Finding:
        if self._quota is None:
            return super().end()
        refused = [a for a in self._attempts.all if a.outcome == "refused" and a.scope in (None, "user")]
        self._looked = len(refused)
        for attempt in refused:
            own = [a for a in self._attempts.all if a.user == attempt.user]
            before = standing(attempt, own, self._quota["per"])
            if len(before) < self._quota["allow"]:
                seen = f"{attempt.conn} was refused with {len(before)} admissions that can stand in its window"
                self.violated(seen, attempt.op, *([attempt.evidence] if attempt.evidence is not None else []))
        return super().end()


PRESUMED: tuple[tuple[type[Everywhere], str], ...] = ((AnsweredIsAlive, "BEAT-5"), (QuotaIsGranted, "RATE-2"))
"""Each with the row that judges it."""
