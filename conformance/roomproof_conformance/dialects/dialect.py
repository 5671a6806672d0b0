"""One loaded dialect: everything compiled, nothing running yet.

Knows the file format's meaning; knows no connection (see `session`) and no socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

from ..events import Event, Kind
from . import loading
from .claims import Claims, compile_claims, plain, resolve
from .codecs import CODECS, PLANNED, Codec, Outgoing, Unreadable
from .errors import BadPart, DialectError, Place, did_you_mean
from .filters import MISSING, Expression, compile_expression
from .matching import Pattern, compile_pattern, covers
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
}
"""What each action may be given; `id` and `nonce` may be given to any, in place of fresh ones."""
ALWAYS: Final = frozenset({"nick", "room", "room_label", "id", "nonce", "host", "port"})
DEFAULT_TIMEOUT: Final = 10.0
_ROOM_KINDS: Final = frozenset({"joined", "left", "message", "history", "ack", "kicked", "roster"})
_NO_FILLING: Final[Variables] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """Either a frame to send, or one to wait for."""

    send: Template | None = None
    expect: Pattern | None = None
    fail: Pattern | None = None
    capture: tuple[tuple[str, Expression], ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    when: str | None = None
    unless: str | None = None

    def wanted(self, variables: Variables) -> bool:
        """Whether the values at hand ask for this step."""
        return (self.when is None or self.when in variables) and (self.unless is None or self.unless not in variables)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of `events`: how a decoded frame is recognised and what is taken from it."""

    kind: Kind
    name: str
    pattern: Pattern
    fields: tuple[tuple[str, Expression], ...]
    list: Expression | None = None
    item: Expression | None = None
    entry: Pattern | None = None
    entry_fields: tuple[tuple[str, Expression], ...] = ()

    def extract(self, tree: Any) -> dict[str, Any]:
        values = _take(self.fields, tree)
        if self.list is not None:
            found = self.list(tree)
            items = found if isinstance(found, list) else []
            if self.item is not None:
                items = [self.item(item) for item in items]
            kept = (item for item in items if self.entry is None or self.entry.matches(item, _NO_FILLING))
            values["entries"] = [_take(self.entry_fields, item) for item in kept]
        return values


def _take(fields: tuple[tuple[str, Expression], ...], tree: Any) -> dict[str, Any]:
    return {name: value for name, read in fields if (value := read(tree)) is not MISSING}


@dataclass(frozen=True, slots=True)
class Reaction:
    role: str
    pattern: Pattern
    send: Template


@dataclass(slots=True)
class Dialect:
    """A chat server's way of speaking. Made by `load`; the same object serves any number of connections."""

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
        sends = (step.send for step in self.steps.get(action, ()) if step.send)
        return any(argument in send.names or (argument == "room" and "room_label" in send.names) for send in sends)

    @property
    def room_in_url(self) -> bool:
        """Whether joining is connecting: the room is part of the address."""
        return bool({"room", "room_label"} & self._target.names)

    @property
    def rooms_per_connection(self) -> str:
        """`one`: another room means another connection; or `many`."""
        many = self._claims.get("rooms", {}).get("many", True)
        return "one" if self.room_in_url or many is False else "many"

    def claims_for(self, variables: Variables) -> Claims:
        """The claims with placeholders filled from values that a server sent (see `Session.variables`)."""
        return resolve(self._claims, variables)

    def capabilities(self, claims: Claims) -> frozenset[str]:
        """Names of all that can be asked of this server: its claims, its actions, its echo."""
        names = set(claims.capabilities())
        names |= {action for action in self.steps if "." not in action}
        names.add("echo" if self.echo == "self" else "no-echo")
        if any(rule.kind == "ack" for rule in self.rules):
            names.add("ack")
        if claims.rooms.many and self.rooms_per_connection == "one":
            names.discard("many-rooms")
        return frozenset(names)

    def fits(self, what: str, name: str) -> bool:
        """Whether a made-up `nick` or `room` is in the server's alphabet."""
        return what not in self.names or re.fullmatch(self.names[what], name) is not None

    # -- where it is ------------------------------------------------------------------------------

    def url(self, base: str, **variables: Any) -> str:
        """The address to connect to, from the one that the user gave.

        The user's scheme, host and port always stand. A placeholder in the user's address is filled in, and then the
        address is complete. Otherwise the dialect's path is used where the user gave none; a user's path stands as
        typed if the dialect's has no placeholders, or begins with it (`/ws` and `/ws?room={room|query}`); any other is
        a prefix, put before the dialect's path. A user's query stays in front of the dialect's.
        Raises DialectError when the address is none, or a placeholder has no value.
        """
        filling = {**self.variables, **variables}
        try:
            if "{" in base:
                return Template(base, frozenset(filling)).render(filling)
            scheme, netloc, typed, query, _ = urlsplit(base)
            if scheme not in ("ws", "wss") or not netloc:
                raise DialectError(f"{base!r} is no WebSocket address: expected ws://host:port or wss://host:port")
            self._add_room(filling)
            path, _, own_query = str(self._target.render(filling)).partition("?")
            if not self._target.names:
                path, own_query = typed or path, own_query if not typed or typed == path else ""
            elif typed not in ("", "/") and typed != path:
                path = typed.rstrip("/") + path
            return urlunsplit((scheme, netloc, path or "/", "&".join(q for q in (query, own_query) if q), ""))
        except (Unresolved, BadPart, ValueError) as error:
            raise DialectError(f"{self.name}: no address for {base!r}: {error} is not usable here") from None

    def headers(self, variables: Variables) -> list[tuple[str, str]]:
        """Extra request headers. Raises DialectError when a placeholder has no value."""
        try:
            return [(name, str(value.render(variables))) for name, value in self._headers.items()]
        except Unresolved as missing:
            raise DialectError(f"{self.name}: connect.headers: {missing} has no value") from None

    def _add_room(self, filling: dict[str, Any]) -> None:
        if "room" in filling:
            filling["room_label"] = self.room_label.render(filling)

    # -- what comes in ----------------------------------------------------------------------------

    def classify(self, tree: Any, variables: Variables = _NO_FILLING) -> Event:
        """The canonical event of one decoded tree: the first rule that matches."""
        for rule in self.rules:
            if rule.pattern.matches(tree, variables):
                return Event(rule.kind, rule.extract(tree), tree, rule.name)
        return Event("unclassified", {}, tree, "not " + self.codec.name if isinstance(tree, Unreadable) else "")

    def outgoing(self, template: Template, variables: Variables) -> Outgoing:
        """A frame to write. Raises Unresolved."""
        value = template.render(variables)
        text = value if isinstance(value, str) else self.codec.encode({} if value is MISSING else value)
        return Outgoing(text.encode("utf-8", "surrogatepass") if self.binary else text, self.binary)
