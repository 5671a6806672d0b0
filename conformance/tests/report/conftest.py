"""A run made by hand: passes, reds of every kind, reasons, and the texts of a server that means harm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from roomproof_conformance.judges import Absent, Arrives, Judge, Replied, Stays
from roomproof_conformance.judging import judge_case
from roomproof_conformance.known import Entry, KnownChecks
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.transcript import Record, Transcript, payload_fields
from roomproof_conformance.verdicts import Conclusion, Finding, Judged, Reason, Verdict
from roomproof_protocol import Requirement, requirements

HOSTILE = (
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202egnp.exe",
    "nul\x00nul",
    "half \ud800 pair",
    "'\"><img src=x onerror=alert(2)>",
    "]]></style><style>*{display:none}",
    "Z" + "\u0300" * 40,
    "{{ 7 * 7 }}{% raw %}",
    "[bold red]markup[/bold red] :smile:",
)


class Tape:
    """Writes a transcript as a case would."""

    def __init__(self, *checks: str) -> None:
        self.transcript = Transcript()
        self.t = 0.0
        self.add("", "case", checks=list(checks), target="ws://127.0.0.1:4000/ws", dialect="roomproof.v1")

    def add(self, conn: str, kind: Any, step: float = 0.004, /, **data: Any) -> Record:
        self.t += step
        return self.transcript.add(self.t, conn, kind, **data)

    def opened(self, *names: str) -> None:
        for name in names:
            self.add(name, "open", url="ws://127.0.0.1:4000/ws", headers=[], subprotocols=["roomproof.v1"])
            self.add(name, "handshake", status=101, headers=[], subprotocol="roomproof.v1", body="")
            self.asks(
                name,
                "identify",
                {"type": "hello", "id": "q1", "auth": {"scheme": "guest"}, "name": f"user {name}"},
            )
            self.gets(
                name,
                "welcome",
                {"type": "welcome", "re": "q1", "v": "1", "conn": "c7f", "limits": {"text_bytes": 4096}},
            )

    def sends(self, conn: str, payload: bytes | str, opcode: int = 1, **more: Any) -> Record:
        data = payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")
        return self.add(conn, "sent", opcode=opcode, fin=True, rsv=0, masked=True, **more, **payload_fields(data))

    def asks(self, conn: str, op: str, tree: Any) -> Record:
        record = self.add(conn, "op", op=op, ref=tree.get("id"), user=conn, args={"text": tree.get("text")})
        self.sends(conn, json.dumps(tree))
        return record

    def gets(self, conn: str, kind: str, tree: Any, step: float = 0.004, **fields: Any) -> Record:
        text = json.dumps(tree)
        frame = self.add(
            conn, "received", step, opcode=1, fin=True, rsv=0, masked=False, **payload_fields(text.encode())
        )
        known = {
            name: tree[name] for name in ("room", "text", "code", "seq") if isinstance(tree, dict) and name in tree
        }
        return self.add(
            conn, "event", 0.0, frame=frame.index, kind=kind, fields={**known, **fields}, tree=tree, rule=kind
        )

    def states(self, check: str, judge: Judge, says: str, role: str = "must") -> None:
        self.add("", "statement", check=check, role=role, judge=judge.kind, params=judge.params(), says=says)


ROWS = {row.id: row for row in requirements()}


class Book:
    """Collects check results."""

    def __init__(self) -> None:
        self.result = RunResult(
            "ws://127.0.0.1:4000/ws", "roomproof.v1", "0.1.0", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        )

    def add(
        self, check: str, title: str, conclusion: Conclusion, case: str | None = None, seconds: float = 0.1
    ) -> None:
        row: Requirement = ROWS[check.partition(".")[0]]
        repeat = f"roomproof ws://127.0.0.1:4000/ws --timers short --only {check}"
        self.result.results.append(
            CheckResult(check, row.id, row.group, row.level, title, row.text, conclusion, case, seconds, 1, repeat)
        )

    def judge(self, tape: Tape, titles: dict[str, str]) -> None:
        name = next(iter(titles))
        self.result.transcripts[name] = tape.transcript
        found = judge_case(tape.transcript, titles, lambda check: ROWS[check.partition(".")[0]].level)
        for check, title in titles.items():
            self.add(check, title, found[check], name, tape.t)


def leak(book: Book) -> None:
    tape = Tape("ROOM-5.other-room")
    tape.opened("a", "b", "c")
    for conn, room in (("a", "r1"), ("b", "r2"), ("c", "r1")):
        tape.asks(conn, "join", {"type": "join", "id": "q2", "room": room})
        tape.gets(
            conn,
            "joined",
            {"type": "joined", "re": "q2", "room": room, "epoch": "e1", "head": 0, "messages": []},
        )
    mark = tape.add("", "mark", name="a speaks in r1, where b is not")
    tape.asks("a", "send", {"type": "send", "id": "q3", "room": "r1", "text": "secret-1"})
    for conn in "acb":
        tape.gets(
            conn,
            "message",
            {
                "type": "message",
                "room": "r1",
                "seq": 1,
                "from": {"id": "u1", "name": "user a"},
                "text": "secret-1",
            },
        )
    tape.asks("c", "send", {"type": "send", "id": "q4", "room": "r2", "text": "fence-2"})
    tape.gets("b", "message", {"type": "message", "room": "r2", "seq": 1, "text": "fence-2"})
    judge = Absent("b", {"kind": "message", "text": "secret-1"}, mark.index, None, {"text": "fence-2"})
    tape.states("ROOM-5.other-room", judge, "b, who is in r2 only, hears nothing of r1")
    for conn in "abc":
        tape.add(conn, "end", how="aborted", code=None, reason="", clean=False, by="kit")
    book.judge(tape, {"ROOM-5.other-room": "A member of another room hears nothing"})


def over_admission(book: Book, messages: int = 140) -> None:
    tape = Tape("RATE-3.steady")
    tape.opened("a", "b")
    first = tape.add("", "mark", name="as fast as the socket takes it")
    for number in range(messages):
        tape.asks("a", "send", {"type": "send", "id": f"q{number}", "room": "r1", "text": f"flood-{number}"})
        tape.gets("b", "message", {"type": "message", "room": "r1", "seq": number + 1, "text": f"flood-{number}"})
    seen = Finding(
        "broken",
        "at most 5 messages in any 1.000 s",
        f"{messages} messages in 1.12 s",
        (first.index, len(tape.transcript) - 1),
    )
    book.result.transcripts["RATE-3.steady"] = tape.transcript
    judged = Judged("RATE-3.steady", "must", "no second holds more than five messages", seen)
    book.add(
        "RATE-3.steady",
        "A steady flood is held to the limit",
        Conclusion(Verdict.FAIL, judged=judged),
        "RATE-3.steady",
        tape.t,
    )


def unexpected_close(book: Book) -> None:
    tape = Tape("ERR-2.unknown-type")
    tape.opened("a")
    tape.sends("a", '{"type":"nonsense","id":"q9"}')
    tape.add("a", "local", action="mute", what=["pongs"])
    tape.sends("a", b"\x89\x80raw bytes", opcode=None)
    tape.add("a", "fault", name="reserved-bits", detail="RSV1 is set", **payload_fields(b"\xc1\x02hi"))
    tape.add(
        "a",
        "received",
        opcode=8,
        fin=True,
        rsv=0,
        masked=False,
        code=1011,
        reason=HOSTILE[0],
        **payload_fields(b"\x03\xf3boom"),
    )
    tape.add("a", "end", how="close", code=1011, reason=HOSTILE[0], clean=True, by="server")
    still = tape.add("", "mark", name="a still open?")
    tape.states("ERR-2.unknown-type", Stays("a", still.index), "a stays open after an unknown type")
    book.judge(tape, {"ERR-2.unknown-type": "An unknown type is an error, and not the end"})


def hostile(book: Book) -> None:
    tape = Tape("MSG-3.echo")
    tape.opened("a")
    op = tape.asks("a", "send", {"type": "send", "id": "q3", "room": "r1", "text": "hello-1"})
    for text in HOSTILE:
        tape.gets("a", "error", {"type": "error", "code": text, "text": text})
    big = b'{"type":"message","text":"' + b"A" * 1_000_000 + b'"}'
    tape.add("a", "received", opcode=1, fin=True, rsv=0, masked=False, **payload_fields(big))
    tape.add("a", "received", opcode=2, fin=True, rsv=0, masked=False, **payload_fields(bytes(range(256)) * 300))
    tape.add("a", "end", how="reset", code=None, reason="", clean=False, by="server")
    judge = Arrives("a", {"kind": "message", "text": HOSTILE[0]}, op.index)
    tape.states("MSG-3.echo", judge, f"the message {HOSTILE[2]} reaches a")
    book.judge(tape, {"MSG-3.echo": f"A message comes back {HOSTILE[1]}"})


def refused(book: Book) -> None:
    tape = Tape("HIST-1.join")
    tape.opened("a")
    tape.add("b", "open", url="ws://127.0.0.1:4000/ws", headers=[], subprotocols=[])
    tape.add("b", "handshake", status=503, headers=[], subprotocol=None, body="<h1>busy</h1>")
    op = tape.asks("a", "join", {"type": "join", "id": "q2", "room": "r1"})
    event = tape.gets("a", "error", {"type": "error", "re": "q2", "code": "too_many_rooms"})
    tape.add("a", "reply", op=op.index, ok=False, event=event.index)
    tape.states("HIST-1.join", Replied(op.index, ok=True), "a can join r1", "given")
    book.judge(tape, {"HIST-1.join": "The history comes with the join"})


def without_evidence(book: Book) -> None:
    for check in ("CL-1.two-nodes", "CL-2.two-nodes", "CL-3.two-nodes", "RES-4.restart"):
        book.add(
            check,
            "Two nodes are one server",
            Conclusion(Verdict.NOT_JUDGED, Reason.NEEDS_HOOK, "needs a hook file with `start`"),
        )
    why = Conclusion(Verdict.NOT_JUDGED, Reason.TARGET_DEAD, f"the server was gone: {HOSTILE[0]}")
    book.add("ERR-9.nesting", "Deep nesting is refused", why)
    book.add(
        "PRES-1.join",
        "A join is told",
        Conclusion(Verdict.NOT_APPLICABLE, Reason.NOT_CLAIMED, "not claimed: presence"),
    )
    book.add(
        "PRES-2.leave",
        "A leave is told",
        Conclusion(Verdict.NOT_APPLICABLE, Reason.NOT_CLAIMED, "not claimed: presence"),
    )
    book.add(
        "DISC-3.slow",
        "A stalled reader is cut",
        Conclusion(Verdict.KIT_ERROR, Reason.CRASH, "ValueError: no such room (run, line 12)"),
    )
    book.add(
        "MSG-8.nfc",
        "Text is not normalised",
        Conclusion(Verdict.TOLERATED, explanation="the trailing newline is gone"),
    )
    noisy = Judged(
        "BEAT-2.interval",
        "must",
        "a ping comes in time",
        Finding("unclear", "a ping within 3.00 s", "it came after 3.02 s, noise 0.05 s"),
    )
    book.add(
        "BEAT-2.interval",
        "Pings come in time",
        Conclusion(Verdict.INCONCLUSIVE, Reason.NOISE, noisy.finding.seen, noisy),
    )
    late = Judged("AUTH-12.hint", "must", "a hint comes", Finding("broken", "a notice before the end", "none came"))
    book.add("AUTH-12.hint", "A hint comes before the end", Conclusion(Verdict.WARN, judged=late))


def passes(book: Book, skip: Iterable[str]) -> None:
    taken = set(skip)
    rows = [row for row in requirements() if row.id not in taken and row.observable and not row.reserved]
    for row in rows[:-20]:
        for number in range(1 + len(row.text) // 120):
            book.add(
                f"{row.id}.case-{number + 1}",
                f"Situation {number + 1} in which it must hold",
                Conclusion(Verdict.PASS),
                None,
                0.3,
            )
    book.result.unchecked = [row.id for row in rows[-20:]]
    book.result.not_observable = [row.id for row in requirements() if not row.observable]


def sample() -> RunResult:
    book = Book()
    for part in (leak, over_admission, unexpected_close, hostile, refused, without_evidence):
        part(book)
    passes(book, {r.requirement for r in book.result.results})
    order = {identifier: place for place, identifier in enumerate(ROWS)}
    result = book.result
    result.results.sort(key=lambda r: (order[r.requirement], r.check))
    result.wall, result.sum_of_waits, result.longest_wait, result.worst_lag = 41.27, 1873.4, 34.0, 0.0121
    result.notes = [
        f"after ERR-9.nesting no two new clients can talk ({HOSTILE[0]}); started anew",
        f"odd {HOSTILE[1]}",
    ]
    return result


def clean() -> RunResult:
    book = Book()
    passes(book, ())
    book.result.wall, book.result.sum_of_waits = 12.0, 300.0
    return book.result


@pytest.fixture(scope="session")
def result() -> RunResult:
    return sample()


@pytest.fixture
def known() -> RunResult:
    """The sample with a file's word on four of its checks."""
    result = sample()
    KnownChecks(
        (
            Entry("failing", "RATE-3.*", "being rewritten <b>", "known.yaml:3", date(2027, 1, 31)),
            Entry("failing", "CONN-1.case-1", "was broken", "known.yaml:6"),
            Entry("failing", "ROOM-5.other-room", "should be done", "known.yaml:8", date(2026, 2, 28)),
            Entry("flaky", "BEAT-2.*", "slow machine", "flaky.yaml:3"),
            Entry("flaky", "CONN-2.case-1", "slow machine", "flaky.yaml:5"),
        )
    ).mark(result)
    return result


@pytest.fixture
def conformant() -> RunResult:
    return clean()


@pytest.fixture
def book() -> Book:
    return Book()
