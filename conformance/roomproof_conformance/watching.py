"""The watches of a run: checks folded over every case, whatever its scenario was about.

Pure, the same during a run and offline. All watches go over a transcript in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .judges import Judge
from .judges.base import noise_of
from .transcript import Record, Transcript
from .verdicts import Conclusion, Finding, Judged, Reason, Verdict, conclude

if TYPE_CHECKING:
    from .checks import Watch


def watch_case(watches: Sequence[Watch], transcript: Transcript) -> dict[str, Finding]:
    """What each watch (by its check's id) found in one transcript; `unclear` when nothing of the kind occurred."""
    judges = [watch.judge() for watch in watches]
    noise = noise_of(transcript)
    readers: dict[tuple[str, str], list[Callable[[Record], None]]] = {}
    for judge in judges:
        judge.noise = noise
    for record in transcript:
        key = (record.kind, _type(record))
        if key not in readers:
            readers[key] = [judge.step for judge in judges if _wants(judge, *key)]
        for step in readers[key]:
            step(record)
    for judge in judges:
        judge.last = transcript.records[-1].t
    return {watch.check.id: judge.end() for watch, judge in zip(watches, judges, strict=True)}


def _type(record: Record) -> str:
    """The native type of the message of an event record, empty where there is none."""
    tree = record.data["tree"] if record.kind == "event" else None
    found = tree.get("type") if isinstance(tree, dict) else None
    return found if isinstance(found, str) else ""


def _wants(judge: Judge, kind: str, type_: str) -> bool:
    if judge.reads is not None and kind not in judge.reads:
        return False
    return kind != "event" or judge.types is None or type_ in judge.types


def conclude_watch(
    watch: Watch, cases: Iterable[tuple[str, Mapping[str, Finding]]], level: str
) -> tuple[Conclusion, str | None]:
    """The conclusion over all cases (name, findings), and the case that decided it: the first violation."""
    seen = False
    for name, found in cases:
        finding = found.get(watch.check.id)
        if finding is None:
            continue
        if finding.outcome == "broken":
            return conclude(level, [Judged(watch.check.id, "must", watch.check.title, finding)]), name
        seen = seen or finding.outcome == "holds"
    if not seen:
        return Conclusion(Verdict.NOT_JUDGED, Reason.NOTHING_SEEN, "nothing of the kind occurred in this run"), None
    return Conclusion(Verdict.PASS), None
