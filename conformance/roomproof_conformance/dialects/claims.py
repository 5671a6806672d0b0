"""What a server promises, with its numbers: the typed view of a dialect's `claims`.

An area that is absent is not offered, and nobody judges it. A number may be a placeholder
(`"{limits.history}"`) of a value that the server itself advertises; `resolve` fills it in from the values
captured on a connection. Durations are seconds. Knows no wire and no verdict.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from .errors import BadPart
from .filters import MISSING
from .loading import duration
from .templates import Template, Unresolved, Variables


@dataclass(frozen=True, slots=True)
class Rooms:
    isolated: bool = True
    many: bool = True  # one connection may be in several rooms at once
    max_joined: int | None = None
    non_member_send: Literal["error", "silent"] | None = None
    join_first: bool = True  # the answer to a join comes before whatever else is of its room
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Absent: the server knows connections only, and its users have no names."""

    unique: bool = False  # two users cannot have one identity
    shared: bool = False  # one user may be there on two connections: by the captured `token`, else by the same nick


@dataclass(frozen=True, slots=True)
class Leave:
    ack: bool = False


@dataclass(frozen=True, slots=True)
class History:
    when: Literal["join", "request", "both", "http"]
    bound: int | None = None
    order: Literal["oldest-first", "newest-first"] = "oldest-first"
    counts: Literal["messages", "all"] = "messages"  # all: join and leave lines count too
    when_empty: Literal["kept", "forgotten"] = "kept"  # what becomes of it when the last member goes


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`allow` per `per` seconds; a bucket holds `capacity` beside that rate."""

    scope: Literal["connection", "user", "address", "room"]
    model: Literal["window", "bucket", "bytes-per-second"]
    effect: Literal["error", "drop", "delay", "kicked", "disconnect"]
    allow: int | None = None
    per: float | None = None
    capacity: int | None = None
    everywhere: bool = True  # False: only where the dialect's `setup` asked for it

    @property
    def burst(self) -> int | None:
        """The most messages that pass at once after a silence; None where bytes are counted."""
        if self.model == "bytes-per-second":
            return None
        return self.allow if self.model == "window" else self.capacity or self.allow


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """`frame` is what keeps a client alive: pongs (`ping`), the dialect's reactions, or its keep-alive
    frames.

    A check of the heartbeat leaves exactly this one on; where a dialect has a keep-alive for other reasons
    (`frame` is not `keepalive`), the check switches that off.
    """

    by: Literal["server", "client", "both"]
    frame: Literal["ping", "reaction", "keepalive"]
    interval: float | None = None
    timeout: float | None = None
    then: Literal["close", "tcp-close", "any"] = "any"
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a malformed message leads to; `code` of a `close`, None for any."""

    kind: Literal["error", "ignore", "close", "tcp-close"]
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    frame_bytes: int | None = None
    text_bytes: int | None = None
    text_chars: int | None = None


@dataclass(frozen=True, slots=True)
class Connections:
    per_address: int | None = None
    per_user: int | None = None
    burst: int | None = None  # frames that one connection may write at once, and not many more after it


@dataclass(frozen=True, slots=True)
class Presence:
    join: bool = False
    leave: bool = False
    named: bool = True  # the events say who
    roster: bool = False
    grace: float | None = None

    @property
    def events(self) -> bool:
        return self.join or self.leave


@dataclass(frozen=True, slots=True)
class Claims:
    """All areas; `problems` names the placeholders that the server's own values did not fill."""

    rooms: Rooms = field(default_factory=lambda: Rooms(isolated=False, many=False))
    identity: Identity | None = None
    leave: Leave | None = None
    history: History | None = None
    rate_limit: RateLimit | None = None
    heartbeat: Heartbeat | None = None
    malformed: Mapping[str, Outcome] = field(default_factory=dict)
    sizes: Sizes = field(default_factory=Sizes)
    connections: Connections = field(default_factory=Connections)
    presence: Presence | None = None
    numbering: bool = False
    mid: bool = False
    resume: bool = False
    native: bool = False  # it speaks roomproof.v1 itself, and so offers everything
    problems: tuple[str, ...] = ()

    @property
    def pace(self) -> RateLimit | None:
        """The limit that every message has to keep within: one of messages, and not only on request."""
        limit = self.rate_limit
        return limit if limit is not None and limit.everywhere and limit.burst is not None else None

    def malformed_outcome(self, kind: str) -> Outcome | None:
        """What is promised for one kind of malformed message; None when nothing is."""
        return self.malformed.get(kind, self.malformed.get("default"))


