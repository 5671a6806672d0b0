"""A dialect at work on one connection: actions out, canonical events in.

Sans-I/O: it is handed what arrived and says what to write; who calls it owns the socket and the clock.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import Any, Final

from roomproof_conformance.events import Event

from .codecs import Outgoing, Unreadable
from .dialect import ALWAYS, ARGUMENTS, Dialect, Step, authority
from .errors import DialectError, did_you_mean
from .filters import MISSING
from .plugins import Refused
from .requests import Cookies, Request, Response
from .templates import Template, Unresolved

_IDS: Final = frozenset({"id", "nonce"})
_OF_A_ROOM: Final = frozenset({"joined", "left", "message", "history", "ack", "kicked", "roster"})


class Session:
    """One connection's state: the values known so far, and how its rooms are spelled."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        nick: str,
        room: str | None = None,
        variables: Mapping[str, Any] | None = None,
        fresh: Callable[[], str] | None = None,
        serial: int = 1,
        shared: dict[str, Mapping[str, Any]] | None = None,
        time: int = 0,
    ) -> None:
        """`room` is the connection's own where it has one; `fresh` makes ids that were never used before.

        `serial` counts the users of a run from 1; `shared` keeps what requests that are asked once captured, for all
        sessions that are given it; `time` is in seconds since 1970. Raises DialectError when a credential cannot be
        made.
        """
        self.dialect = dialect
        self._codec = dialect.codec.opened()
        self.room = room
        own = {"nick": nick, "serial": serial, "address": _address(serial), "time": time}
        values = {**dialect.variables, **own, **(variables or {})}
        self.variables: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        counter = itertools.count(1)
        self._fresh = fresh or (lambda: f"r{next(counter)}")
        self.captured: set[str] = set()
        self.shared = {} if shared is None else shared
        self.cookies = Cookies()
        self._numbers = itertools.count(1)
        self._labels: dict[str, str] = {}
        if room is not None:
            self.variables["room"] = room
            with suppress(DialectError):  # a label that holds the host waits for the address
                self.variables["room_label"] = self.room_label(room)
        for name, make in dialect.credentials.items():
            try:
                self.variables.setdefault(name, make(self.variables))
            except (Unresolved, ValueError) as error:
                raise DialectError(f"{dialect.name}: credentials.{name}: {error} has no value") from None

    def address(self, base: str) -> str:
        """The address to connect to (see `Dialect.url`); templates know host and port from then on."""
        url = self.dialect.url(base, **self.variables)
        self.variables.update(authority(url))
        if self.room is not None:
            self.variables["room_label"] = self.room_label(self.room)
        return url

    def headers(self) -> list[tuple[str, str]]:
        """The headers of the handshake beside those of WebSocket. Raises DialectError."""
        sent = self.dialect.headers(self.variables)
        for name, value in self.dialect.cookies.items():
            try:
                self.cookies.put(name, str(value.render(self.variables)))
            except Unresolved as missing:
                raise DialectError(f"{self.dialect.name}: connect.cookies: {missing} has no value") from None
        return [*sent, ("Cookie", self.cookies.header)] if self.cookies.header else sent

    @property
    def identity(self) -> str:
        """Who this connection is in the `from` of events: the captured `user`, else the nick."""
        return str(self.variables.get("user", self.variables["nick"]))

    # -- rooms ------------------------------------------------------------------------------------

    def room_label(self, room: str) -> str:
        """A room's spelling on the wire."""
        try:
            label = str(self.dialect.room_label.render({**self.variables, "room": room}))
        except Unresolved as missing:
            raise DialectError(f"{self.dialect.name}: room_label: {missing} has no value") from None
        self._labels[label] = room
        return label

    def room_of(self, label: Any) -> Any:
        """The canonical name of a room as the wire spells it; a spelling that was never used here stays as
        it is.
        """
        return self._labels.get(label, label) if isinstance(label, str) else label

    # -- out --------------------------------------------------------------------------------------

    def begin(self, action: str, **args: Any) -> Exchange:
        """Start an action; an argument that is None is not given.

        Raises DialectError when the dialect does not offer it, an argument is not one of `ARGUMENTS`, a
        value that its frames need is missing, or the connection is bound to another room and the frames name
        none.
        """
        steps = self.dialect.steps.get(action)
        if steps is None:
            near = did_you_mean(action, self.dialect.steps)
            raise DialectError(f"{self.dialect.name}: action {action!r} is not offered{near}")
        given = {name: value for name, value in args.items() if value is not None}
        for name in given:
            if name not in ARGUMENTS[action] and name not in _IDS:
                raise DialectError(f"{action} takes no argument {name!r}{did_you_mean(name, ARGUMENTS[action])}")
        room = given.get("room")
        if room is not None:
            bound = self.dialect.room_in_url and self.room is not None and room != self.room
            if bound and (action == "join" or not self.dialect.accepts(action, "room")):
                raise DialectError(
                    f"{action}: this connection is bound to room {self.room!r} by its address; "
                    f"room {room!r} needs a connection of its own"
                )
            given["room_label"] = self.room_label(room)
        envelope = self.dialect.envelope
        if envelope is not None and "text" in given:
            given["text"] = self.filled(envelope.write, {**self.variables, **given}, "text_envelope")
        return Exchange(self, action, steps, given)

    def fresh(self) -> str:
        return self._fresh()

    def number(self) -> int:
        """1, 2, 3, … on this connection."""
        return next(self._numbers)

    def filled(self, template: Template, variables: Mapping[str, Any], what: str) -> Any:
        """A template's value; raises DialectError when one of its own is missing."""
        try:
            return template.render(variables)
        except Unresolved as missing:
            raise DialectError(f"{self.dialect.name}: {what}: {missing} has no value") from None

    def keepalive(self) -> tuple[float, list[Outgoing]] | None:
        """The period in seconds and the frames that a client must send to stay a member; None if nothing is
        asked.
        """
        kept = self.dialect.keepalive
        if kept is None:
            return None
        variables = self._with_ids()
        return kept[0], [self.render(template, variables, "keepalive") for template in kept[1]]

    def render(self, template: Template, variables: Mapping[str, Any], what: str) -> Outgoing:
        """A frame to write; raises DialectError when a value is missing."""
        try:
            return self.dialect.outgoing(template, variables)
        except Unresolved as missing:
            raise DialectError(f"{self.dialect.name}: {what}: {missing} has no value") from None
        except ValueError as error:
            raise DialectError(f"{self.dialect.name}: {what}: {error}") from None

    def written(self, frame: Any) -> Outgoing:
        """A frame of a plug-in's making: text or bytes as they are, anything else by the codec."""
        payload = frame if isinstance(frame, (str, bytes)) else self._codec.encode(frame)
        return Outgoing(payload, isinstance(payload, bytes))

    # -- in ---------------------------------------------------------------------------------------

    def receive(self, payload: str | bytes, *, now: float = 0.0) -> list[Event]:
        """The events of one message; never raises on what a server sends."""
        return [self.event(tree) for tree in self._codec.decode(payload)]

    def _with_ids(self) -> dict[str, Any]:
        return {**self.variables, "id": self._fresh(), "nonce": self._fresh(), "number": self.number()}

    def event(self, tree: Any) -> Event:
        """What the dialect's rules make of a decoded tree, or of the answer to a request."""
        rule = self.dialect.rule_for(tree, self.variables)
        if rule is None:
            why = f"not {self.dialect.codec.name}" if isinstance(tree, Unreadable) else ""
            return Event("unclassified", {}, tree, why)
        fields = rule.extract(tree)
        if (envelope := self.dialect.envelope) is not None:
            for holder in (fields, *fields.get("entries", ())):
                envelope.open(holder)
        if "room" in fields:
            fields["room"] = self.room_of(fields["room"])
        elif self.room is not None and rule.kind in _OF_A_ROOM:
            fields["room"] = self.room
        return Event(rule.kind, fields, tree, rule.name)

    def reactions(self, event: Event) -> list[tuple[str, Outgoing]]:
        """What a polite client answers by itself, each with its role, which the caller may switch off."""
        made: list[tuple[str, Outgoing]] = []
        for reaction in self.dialect.reactions:
            if reaction.pattern.matches(event.tree, self.variables):
                try:
                    variables = {**self._with_ids(), "event": event.tree}
                    made.append((reaction.role, self.dialect.outgoing(reaction.send, variables)))
                except (Unresolved, ValueError):
                    continue  # the server's frame lacks what its answer repeats, or it cannot be written
        return made


