"""What happened on every connection of one case, in order, with times.

A transcript is a list of records. It is the evidence in reports, the only input of the judges,
and a file of JSON lines that gives the same verdicts again tomorrow. Knows no socket and no verdict.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO, get_args

from .events import Event

RecordKind = Literal[
    "case",  # first record: check ids, target, dialect, claims, limits, noise floor
    "open",  # the kit asks for a connection: url, headers, subprotocols
    "handshake",  # the answer: status, headers, subprotocol, body
    "sent",  # a frame (or raw bytes) that the kit wrote
    "received",  # a frame that came
    "fault",  # bytes that came and break RFC 6455
    "event",  # what the dialect made of a received message
    "op",  # a canonical operation begins: op, ref, args
    "reply",  # ...and ends: op (index), ok, event (index) or why there is none
    "local",  # the kit does something silent: mute, freeze, reset, half-close
    "end",  # the connection is over: how, code, reason, by
    "mark",  # a moment that a statement refers to
    "statement",  # what must hold of this transcript: check, role, judge, params
    "noise",  # the kit's own worst delay and the link's round trip during the case
]
RECORD_KINDS: frozenset[str] = frozenset(get_args(RecordKind))


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a transcript: `t` in seconds since the case began (monotonic), `conn` the connection's name."""

    index: int
    t: float
    conn: str
    kind: RecordKind
    data: Mapping[str, Any]

    @property
    def event(self) -> Event:
        """The canonical event of a record of kind `event`."""
        return Event.from_json(self.data)

    def as_json(self) -> dict[str, Any]:
        return {
            "i": self.index,
            "t": round(self.t, 6),
            "conn": self.conn,
            "kind": self.kind,
            "data": self.data,
        }


@dataclass(slots=True)
class Transcript:
    """The growing record of one case."""

    records: list[Record] = field(default_factory=list)

    def add(self, t: float, conn: str, kind: RecordKind, /, **data: Any) -> Record:
        record = Record(len(self.records), t, conn, kind, data)
        self.records.append(record)
        return record

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def write(self, file: TextIO) -> None:
        """Write JSON lines; lone surrogates that a server sent survive as escapes."""
        for record in self.records:
            file.write(json.dumps(record.as_json(), ensure_ascii=True, separators=(",", ":"), default=str) + "\n")


def read(lines: Iterable[str], *, source: str = "transcript") -> Transcript:
    """Read what `Transcript.write` wrote.

    Raises ValueError that names the line when it is not a transcript.
    """
    transcript = Transcript()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            line_data = json.loads(line)
            i, t, conn, kind, data = (line_data[name] for name in ("i", "t", "conn", "kind", "data"))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{source}:{number}: not a transcript record ({error}); expected an object with i, t, conn, kind, data"
            ) from None
        if kind not in RECORD_KINDS or i != len(transcript.records) or not isinstance(data, dict):
            raise ValueError(f"{source}:{number}: unexpected record {i} of kind {kind!r}")
        transcript.records.append(Record(i, t, conn, kind, data))
    return transcript


def payload_fields(payload: bytes, *, keep: int = 65536) -> dict[str, Any]:
    """How a payload is kept: as text where it is UTF-8, else in base64; cut at `keep` bytes with its length said."""
    cut = payload[:keep]
    fields: dict[str, Any] = {"length": len(payload)}
    try:
        fields["text"] = cut.decode()
    except UnicodeDecodeError as error:
        if len(payload) > keep and error.start >= keep - 4:
            fields["text"] = cut[: error.start].decode()
        else:
            fields["base64"] = base64.b64encode(cut).decode()
    if len(payload) > keep:
        fields["cut"] = True
    return fields
