"""Secrets made unreadable before anything is drawn: tokens and passwords keep a few letters and their length.

Reports are published, and a token in one is a door. What stands under the name of a secret is shortened, and the
same value wherever else it occurs, also cut off. The transcripts that a run writes are evidence and stay whole.
Knows no report format.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.transcript import Record, Transcript
from roomproof_conformance.verdicts import Conclusion, Verdict

SHORTEST = 12
"""Letters from which a value is looked for everywhere: a shorter one would hit innocent text."""

SHOWN = 4000
"""Letters of a frame that are kept: more than any report shows, and less than a hostile server sends."""

MANY = 500
"""Values that are looked for in one run at most."""

_NAME = r"[\w-]*(?:token|password|secret|api_?key)"
_MEMBER = re.compile(
    rf"""(["']{_NAME}\\*["']\s*:\s*\\*["'])([^"'\\]*(?:\\[^"'][^"'\\]*)*)""", re.IGNORECASE
)  # of JSON, also of JSON in a string, also cut off
_QUERY = re.compile(rf"""([?&;]{_NAME}=)((?:[^&;#\s"'<>…:,)]|[:,)](?=\S))++)(?!…)""", re.IGNORECASE)
_USERINFO = re.compile(r"(://[^/\s:@]*:)([^/\s@]+)(?=@)")
_JWT = re.compile(r"()(\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?)")
_NAMED = (_MEMBER, _QUERY, _USERINFO, _JWT)
_HINT = re.compile("token|password|secret|key|@|eyj")
_SHORTENED = re.compile(r"… \([\d,]+ characters\)")
_WHOLE_WORD = re.compile(r"[\w.~+/=:-]+")


def hide(text: str) -> str:
    """`text` with all that stands under the name of a secret shortened."""
    if not _likely(text):
        return text
    for pattern in _NAMED:
        text = pattern.sub(lambda found: found[1] + _short(found[2]), text)
    return text


def _likely(text: str) -> bool:
    """Whether a search is worth its time: most frames hold nothing of the kind."""
    return _HINT.search(text.lower()) is not None


def conceal(result: RunResult) -> RunResult:
    """The result as reports may show it: secrets shortened, and only the transcripts of what did not pass."""
    if result.concealed:
        return result
    shown = {check.case for check in result.results if check.verdict is not Verdict.PASS}
    transcripts = {case: transcript for case, transcript in result.transcripts.items() if case in shown}
    hider = _Hider.of(transcripts.values())
    return replace(
        result,
        target=hider.text(result.target),
        notes=[hider.text(note) for note in result.notes],
        results=[hider.check(check) for check in result.results],
        transcripts={case: hider.transcript(transcript) for case, transcript in transcripts.items()},
        concealed=True,
    )


@dataclass(frozen=True)
class _Hider:
    """Shortens what is named a secret, and the `values` that were seen under such a name."""

    values: re.Pattern[str] | None

    @classmethod
    def of(cls, transcripts: Iterable[Transcript]) -> _Hider:
        found: dict[str, None] = {}
        for transcript in transcripts:
            for record in transcript:
                for value in _values(record):
                    if len(value) >= SHORTEST and _WHOLE_WORD.fullmatch(value):
                        found[value[: max(SHORTEST, len(value) // 2)]] = None  # one that was cut begins like it
        if not found:
            return cls(None)
        heads = sorted(list(found)[:MANY], key=len, reverse=True)
        return cls(re.compile("()((?:" + "|".join(map(re.escape, heads)) + r")[\w.~+/=:-]*)"))

    def text(self, text: str) -> str:
        text = hide(text)
        return text if self.values is None else self.values.sub(lambda found: _short(found[2]), text)

    def check(self, check: CheckResult) -> CheckResult:
        return replace(check, conclusion=self._conclusion(check.conclusion), repeat=self.text(check.repeat))

    def _conclusion(self, conclusion: Conclusion) -> Conclusion:
        judged = conclusion.judged
        if judged is not None:
            finding = replace(
                judged.finding, expected=self.text(judged.finding.expected), seen=self.text(judged.finding.seen)
            )
            judged = replace(judged, sentence=self.text(judged.sentence), finding=finding)
        return replace(conclusion, explanation=self.text(conclusion.explanation), judged=judged)

    def transcript(self, transcript: Transcript) -> Transcript:
        return Transcript([self._record(record) for record in transcript])

    def _record(self, record: Record) -> Record:
        data = {name: self._value(name, value) for name, value in record.data.items() if name != "tree"}
        if any(len(str(record.data.get(name, ""))) > SHOWN for name in ("text", "base64")):
            data["cut"] = True
        return Record(record.index, record.t, record.conn, record.kind, data)

    def _value(self, name: str, value: Any) -> Any:
        match value:
            case str() if name == "base64":
                return self._bytes(value[:SHOWN])
            case str() if re.fullmatch(_NAME, name, re.IGNORECASE):
                return _short(value)
            case str():
                return self.text(value[:SHOWN])
            case Mapping():
                return {key: self._value(str(key), inner) for key, inner in value.items()}
            case list() | tuple():
                return [self._value("", inner) for inner in value]
            case _:
                return value

    def _bytes(self, value: str) -> str:
        text = base64.b64decode(value).decode("latin-1")
        hidden = self.text(text)
        return value if hidden == text else base64.b64encode(hidden.encode()).decode()


def _values(record: Record) -> Iterable[str]:
    """Everything in a record that is named a secret."""
    for name in ("text", "url", "detail"):
        text = record.data.get(name)
        if isinstance(text, str) and _likely(text):
            yield from (found[2] for pattern in _NAMED for found in pattern.finditer(text[:SHOWN]))
    for name in ("args", "fields"):
        members = record.data.get(name)
        if isinstance(members, Mapping):
            yield from (
                value
                for key, value in members.items()
                if isinstance(value, str) and re.fullmatch(_NAME, str(key), re.IGNORECASE)
            )


def _short(value: str) -> str:
    """A few letters by which its owner knows it again, and its length."""
    if not value or _SHORTENED.search(value):
        return value
    return f"{value[: min(6, len(value) // 3)]}… ({len(value):,} characters)"
