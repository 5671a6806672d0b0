"""What happened on every connection of one case, in order, with times.

A transcript is a list of records. It is the evidence in reports, the only input of the judges,
and a file of JSON lines that gives the same verdicts again tomorrow. Knows no socket and no verdict.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO, get_args

from .events import Event

FORMAT = 2
"""Version of the format; the first record states it. 1 did not say what a replay needs."""

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
    "crash",  # the scenario broke off: verdict, reason and explanation for what was not judged by then
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
            "t": self.t,
            "conn": self.conn,
            "kind": self.kind,
            "data": self.data,
        }


@dataclass(slots=True)
class Transcript:
    """The growing record of one case."""

    records: list[Record] = field(default_factory=list)

    def add(self, t: float, conn: str, kind: RecordKind, /, **data: Any) -> Record:
        record = Record(len(self.records), round(t, 6), conn, kind, data)  # as it is written: judged the same there
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

    Raises ValueError that names the line when it is not a transcript of this version of the kit.
    """
    transcript = Transcript()
    number = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{source}:{number}"
        record = _record(line, where)
        if record.index != len(transcript.records):
            raise ValueError(f"{where}: expected record {len(transcript.records)}, found record {record.index}")
        if not transcript.records:
            _check_head(record, where)
        transcript.records.append(record)
    if not transcript.records:
        raise ValueError(f"{source}:{number or 1}: no transcript: the file is empty")
    return transcript


def _record(line: str, where: str) -> Record:
    """One line as a record. Raises ValueError."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: no transcript: not JSON ({error})") from None
    if not isinstance(data, dict) or not data.keys() >= {"i", "t", "conn", "kind", "data"}:
        raise ValueError(f"{where}: no transcript record; expected an object with i, t, conn, kind and data")
    i, t, conn, kind, said = (data[name] for name in ("i", "t", "conn", "kind", "data"))
    if kind not in RECORD_KINDS:
        raise ValueError(f"{where}: a record of kind {kind!r}, which this version of the kit does not know")
    right = isinstance(i, int) and isinstance(t, int | float) and isinstance(conn, str) and isinstance(said, dict)
    if not right:
        raise ValueError(f"{where}: expected i and t to be numbers, conn a string and data an object")
    return Record(i, t, conn, kind, said)


def _check_head(record: Record, where: str) -> None:
    """The first record tells what the file is. Raises ValueError."""
    checks = record.data.get("checks")
    if record.kind != "case" or not isinstance(checks, list):
        raise ValueError(f"{where}: a transcript begins with a record of kind case that names its checks")
    found = record.data.get("format")
    if found != FORMAT:
        raise ValueError(
            f"{where}: a transcript of format {found or 'unknown'}, and this kit reads format {FORMAT}: "
            "judge it with the version that wrote it, or run the check again"
        )


def payload_fields(payload: bytes, *, keep: int = 65536, whole: bool = False) -> dict[str, Any]:
    """How a payload is kept: as text where it is UTF-8, else in base64; cut at `keep` bytes with its length said.

    With `whole` one that was cut is kept a second time, compressed, so that it can be sent again (`payload_of`).
    """
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
        if whole:
            fields["deflated"] = base64.b64encode(zlib.compress(payload)).decode()
    return fields


def payload_of(fields: Mapping[str, Any]) -> bytes:
    """The payload that `payload_fields` kept; of one that was cut, and not kept whole, what is there."""
    if "deflated" in fields:
        return zlib.decompress(base64.b64decode(fields["deflated"]))
    if "base64" in fields:
        return base64.b64decode(fields["base64"])
    return str(fields.get("text", "")).encode(errors="surrogatepass")
