"""Files of known failures: what a server is known to fail, and what it fails now and then, each with a reason.

They are strict: an entry whose check passes is stale and makes the run red, so that a list can only
shrink with the faults. Knows the registry's names and the result; no socket, judge or report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .dialects import DialectError
from .dialects.errors import did_you_mean
from .dialects.loading import Source, conform, read
from .results import CheckResult, Known, RunResult

if TYPE_CHECKING:
    import jsonschema

Kind = Literal["failing", "flaky"]


class KnownError(ValueError):
    """A file of known failures cannot be used: one clear line with file and line."""


@dataclass(frozen=True)
class Entry:
    """One line of such a file. `check` is an id (of a check or a requirement) or a pattern of them."""

    kind: Kind
    check: str
    reason: str
    where: str
    until: date | None = None

    def matches(self, check: str) -> bool:
        return any(fnmatchcase(name, self.check) for name in (check, check.partition(".")[0]))

    def said_on(self, day: date) -> Known:
        until = self.until.isoformat() if self.until else None
        return Known(self.kind, self.reason, self.where, until, self.until is not None and day > self.until)


@dataclass(frozen=True)
class KnownChecks:
    """All entries that a run was given."""

    entries: tuple[Entry, ...] = ()

    def find(self, check: str) -> Entry | None:
        """The entry that speaks of a check: one that names it goes before patterns, else the first."""
        found = [entry for entry in self.entries if entry.matches(check)]
        return next((entry for entry in found if entry.check == check), found[0] if found else None)

    def mark(self, result: RunResult) -> None:
        """Say in the result, of each check, what is known of it."""
        day = result.began.date()
        result.results = [self._marked(check, day) for check in result.results]

    def _marked(self, check: CheckResult, day: date) -> CheckResult:
        entry = self.find(check.check)
        return check if entry is None else replace(check, known=entry.said_on(day))


def load(failing: str | Path | None, flaky: str | Path | None, checks: Iterable[str]) -> KnownChecks:
    """Read the files of `--known-failing` and `--known-flaky`; `checks` are the ids of all checks there are.

    Raises KnownError for what is no such file, an unknown check, a date that is none, or an entry that stands twice.
    """
    names = list(checks)
    entries: list[Entry] = []
    for file, kind in ((failing, "failing"), (flaky, "flaky")):
        if file is not None:
            entries += parse(_text(Path(file)), str(file), "failing" if kind == "failing" else "flaky", names)
    return KnownChecks(tuple(_once(entries)))


def parse(text: str, label: str, kind: Kind, checks: Iterable[str]) -> list[Entry]:
    """The entries of a file's text; `label` names it in errors. Raises KnownError."""
    names = list(checks)
    try:
        source = read(text, label)
        conform(source, _validator())
    except DialectError as error:
        raise KnownError(str(error)) from None
    return [_entry(source, place, item, kind, names) for place, item in enumerate(source.data["checks"])]


def _entry(source: Source, place: int, item: dict[str, Any], kind: Kind, names: list[str]) -> Entry:
    where = f"{source.label}:{source.line(('checks', place, 'check'))}"
    entry = Entry(kind, item["check"], " ".join(item["reason"].split()), where, _day(source, place, item.get("until")))
    if not any(entry.matches(name) for name in names):
        known = [*names, *dict.fromkeys(name.partition(".")[0] for name in names)]
        hint = did_you_mean(entry.check, known)
        hint = hint if "did you mean" in hint else "; `roomproof list` shows all"
        raise KnownError(source.problem(("checks", place, "check"), f"no check is called {entry.check!r}{hint}"))
    return entry


def _day(source: Source, place: int, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise KnownError(source.problem(("checks", place, "until"), f"{text} is no date: {error}")) from None


def _once(entries: list[Entry]) -> list[Entry]:
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.check, entry)
        if first is not entry:
            raise KnownError(f"{entry.where}: {entry.check} stands twice, first at {first.where}")
    return entries


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise KnownError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise KnownError(f"{path}: cannot be read: {error.strerror or error}") from None


@cache
def _validator() -> jsonschema.Draft202012Validator:
    import jsonschema

    return jsonschema.Draft202012Validator(schema())


def schema() -> dict[str, Any]:
    """The JSON Schema of files of known failures."""
    data: dict[str, Any] = json.loads(files("roomproof_conformance").joinpath("known.schema.json").read_text("utf-8"))
    return data
