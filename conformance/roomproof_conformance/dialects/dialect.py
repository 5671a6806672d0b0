"""One loaded dialect: everything compiled, nothing running yet.

Made from a file by `compiling`; knows no file, no connection (see `session`) and no socket.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from roomproof_conformance.events import Kind
from roomproof_protocol import capabilities

from .claims import Claims, Sizes, resolve
from .codecs import Codec, Outgoing
from .credentials import Make
from .errors import BadPart, DialectError
from .filters import MISSING, Expression
from .matching import Pattern
from .plugins import Handshake
from .requests import Ask
from .templates import Template, Unresolved, Variables

ARGUMENTS: Final[Mapping[str, frozenset[str]]] = {
    "identify": frozenset({"name", "token", "scheme", "client", "caps"}),
    "join": frozenset({"room", "history", "after"}),
    "leave": frozenset({"room"}),
    "send": frozenset({"room", "text", "mid"}),
    "history": frozenset({"room", "before", "after", "limit", "epoch"}),
    "presence": frozenset({"room"}),
    "ping": frozenset(),
    "auth": frozenset({"token"}),
    "close": frozenset(),
    "rate_limit.setup": frozenset({"room"}),
    "http": frozenset(),
}
"""What each action may be given; `id` and `nonce` may be given to any, in place of fresh ones. `http` is what comes
before the connection."""
ALWAYS: Final = frozenset(
    {"nick", "room", "room_label", "id", "nonce", "number", "serial", "address", "host", "port", "time"}
)
"""Values that every template may use: the names of the client and its room, fresh ids (`number` is one for wires that
count), the place of the client among all of the run with an address made from it, the server's, seconds since 1970."""
TEXTS: Final = frozenset(
    {"room", "from", "name", "text", "id", "ref", "code", "reason", "epoch", "mid", "scope", "who"}
)
"""Fields that are text or null: whatever else a server puts there is kept as its JSON."""
NUMBERS: Final = frozenset({"seq", "ts", "retry_after_ms", "count"})
"""Fields that are numbers or null: anything else counts as not there."""
DEFAULT_TIMEOUT: Final = 10.0
_NO_FILLING: Final[Variables] = {}
_WHOLE: Final = Expression(".", ())