class Exchange:
    """One action in progress. The caller writes and clears `outgoing` after `begin` and after each `step`.

    Where `request` is not None, the caller asks it and hands the answer to `respond`; one that is asked once for all
    (`Request.once`) is asked by one caller at a time, who first tries `recall`.
    """

    __slots__ = (
        "_at",
        "_script",
        "_session",
        "_steps",
        "_variables",
        "action",
        "done",
        "event",
        "ok",
        "outgoing",
        "ref",
        "request",
    )

    def __init__(self, session: Session, action: str, steps: tuple[Step, ...], given: Mapping[str, Any]) -> None:
        self.action = action
        self.outgoing: list[Outgoing] = []
        self.done = False
        self.ok = False
        self.event: Event | None = None
        self.request: Request | None = None
        self._script: Generator[Any, Any, Mapping[str, Any]] | None = None
        self._session = session
        # What was captured is no argument: a token given here is for another connection to present.
        hidden = session.captured & (ARGUMENTS[action] - ALWAYS)
        known = {name: value for name, value in session.variables.items() if name not in hidden}
        ids = {"id": session.fresh(), "nonce": session.fresh(), "number": session.number()}
        self._variables = {**known, **ids, **given}
        self._steps = [step for step in steps if step.wanted(self._variables)]
        uses_id = any(step.send is not None and "id" in step.send.names for step in self._steps)
        self.ref: str | None = str(self._variables["id"]) if uses_id else None
        self._at = 0
        self._advance()

    @property
    def timeout(self) -> float:
        """Seconds to wait for the frame that is expected now."""
        return 0.0 if self.done else self._steps[self._at].timeout

    @property
    def expected(self) -> str:
        """What it waits for now, in words; empty when nothing is waited for."""
        step = None if self.done else self._steps[self._at]
        return "" if step is None or step.expect is None else step.expect.expected(self._variables)

    def misses(self, tree: Any) -> str:
        """Where a tree differs from what is waited for, in words; empty when it does not or nothing is waited for."""
        step = None if self.done else self._steps[self._at]
        return "" if step is None or step.expect is None else step.expect.explain(tree, self._variables) or ""

    def step(self, event: Event) -> bool:
        """Offer an event; True when it was the one expected, or the failure."""
        if self.done:
            return False
        step = self._steps[self._at]
        if self._script is not None:
            self.event = event
            self._go_on(event.tree)
            return True
        if step.expect is not None and step.expect.matches(event.tree, self._variables):
            self._capture({name: read(event.tree) for name, read in step.capture})
            self.event = event
            self._at += 1
            self._advance()
            return True
        if step.fail is not None and step.fail.matches(event.tree, self._variables):
            self.event, self.done = event, True
            return True
        return False

    def recall(self) -> bool:
        """Take what an earlier answer to this request was kept as, if there was one."""
        assert self.request is not None
        kept = self._session.shared.get(self.request.once or "")
        if kept is None:
            return False
        self._answered(kept)
        return True

    def respond(self, response: Response) -> Event:
        """The answer to `request`: what the dialect's rules make of it."""
        assert self.request is not None
        ask = self._steps[self._at].ask
        assert ask is not None
        self._session.cookies.take(response.headers)
        tree = response.tree
        event = self.event = self._session.event(tree)
        if ask.expect is not None and not ask.expect.matches(tree, self._variables):
            self.done = True
            return event
        found = {name: read(tree) for name, read in self._steps[self._at].capture}
        if self.request.once is not None:
            self._session.shared[self.request.once] = found
        self._answered(found)
        return event

    def _answered(self, found: Mapping[str, Any]) -> None:
        self._capture(found)
        self.request = None
        self._at += 1
        self._advance()

    def _capture(self, found: Mapping[str, Any]) -> None:
        for name, value in found.items():
            if value is not MISSING:
                self._variables[name] = self._session.variables[name] = value
                self._session.captured.add(name)

    def _go_on(self, tree: Any) -> None:
        """Drive a plug-in's handshake to its next wait or its end."""
        assert self._script is not None
        try:
            made = self._script.send(tree)
            while made is not None:
                self.outgoing.append(self._session.written(made))
                made = self._script.send(None)
        except StopIteration as end:
            self._script = None
            self._capture(end.value or {})
            self._at += 1
            self._advance()
        except Refused:
            self._script, self.done = None, True

    def _advance(self) -> None:
        while self._at < len(self._steps):
            step = self._steps[self._at]
            if step.ask is not None:
                try:
                    self.request = step.ask.render(self._variables, self._session.cookies)
                except (Unresolved, ValueError) as error:
                    what = f"{self._session.dialect.name}: {self.action}: request"
                    missing = " has no value" if isinstance(error, Unresolved) else ""
                    raise DialectError(f"{what}: {error}{missing}") from None
                return
            if step.script is not None:
                self._script = step.script(dict(self._variables))
                self._go_on(None)
                return
            if step.send is None:
                return
            self.outgoing.append(self._session.render(step.send, self._variables, self.action))
            self._at += 1
        self.done = self.ok = True


def _address(serial: int) -> str:
    """An address of the private network 10.0.0.0/8 for each user: what a header may claim to come from."""
    return f"10.{serial >> 16 & 255}.{serial >> 8 & 255}.{serial & 255}"
