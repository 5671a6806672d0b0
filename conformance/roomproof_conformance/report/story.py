"""A transcript as people read it: one line for each frame, with what the dialect and the scenario made of it.

Handshakes, operations and events are folded into the frames that they belong to, and a long story is
cut around its evidence. The sequence diagram, the listing and the terminal all tell this same story.
Knows no report format.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from roomproof_conformance.results import CheckResult
from roomproof_conformance.transcript import Record, Transcript
from roomproof_conformance.verdicts import Judged

from .escaping import payload, visible

Role = Literal["open", "refused", "out", "in", "fault", "local", "end", "mark", "decided"]

CLOSE = 8
OPCODES = {0: "continuation", 1: "text", 2: "binary", CLOSE: "close", 9: "ping", 10: "pong"}


@dataclass
class Line:
    """One thing that happened.

    `label` says what it was, `gist` what was chatted, `data` is the record, with its payload if it has one.
    """

    index: int
    t: float
    conn: str
    role: Role
    label: str
    data: dict[str, Any]
    evidence: bool = False
    gist: str = ""

    def text(self, limit: int) -> str:
        """The payload in at most about `limit` characters, hostile ones made visible."""
        if (
            "length" not in self.data
            or self.data.get("opcode") == CLOSE
            or (self.data["length"] == 0 and not self.label.startswith("text"))
        ):
            return ""
        kept = self.data.get("text"), self.data.get("base64"), self.data["length"]
        return payload(*kept, limit, cut="cut" in self.data)


@dataclass(frozen=True)
class Gap:
    """Lines that were left out."""

    count: int


def story(transcript: Transcript, judged: Judged | None = None) -> list[Line]:
    """All lines of a transcript; those that show why `judged` was decided so are its evidence."""
    told = _Story(set(judged.finding.evidence) if judged else set(), statement(transcript, judged))
    for record in transcript:
        told.add(record)
    return told.lines


def statement(transcript: Transcript, judged: Judged | None) -> Record | None:
    """The record in which the scenario made the statement that `judged` is about; a watch has none."""
    if judged is None:
        return None
    for record in transcript:
        if record.kind == "statement" and (record.data.get("check"), record.data.get("says")) == (
            judged.check,
            judged.sentence,
        ):
            return record
    return None


def sent_before(transcript: Transcript, check: CheckResult, count: int = 3) -> tuple[list[Line], int]:
    """What the kit sent that led to the evidence: the last `count` lines, and how many came before them."""
    judged = check.conclusion.judged
    lines = story(transcript, judged)
    stated = statement(transcript, judged)
    params = stated.data.get("params", {}) if stated else {}
    since = max(params.get("op") or 0, params.get("after") or 0)
    shown = [line.index for line in lines if line.evidence and line.role in ("in", "fault", "end")]
    until = shown[0] if shown else stated.index if stated else len(transcript)
    sent = [line for line in lines if line.role in ("out", "local") and line.index <= until]
    spoken = [line for line in sent if not line.label.startswith("pong")]
    chosen = [line for line in spoken if line.index >= since] or spoken
    return chosen[-count:], max(0, len(chosen) - count)


def cut(lines: Sequence[Line], limit: int) -> list[Line | Gap]:
    """The `limit` lines nearest to the evidence (what led to it counts double), the rest as gaps.

    Without evidence the end of the story is what matters.
    """
    far = 3 * len(lines) + 1
    distance = [0 if line.evidence else far for line in lines]
    if lines and not any(line.evidence for line in lines):
        distance[-1] = 0
    for i in range(1, len(lines)):
        distance[i] = min(distance[i], distance[i - 1] + 2)
    for i in range(len(lines) - 2, -1, -1):
        distance[i] = min(distance[i], distance[i + 1] + 1)
    nearest = set(sorted(range(len(lines)), key=lambda i: distance[i])[:limit])
    shown: list[Line | Gap] = []
    for i, line in enumerate(lines):
        if i in nearest:
            shown.append(line)
        elif shown and isinstance(last := shown[-1], Gap):
            shown[-1] = Gap(last.count + 1)
        else:
            shown.append(Gap(1))
    return shown


def connections(lines: Iterable[Line | Gap]) -> list[str]:
    """The names of the connections that occur, in the order of their first line."""
    return list(dict.fromkeys(line.conn for line in lines if isinstance(line, Line) and line.conn))


class _Story:
    """Folds records into lines."""

    def __init__(self, evidence: Collection[int], stated: Record | None) -> None:
        self.lines: list[Line] = []
        self._evidence = evidence
        self._stated = stated
        self._lines: dict[int, Line] = {}  # by the index of each record that is folded into the line
        self._op: dict[str, Record] = {}  # begun, its frame not seen yet
        self._opening: dict[str, Line] = {}

    def add(self, record: Record) -> None:
        data = record.data
        if record.kind != "sent" and (op := self._op.pop(record.conn, None)) is not None:
            self._line(op, "local", visible(f"{op.data.get('op')}: nothing to send", 120))
        match record.kind:
            case "open":
                self._opening[record.conn] = self._line(
                    record, "open", f"connects to {visible(str(data.get('url')), 120)}"
                )
            case "handshake":
                self._handshake(record)
            case "op":
                self._op[record.conn] = record
            case "sent":
                self._frame(record, "out")
            case "received":
                self._frame(record, "in")
            case "event":
                self._event(record)
            case "fault":
                self._line(
                    record,
                    "fault",
                    f"breaks RFC 6455: {data.get('name')}, {visible(str(data.get('detail')), 160)}",
                )
            case "local":
                what = ", ".join(data.get("what", ()))
                self._line(record, "local", visible(f"{data.get('action')} {what}".strip(), 120))
            case "end":
                self._line(record, "end", _ending(record))
            case "mark":
                self._line(record, "mark", visible(str(data.get("name")), 160))
            case "statement" if record is self._stated:
                self._line(record, "decided", visible(str(data.get("says")) or "decided here", 160)).evidence = True
            case _:
                pass

    def _line(self, record: Record, role: Role, label: str) -> Line:
        line = Line(record.index, record.t, record.conn, role, label, dict(record.data))
        self.lines.append(line)
        self._fold(record, line)
        return line

    def _fold(self, record: Record, line: Line) -> None:
        self._lines[record.index] = line
        line.evidence = line.evidence or record.index in self._evidence

    def _handshake(self, record: Record) -> None:
        accepted = record.data.get("status") == 101
        answer = (
            "101" if accepted else f"HTTP {record.data.get('status')} {visible(str(record.data.get('body', '')), 80)}"
        )
        line = self._opening.pop(record.conn, None) or self._line(record, "open", "connects")
        line.label = f"{line.label}: {answer.strip()}"
        line.role = "open" if accepted else "refused"
        self._fold(record, line)

    def _frame(self, record: Record, role: Role) -> None:
        line = self._line(record, role, _frame_name(record))
        if role == "out" and (op := self._op.pop(record.conn, None)) is not None:
            line.label = _joined(line.label, visible(str(op.data.get("op")), 40))
            line.gist = _gist(op.data.get("args"))
            self._fold(op, line)

    def _event(self, record: Record) -> None:
        line = self._lines.get(record.data.get("frame", -1))
        if line is None:
            line = self._line(record, "in", "")
        line.label = _joined(line.label, visible(str(record.data.get("kind")), 40))
        if record.data.get("kind") == "message":
            line.gist = _gist(record.data.get("fields"))
        self._fold(record, line)


def _gist(fields: Any) -> str:
    """The text of a message, shown before the rest of its frame, where it would often be cut off."""
    text = fields.get("text") if isinstance(fields, dict) else None
    return f"“{visible(text, 24)}”" if isinstance(text, str) and text else ""


def _joined(label: str, more: str) -> str:
    """What a frame means instead of its opcode, where it is a plain text frame."""
    return more if label in ("text", "") else f"{label}, {more}"


def _frame_name(record: Record) -> str:
    data = record.data
    opcode = data.get("opcode")
    if opcode is None:
        return "raw bytes"
    name = OPCODES.get(opcode, f"reserved opcode {opcode}")
    if opcode == CLOSE:
        name += f" {'without a code' if data.get('code') is None else data['code']}"
        name += f" {visible(str(data['reason']), 60)!r}" if data.get("reason") else ""
    odd = [] if data.get("fin", True) else ["not final"]
    odd += [f"rsv {data['rsv']}"] if data.get("rsv") else []
    odd += ["unmasked"] if record.kind == "sent" and data.get("masked") is False else []
    odd += ["masked"] if record.kind == "received" and data.get("masked") else []
    return f"{name} ({', '.join(odd)})" if odd else name


def _ending(record: Record) -> str:
    data = record.data
    by = "the server" if data.get("by") == "server" else "the kit"
    if data.get("how") == "close":
        code = "without a code" if data.get("code") is None else data["code"]
        reason = f" '{visible(str(data['reason']), 60)}'" if data.get("reason") else ""
        return f"closed by {by}: {code}{reason}"
    how = {"eof": "TCP ended", "reset": "TCP reset", "aborted": "cut"}.get(
        str(data.get("how")), visible(str(data.get("how")), 20)
    )
    return f"{how} by {by}, without a Close frame"
