"""Hand-made transcripts for the tests of judges: a few words a record."""

from __future__ import annotations

from typing import Any

from roomproof_conformance.judges import Judge, evaluate
from roomproof_conformance.transcript import FORMAT, Transcript
from roomproof_conformance.verdicts import Finding


class Script:
    """Builds a transcript record by record; every method returns the record's index."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self.add(
            0.0, "", "case", format=FORMAT, checks=["X-1.test"], dialect="roomproof.v1", capabilities=[], run="abcdef"
        )

    def add(self, t: float, conn: str, kind: Any, /, **data: Any) -> int:
        return self.transcript.add(t, conn, kind, **data).index

    def opened(self, t: float, conn: str, status: int = 101) -> int:
        return self.add(t, conn, "handshake", status=status, subprotocol=None)

    def event(self, t: float, conn: str, event_kind: str, /, tree: Any = None, **fields: Any) -> int:
        if "sender" in fields:
            fields["from"] = fields.pop("sender")
        return self.add(t, conn, "event", kind=event_kind, fields=fields, tree=tree, rule="")

    def send(self, t: float, conn: str, text: str, *, user: str | None = None, room: str = "r") -> int:
        return self.add(t, conn, "op", op="send", ref=None, user=user or conn, args={"room": room, "text": text})

    def op(self, t: float, conn: str, op: str, **args: Any) -> int:
        return self.add(t, conn, "op", op=op, ref="q", user=conn, args=args)

    def reply(self, t: float, conn: str, op: int, event: int | None, *, ok: bool = True) -> int:
        early = {}
        if event is not None and event < op:
            early = {"early": dict(self.transcript.records[event].data)}
        return self.add(t, conn, "reply", op=op, ok=ok, event=event, **early)

    def frame(self, t: float, conn: str, opcode: int, kind: str = "received", **data: Any) -> int:
        return self.add(t, conn, kind, opcode=opcode, **data)

    def end(self, t: float, conn: str, *, code: int | None = None, by: str = "server", how: str = "close") -> int:
        return self.add(t, conn, "end", how=how, code=code, reason="", clean=True, by=by)

    def mark(self, t: float) -> int:
        return self.add(t, "", "mark", name="here")

    def judged(self, judge: Judge) -> Finding:
        """The finding; the judge is made again from its JSON parameters, as offline."""
        from roomproof_conformance.judges import judge_named

        return evaluate(judge_named(judge.kind, judge.params()), self.transcript.records)