@dataclass(frozen=True, slots=True)
class Step:
    """A frame to send, or one to wait for, or a request over HTTP, or a handshake of a plug-in."""

    send: Template | None = None
    expect: Pattern | None = None
    ask: Ask | None = None
    script: Handshake | None = None
    fail: Pattern | None = None
    capture: tuple[tuple[str, Expression], ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    when: str | None = None
    unless: str | None = None

    def wanted(self, variables: Variables) -> bool:
        """Whether the values at hand ask for this step."""
        asked = self.when is None or self.when in variables
        return asked and (self.unless is None or self.unless not in variables)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of `events`: how a decoded frame is recognised and what is taken from it."""

    kind: Kind
    name: str
    pattern: Pattern
    fields: tuple[tuple[str, Expression], ...]
    entries: Expression | None = None
    item: Expression = _WHOLE
    entry: Pattern | None = None
    entry_fields: tuple[tuple[str, Expression], ...] = ()

    def extract(self, tree: Any) -> dict[str, Any]:
        values = _take(self.fields, tree)
        if self.entries is not None:
            found = self.entries(tree)
            items = found if isinstance(found, list) else []
            items = [self.item(item) for item in items]
            kept = [item for item in items if self.entry is None or self.entry.matches(item, _NO_FILLING)]
            values["entries"] = [_take(self.entry_fields, item) for item in kept]
        return values


def _take(fields: tuple[tuple[str, Expression], ...], tree: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    members = tree if isinstance(tree, dict) else _NO_FILLING
    for name, read in fields:
        value = read(tree) if read.member is None else members.get(read.member, MISSING)
        if value is MISSING:
            continue
        kind = type(value)
        if kind is not str and value is not None and name in TEXTS:
            value = json.dumps(value)
        elif kind is not int and kind is not float and value is not None and name in NUMBERS:
            continue
        out[name] = value
    return out


@dataclass(frozen=True, slots=True)
class Reaction:
    role: str
    pattern: Pattern
    send: Template


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a name travels inside of the text, for servers without names on the wire."""

    write: Template
    read: re.Pattern[str]

    def open(self, fields: dict[str, Any]) -> None:
        """Replace the text of a message by what it holds; a text that is no envelope stays as it is."""
        text = fields.get("text")
        found = self.read.fullmatch(text) if isinstance(text, str) else None
        if found is not None:
            fields.update({name: value for name, value in found.groupdict().items() if value is not None})


@dataclass(frozen=True, slots=True)
class Dialect:
    """A chat server's way of speaking. Made by `compiling.load`; the same object serves any number of
    connections.
    """

    name: str
    path: str
    codec: Codec
    echo: str
    subprotocols: list[str]
    require_subprotocol: str | None
    binary: bool
    names: Mapping[str, str]
    variables: Mapping[str, Any]
    claims: Mapping[str, Any]
    room_label: Template
    rules: tuple[Rule, ...]
    reactions: tuple[Reaction, ...]
    keepalive: tuple[float, tuple[Template, ...]] | None
    steps: Mapping[str, tuple[Step, ...]]
    description: str = ""
    credentials: Mapping[str, Make] = field(default_factory=dict)
    envelope: Envelope | None = None
    cookies: Mapping[str, Template] = field(default_factory=dict)
    samples: Mapping[str, str] = field(default_factory=dict)  # of malformed messages, by the claim's name
    _target: Template = field(default_factory=lambda: Template(""))
    _headers: Mapping[str, Template] = field(default_factory=dict)
    _claims: Mapping[str, Any] = field(default_factory=dict)

    # -- what it offers ---------------------------------------------------------------------------

    @property
    def actions(self) -> frozenset[str]:
        """Names of the actions offered."""
        return frozenset(self.steps)

    def offers(self, action: str) -> bool:
        return action in self.steps

    def accepts(self, action: str, argument: str) -> bool:
        """Whether an argument of an action makes a difference on the wire."""
        names = {argument, "room_label"} if argument == "room" else {argument}
        steps = self.steps.get(action, ())
        return any(names & part.names for step in steps for part in (step.send, step.ask) if part)

    @property
    def room_in_url(self) -> bool:
        """Whether joining is connecting: the room is part of the address."""
        return bool({"room", "room_label"} & self._target.names)

    @property
    def rooms_per_connection(self) -> str:
        """`one`: another room means another connection; or `many`."""
        rooms = self._claims.get("rooms", {"many": False})
        return "many" if rooms.get("many", True) and not self.room_in_url else "one"

    def claims_for(self, variables: Variables) -> Claims:
        """The claims with placeholders filled from values that a server sent (see `Session.variables`)."""
        return resolve(self._claims, variables)

    def capabilities(self, claims: Claims) -> frozenset[str]:
        """What can be asked of this server, in the names of the protocol's table of capabilities."""
        if claims.native:
            return frozenset(capabilities())
        join = self.steps.get("join", ())
        found = {
            "subprotocol": self.subprotocols,
            "json": self.codec.name.startswith("json"),
            "rooms": claims.rooms.isolated,
            "multi_room": claims.rooms.many and self.rooms_per_connection == "many",
            "join_request": any(step.send or step.ask for step in join),
            "join_ack": any(step.expect or step.ask for step in join),
            "leave": self.offers("leave"),
            "ack": any(rule.kind == "ack" for rule in self.rules),
            "identity": self._reads("message", "from"),
            "same_user": claims.identity and claims.identity.shared,
            "numbering": claims.numbering,
            "timestamps": self._reads("message", "ts"),
            "mid": claims.mid,
            "history": claims.history and claims.history.when in ("join", "both"),
            "history_request": self.offers("history"),
            "resume": claims.resume,
            "rate_limit": claims.rate_limit,
            "size_limit": claims.sizes != Sizes(),
            "heartbeat": claims.heartbeat,
            "error_frames": any(outcome.kind == "error" for outcome in claims.malformed.values()),
            "presence": self.offers("presence"),
            "presence_events": claims.presence and claims.presence.events,
        }
        return frozenset(name for name, offered in found.items() if offered)

    def _reads(self, kind: Kind, name: str) -> bool:
        return any(name == field for rule in self.rules if rule.kind == kind for field, _ in rule.fields)

    def fits(self, what: str, name: str) -> bool:
        """Whether a made-up `nick` or `room` is in the server's alphabet."""
        return what not in self.names or re.fullmatch(self.names[what], name) is not None

    # -- where it is ------------------------------------------------------------------------------

    def url(self, base: str, **variables: Any) -> str:
        """The address to connect to, from the one that the user gave.

        The user's scheme, host and port always stand. A placeholder in the user's address is filled in, and
        then the address is complete. Otherwise the dialect's path is used where the user gave none; a user's
        path stands as typed if the dialect's has no placeholders, or begins with it (`/ws` and
        `/ws?room={room|query}`); any other is a prefix, put before the dialect's path. A user's query stays
        in front of the dialect's. Raises DialectError when the address is none, or a placeholder has no
        value.
        """
        filling = {**self.variables, **variables}
        try:
            filling.update(authority(base))
            if "room" in filling:
                filling["room_label"] = self.room_label.render(filling)
            complete = "{" in base
            if complete:
                base = str(Template(base, frozenset(filling)).render(filling))
            scheme, netloc, typed, query, _ = urlsplit(base)
            if scheme not in ("ws", "wss") or not netloc:
                raise DialectError(f"{base!r} is no WebSocket address: expected ws:// or wss://, host and port")
            path, _, own_query = str(self._target.render(filling)).partition("?")
        except (BadPart, ValueError) as error:
            raise DialectError(f"{self.name}: no address for {base!r}: {error}") from None
        except Unresolved as missing:
            raise DialectError(f"{self.name}: no address for {base!r}: {missing} has no value") from None
        if complete:
            return base
        if not self._target.names:
            path, own_query = typed or path, own_query if typed in ("", path) else ""
        elif typed not in ("", "/", path):
            path = typed.rstrip("/") + path
        return urlunsplit((scheme, netloc, path or "/", "&".join(q for q in (query, own_query) if q), ""))

    def headers(self, variables: Variables) -> list[tuple[str, str]]:
        """Extra request headers. Raises DialectError when a placeholder has no value."""
        try:
            return [(name, str(value.render(variables))) for name, value in self._headers.items()]
        except Unresolved as missing:
            raise DialectError(f"{self.name}: connect.headers: {missing} has no value") from None

    # -- what comes in ----------------------------------------------------------------------------

    def rule_for(self, tree: Any, variables: Variables) -> Rule | None:
        """The first rule that matches a decoded tree."""
        for rule in self.rules:
            if rule.pattern.matches(tree, variables):
                return rule
        return None

    def outgoing(self, template: Template, variables: Variables) -> Outgoing:
        """A frame to write. Raises Unresolved, and ValueError when the wire cannot carry its values."""
        value = template.render(variables)
        payload = value if isinstance(value, str) else self.codec.encode({} if value is MISSING else value)
        if isinstance(payload, str) and self.binary:
            payload = payload.encode("utf-8", "surrogatepass")
        return Outgoing(payload, isinstance(payload, bytes))


def authority(url: str) -> dict[str, Any]:
    """`host` (as it is written in an address) and `port` of a ws or wss URL. Raises ValueError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    return {"host": f"[{host}]" if ":" in host else host, "port": port}
