"""Where a new transcript departs from the old one: verdicts, and the first difference on each connection."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

from roomproof_conformance.judges.base import how_it_ended, shown
from roomproof_conformance.transcript import Record, Transcript
from roomproof_conformance.verdicts import Verdict

from .rejudging import BROKEN, Said


def of_verdicts(old: list[Said], new: list[Said]) -> list[str]:
    """A line for each check of which not the same is said, and for each watch that only one of them breaks."""
    then: Mapping[str, Verdict] = {said.check: said.conclusion.verdict for said in old}
    lines = []
    for said in new:
        before, now = then.get(said.check), said.conclusion.verdict
        if before not in (None, now) and (not said.watch or {before, now} & BROKEN):
            lines.append(f"{said.check}: {before} in the file, {now} now")
    return lines


def of_conversations(old: Transcript, new: Transcript) -> list[str]:
    """A line for each connection on which the server did something else: the first difference in kind or code.

    Texts, ids and times are not compared, signs of life are left out, and so is the order between connections.
    """
    lines = []
    then, now = _heard(old), _heard(new)
    for conn in dict.fromkeys((*then, *now)):
        pairs = zip_longest(then.get(conn, []), now.get(conn, []))
        for place, (before, after) in enumerate(pairs, 1):
            if _gist(before) != _gist(after):
                lines.append(f"{conn}: at place {place} {_words(before)} in the file, {_words(after)} now")
                break
    return lines


def _heard(transcript: Transcript) -> dict[str, list[Record]]:
    """What the server did on each connection."""
    heard: dict[str, list[Record]] = {}
    for record in transcript:
        ended = record.kind == "end" and record.data["by"] == "server"
        event = record.kind == "event" and record.data["kind"] != "heartbeat"
        if ended or event or record.kind in ("handshake", "fault"):
            heard.setdefault(record.conn, []).append(record)
    return heard


def _gist(record: Record | None) -> tuple[object, ...]:
    if record is None:
        return ()
    data = record.data
    if record.kind == "event":
        return (data["kind"], data["fields"].get("code"))
    return (record.kind, data.get("status"), data.get("code"), data.get("name"))


def _words(record: Record | None) -> str:
    if record is None:
        return "nothing"
    if record.kind == "event":
        return f"{record.data['kind']} {shown(record.data['tree'], 100)}"
    if record.kind == "end":
        return how_it_ended(record)
    return f"HTTP {record.data['status']}" if record.kind == "handshake" else f"a fault: {record.data['name']}"