_AREAS: Mapping[str, type[Any]] = {
    "rooms": Rooms,
    "identity": Identity,
    "leave": Leave,
    "history": History,
    "rate_limit": RateLimit,
    "heartbeat": Heartbeat,
    "sizes": Sizes,
    "connections": Connections,
    "presence": Presence,
}


def _kinds_of(area: type[Any]) -> dict[str, tuple[type, ...]]:
    """The types that each member of an area may have, with None and the words of a Literal taken apart."""
    out: dict[str, tuple[type, ...]] = {}
    for name, hint in get_type_hints(area).items():
        parts = get_args(hint) if get_origin(hint) is types.UnionType else (hint,)
        out[name] = tuple(str if get_origin(part) is Literal else cast(type, part) for part in parts)
    return out


_KINDS = {name: _kinds_of(area) for name, area in _AREAS.items()}


def compile_claims(raw: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The raw tree with durations in seconds and placeholders as templates. Raises BadPart."""
    out: dict[str, Any] = {}
    for area, value in raw.items():
        if area not in _AREAS:
            out[area] = value
            continue
        out[area] = {}
        for key, item in value.items():
            if key == "setup":
                out[area]["everywhere"] = False
                continue
            try:
                out[area][key] = _compile(item, known, float in _KINDS[area][key])
            except BadPart as bad:
                raise bad.under(area, key) from None
    return out


def _compile(item: Any, known: frozenset[str], is_duration: bool) -> Any:
    if not isinstance(item, str):
        return item
    template = Template(item, known)
    return template if template.names else duration(item) if is_duration else item


def resolve(compiled: Mapping[str, Any], variables: Variables) -> Claims:
    """The claims with the server's own numbers. A number that is not there, or is none, is None and a
    problem.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for area, value in compiled.items():
        if area in _AREAS:
            values[area] = _resolve_area(area, value, variables, problems)
        elif area == "malformed":
            values[area] = {kind: _outcome(what) for kind, what in value.items()}
        else:
            values[area] = value
    return Claims(**values, problems=tuple(problems))


def _resolve_area(area: str, raw: Mapping[str, Any], variables: Variables, problems: list[str]) -> Any:
    values: dict[str, Any] = {}
    for key, item in raw.items():
        if isinstance(item, Template):
            try:
                item = item.render(variables)
            except Unresolved as missing:
                problems.append(f"{area}.{key}: the server gave no {missing}")
                continue
            kinds = _KINDS[area][key]
            if item is MISSING or item is None:
                continue
            if float in kinds and isinstance(item, int):
                item = float(item)
            if not isinstance(item, kinds) or (isinstance(item, bool) and bool not in kinds):
                problems.append(f"{area}.{key}: the server gave {item!r}")
                continue
        values[key] = item
    cls = _AREAS[area]
    required = {f.name for f in fields(cls)} & {"scope", "model", "effect", "when", "by", "frame"}
    return cls(**values) if required <= values.keys() else None


def _outcome(raw: Any) -> Outcome:
    return Outcome("close", raw["close"]) if isinstance(raw, dict) else Outcome(raw)


def plain(compiled: Any) -> Any:
    """The compiled tree with placeholders as text again: what reports show."""
    if isinstance(compiled, Template):
        return compiled.raw
    if isinstance(compiled, dict):
        return {key: plain(value) for key, value in compiled.items()}
    return compiled
