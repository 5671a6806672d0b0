"""What every judge is: a fold with parameters that survive JSON, so that verdicts can be had again offline."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

from roomproof_conformance.transcript import RECORD_KINDS, Record, RecordKind
from roomproof_conformance.verdicts import Finding, Outcome

_NAMED: dict[str, type[Judge]] = {}
EVENTS: frozenset[RecordKind] = frozenset({"event"})


@dataclass
class Judge(ABC):
    """One statement about a transcript.

    A subclass is a dataclass whose fields are its JSON parameters; `step` sees every record in
    order, `end` gives the finding over what was seen so far. `noise` is the worst delay (seconds)
    that the kit measured of itself and the link: a deviation smaller than that is `unclear`.
    """

    kind: ClassVar[str] = ""
    reads: ClassVar[frozenset[RecordKind] | None] = None
    """The kinds of record that `step` looks at; None for all. A watch is given no others."""
    types: ClassVar[frozenset[str] | None] = None
    """Likewise of event records: the native types of message that `step` looks at."""
    noise: float = field(default=0.0, init=False, repr=False)
    last: float = field(default=0.0, init=False, repr=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = cls.__name__.lower()
        namesake = _NAMED.setdefault(cls.kind, cls)
        if namesake is not cls:
            raise TypeError(f"two judges are called {cls.__name__}: in {namesake.__module__} and in {cls.__module__}")

    def feed(self, record: Record) -> None:
        """Take the next record: `step`, and keep what every judge needs."""
        self.last = record.t
        if record.kind == "noise":
            self.noise = max(self.noise, record.data["seconds"])
        self.step(record)

    @abstractmethod
    def step(self, record: Record) -> None: ...

    @abstractmethod
    def end(self) -> Finding: ...

    def starts(self) -> int:
        """The index of the first record that can matter: what stands before is not fed."""
        return 0

    def decided(self) -> bool:
        """Whether no further record can change the finding."""
        return False

    def settled(self) -> bool:
        """Whether waiting longer cannot turn the finding into `holds`."""
        return False

    def params(self) -> dict[str, Any]:
        """The JSON parameters that make this judge again; defaults left out."""
        given = {f.name: deepcopy(getattr(self, f.name)) for f in fields(self) if f.init}
        return {
            f.name: given[f.name]
            for f in fields(self)
            if f.init and (f.default is MISSING or given[f.name] != f.default)
        }

    def bounded(self, actual: float, bound: float) -> Outcome:
        """Judge a duration (seconds) against an upper bound, unclear within the noise."""
        if actual <= bound:
            return "holds"
        return "unclear" if actual - bound <= self.noise else "broken"


def judge_named(name: str, params: Mapping[str, Any]) -> Judge:
    """Make the judge that a statement record names. Raises ValueError for a name or parameter of another version."""
    try:
        return _NAMED[name](**params)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"statement with judge {name!r} cannot be judged by this version of the kit: {error}"
        ) from None


def all_judges() -> list[type[Judge]]:
    """Every judge of the modules imported so far."""
    return list(_NAMED.values())


def noise_of(records: Iterable[Record]) -> float:
    """The worst delay (seconds) that was measured while the transcript was written."""
    return max((record.data["seconds"] for record in records if record.kind == "noise"), default=0.0)


def evaluate(judge: Judge, records: Sequence[Record], noise: float | None = None) -> Finding:
    """Fold the judge over the records; `noise` is that of all of them, measured here when it is not given."""
    judge.noise = noise_of(records) if noise is None else noise
    # The innermost loop of every run: what `feed` does, less what is known here.
    step, decided = judge.step, None if type(judge).decided is Judge.decided else judge.decided
    reads = RECORD_KINDS if judge.reads is None else judge.reads
    for record in records[judge.starts() :]:
        judge.last = record.t
        if record.kind not in reads:
            continue
        step(record)
        if decided is not None and decided():
            break
    return judge.end()


def shown(value: Any, limit: int = 160) -> str:
    """A value as it goes into a sentence for people: JSON, cut with its length said."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def how_it_ended(record: Record) -> str:
    """An `end` record in words."""
    data = record.data
    by = "the server" if data.get("by") == "server" else "the kit"
    if data["how"] == "close":
        reason = f" {data['reason']!r}" if data.get("reason") else ""
        code = "without a code" if data.get("code") is None else data["code"]
        return f"{by} closed the connection {code}{reason} at {record.t:.2f} s"
    if data["how"] == "reset":
        return f"{by} reset the TCP connection at {record.t:.2f} s"
    return f"{by} ended the TCP connection without a Close frame at {record.t:.2f} s"
