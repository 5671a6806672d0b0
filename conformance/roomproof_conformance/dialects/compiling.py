"""From a dialect file to a `Dialect`: what the schema cannot check is checked here, with file and line.

Each check reads one part of the file; the first fault ends the loading.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .claims import compile_claims, plain
from .codecs import CODECS, Codec
from .credentials import Make, compile_credential
from .dialect import ALWAYS, ARGUMENTS, DEFAULT_TIMEOUT, Dialect, Envelope, Reaction, Rule, Step
from .errors import BadPart, Place, did_you_mean, place_text
from .filters import Expression, compile_expression, compile_regex
from .loading import Source, built_in, duration, find, read, validate
from .matching import Pattern, compile_pattern, covers
from .plugins import Handshake, Plugin, installed, load_plugins
from .requests import SUCCESS, Ask
from .templates import Template

_ANYTHING = {"exists": True}
_ORIGIN = re.compile(r"wss?://\{host\}:\{port\}")


def load(path_or_name: str | Path, plugins: Collection[str] = ()) -> Dialect:
    """A built-in dialect by its name (`native`), or one from a file; `plugins` names those that may run their code.

    Raises DialectError.
    """
    if str(path_or_name) in built_in():
        return _load_built_in(str(path_or_name))
    return parse(*find(path_or_name), plugins=plugins)


@cache
def _load_built_in(name: str) -> Dialect:
    return parse(*find(name))


def parse(text: str, label: str = "dialect", plugins: Collection[str] = ()) -> Dialect:
    """A dialect from YAML text; `label` stands before the line in errors. Raises DialectError."""
    source = read(text, label)
    validate(source)
    return _Compiler(source, load_plugins(plugins)).dialect()


class _Compiler:
    def __init__(self, source: Source, plugins: Mapping[str, Plugin]) -> None:
        self.source = source
        self.plugins = plugins
        self.data: dict[str, Any] = source.data
        self.codec = self._codec()
        self.captured = frozenset(
            name
            for steps in [*self.data["actions"].values(), self.data.get("http", [])]
            for step in steps
            for name in step.get("capture", ())
        )
        run = any("run" in step for steps in self.data["actions"].values() for step in steps)
        self.captured |= frozenset(self.data.get("captured", ())) if run else frozenset()
        made = frozenset(self.data.get("credentials", ()))
        self.common = ALWAYS | self.captured | made | frozenset(self.data.get("variables", ()))

    def dialect(self) -> Dialect:
        data = self.data
        connect = data["connect"]
        claims = self._claims()
        return Dialect(
            name=data["name"],
            description=data.get("description", ""),
            path=self.source.label,
            codec=self.codec,
            echo=data.get("echo", "none"),
            subprotocols=list(connect.get("subprotocols", ())),
            require_subprotocol=connect.get("require_subprotocol"),
            binary=connect.get("frames") == "binary",
            names=self._names(),
            variables=data.get("variables", {}),
            claims=plain(claims),
            room_label=self._room_label(),
            rules=self._rules(),
            reactions=self._reactions(),
            keepalive=self._keepalive(),
            steps=self._actions(),
            samples=data.get("samples", {}),
            credentials=self._credentials(),
            envelope=self._envelope(),
            cookies={
                name: self._template(value, self.common, ("connect", "cookies", name))
                for name, value in connect.get("cookies", {}).items()
            },
            _target=self._target(connect),
            _headers={
                name: self._template(value, self.common, ("connect", "headers", name))
                for name, value in connect.get("headers", {}).items()
            },
            _claims=claims,
        )

    # -- parts ------------------------------------------------------------------------------------

    def _codec(self) -> Codec:
        name = self.data["codec"]
        if name in CODECS:
            return CODECS[name]
        plugin = self.plugins.get(name)
        if plugin is not None and plugin.codec is not None:
            return plugin.codec
        if name in installed():
            why = "has no codec" if plugin else f"runs code of a package: allow it with --plugin {name}"
            raise self.source.error(("codec",), f"the plug-in {name!r} {why}")
        raise self.source.error(("codec",), f"unknown codec {name!r}{did_you_mean(name, CODECS)}")

    def _target(self, connect: Mapping[str, Any]) -> Template:
        if "url" in connect and "path" in connect:
            raise self.source.error(("connect", "path"), "stands beside 'url': give one of the two")
        place: Place = ("connect", "url" if "url" in connect else "path")
        path = connect.get("path", "")
        if "url" in connect:
            path, found = _ORIGIN.subn("", connect["url"], count=1)
            if not found or not connect["url"].endswith(path):
                raise self.source.error(
                    place,
                    f"expected ws://{{host}}:{{port}}/… as it stands here, got {connect['url']!r}",
                )
            path = path.removeprefix("{path}")
        if path and not path.startswith("/"):
            raise self.source.error(place, f"expected a path that begins with /, got {path!r}")
        return self._template(path, self.common, place)

    def _names(self) -> Mapping[str, str]:
        names: dict[str, str] = self.data.get("names", {})
        for what, regex in names.items():
            self._checked(compile_regex, regex, place=("names", what))
        return names

    def _room_label(self) -> Template:
        place = ("room_label",)
        label = self._template(self.data.get("room_label", "{room}"), self.common - {"room_label"}, place)
        if "room" not in label.names:
            raise self.source.error(place, "must hold {room}")
        return label

    def _actions(self) -> dict[str, tuple[Step, ...]]:
        actions = {
            action: self._steps(steps, action, ("actions", action)) for action, steps in self.data["actions"].items()
        }
        if "http" in self.data:
            actions["http"] = self._steps(self.data["http"], "http", ("http",))
            for index, step in enumerate(actions["http"]):
                if step.ask is None:
                    raise self.source.error(("http", index), "comes before the connection: only a 'request' can")
        setup = self.data.get("claims", {}).get("rate_limit", {}).get("setup")
        if setup is not None:
            listed, action = setup if isinstance(setup, list) else [setup], "rate_limit.setup"
            actions[action] = self._steps(listed, action, ("claims", "rate_limit", "setup"))
        return actions

    def _steps(self, raw: list[Any], action: str, place: Place) -> tuple[Step, ...]:
        known = self.common | ARGUMENTS[action]
        return tuple(self._step(step, known, (*place, index)) for index, step in enumerate(raw))

    def _step(self, raw: Any, known: frozenset[str], place: Place) -> Step:
        if not isinstance(raw, dict):
            raise self.source.error(place, "a step has either 'send' or 'expect' or 'request' or 'run'")
        if ("send" in raw) + ("expect" in raw and "request" not in raw) + ("request" in raw) + ("run" in raw) != 1:
            raise self.source.error(place, "a step has either 'send' or 'expect' or 'request' or 'run'")
        for key in ("fail", "capture", "timeout"):
            if "send" in raw and key in raw:
                raise self.source.error((*place, key), "belongs to an 'expect', not to a 'send'")
        for key in ("headers", "json", "form", "body", "once"):
            if "request" not in raw and key in raw:
                raise self.source.error((*place, key), "belongs to a 'request'")
        for key in ("when", "unless"):
            if key in raw and raw[key] not in known:
                raise self.source.error(
                    (*place, key), f"unknown variable {raw[key]!r}{did_you_mean(raw[key], sorted(known))}"
                )
        return Step(
            send=self._frame(raw["send"], known, (*place, "send")) if "send" in raw else None,
            expect=self._pattern(raw["expect"], known, (*place, "expect"))
            if "expect" in raw and "request" not in raw
            else None,
            ask=self._ask(raw, known, place) if "request" in raw else None,
            script=self._handshake(raw["run"], place) if "run" in raw else None,
            fail=self._pattern(raw["fail"], known, (*place, "fail")) if "fail" in raw else None,
            capture=self._expressions(raw.get("capture", {}), (*place, "capture")),
            timeout=duration(raw["timeout"]) if "timeout" in raw else DEFAULT_TIMEOUT,
            when=raw.get("when"),
            unless=raw.get("unless"),
        )

    def _ask(self, raw: Mapping[str, Any], known: frozenset[str], place: Place) -> Ask:
        method, _, target = raw["request"].partition(" ")
        if not re.fullmatch("[A-Z]+", method) or not target.startswith("/"):
            got = raw["request"]
            raise self.source.error(
                (*place, "request"), f"expected a method and a path such as 'POST /login', got {got!r}"
            )
        bodies = [key for key in ("json", "form", "body") if key in raw]
        if len(bodies) > 1:
            raise self.source.error((*place, bodies[1]), f"stands beside {bodies[0]!r}: a request has one body")
        return Ask(
            method,
            self._template(target, known, (*place, "request")),
            {
                name: self._template(value, known, (*place, "headers", name))
                for name, value in raw.get("headers", {}).items()
            },
            self._template(raw[bodies[0]], known, (*place, bodies[0])) if bodies else None,
            bodies[0] if bodies else "body",  # type: ignore[arg-type]  # one of the three
            self._pattern(raw.get("expect", SUCCESS), known, (*place, "expect")),
            raw.get("once"),
            place_text(place),
        )

    def _handshake(self, name: str, place: Place) -> Handshake:
        known = {key: made for plugin in self.plugins.values() for key, made in plugin.handshakes.items()}
        if name in known:
            return known[name]
        allowed = did_you_mean(name, known) or "; name the plug-in that has it with --plugin"
        raise self.source.error((*place, "run"), f"no handshake {name!r}{allowed}")

    def _credentials(self) -> dict[str, Make]:
        made: dict[str, Make] = {}
        known = ALWAYS | frozenset(self.data.get("variables", ()))
        for name, raw in self.data.get("credentials", {}).items():
            try:
                made[name] = compile_credential(raw, known | made.keys())
            except BadPart as bad:
                raise self.source.bad(bad, "credentials", name) from None
        return made

    def _envelope(self) -> Envelope | None:
        raw = self.data.get("text_envelope")
        if raw is None:
            return None
        place: Place = ("text_envelope",)
        read = self._checked(compile_regex, raw["read"], place=(*place, "read"))
        unknown = sorted(read.groupindex.keys() - {"text", "from", "id", "room"})
        if "text" not in read.groupindex or unknown:
            raise self.source.error((*place, "read"), "needs a group named text, and may have from, id and room")
        return Envelope(self._template(raw["write"], self.common | {"text"}, (*place, "write")), read)

    def _rules(self) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        before: list[Any] = []
        for index, raw in enumerate(self.data["events"]):
            place: Place = ("events", index)
            match = raw.get("match", _ANYTHING)
            for earlier, wide in enumerate(before):
                if wide == _ANYTHING or covers(wide, match):
                    line = self.source.line(("events", earlier))
                    raise self.source.error(
                        place,
                        f"can never apply: events[{earlier}] on line {line} matches all of it; move it up",
                    )
            before.append(match)
            listed = raw.get("entries")
            rules.append(
                Rule(
                    kind=raw["as"],
                    name=raw.get("name", f"events[{index}]"),
                    pattern=self._pattern(match, self.common, (*place, "match")),
                    fields=self._expressions(raw.get("fields", {}), (*place, "fields")),
                    **(self._entries(listed, (*place, "entries")) if listed else {}),
                )
            )
        return tuple(rules)

    def _entries(self, raw: Mapping[str, Any], place: Place) -> dict[str, Any]:
        return {
            "entries": self._checked(compile_expression, raw["list"], place=(*place, "list")),
            "item": self._checked(compile_expression, raw.get("item", "."), place=(*place, "item")),
            "entry": self._pattern(raw["match"], self.common, (*place, "match")) if "match" in raw else None,
            "entry_fields": self._expressions(raw["fields"], (*place, "fields")),
        }

    def _reactions(self) -> tuple[Reaction, ...]:
        made: list[Reaction] = []
        for index, raw in enumerate(self.data.get("reactions", ())):
            place: Place = ("reactions", index)
            pattern = self._pattern(raw["match"], self.common, (*place, "match"))
            send = self._frame(raw["send"], self.common | {"event"}, (*place, "send"))
            made.append(Reaction(raw["role"], pattern, send))
        return tuple(made)

    def _keepalive(self) -> tuple[float, tuple[Template, ...]] | None:
        raw = self.data.get("keepalive")
        if raw is None:
            return None
        frames = raw["send"] if isinstance(raw["send"], list) else [raw["send"]]
        period = self._checked(duration, raw["every"], place=("keepalive", "every"))
        if not period:
            raise self.source.error(("keepalive", "every"), "must be longer than nothing")
        return period, tuple(self._frame(frame, self.common, ("keepalive", "send")) for frame in frames)

    def _claims(self) -> dict[str, Any]:
        claims = self.data.get("claims", {})
        try:
            return compile_claims(claims, self.common)
        except BadPart as bad:
            raise self.source.bad(bad, "claims") from None

    # -- helpers ----------------------------------------------------------------------------------

    def _template(self, raw: Any, known: frozenset[str], place: Place) -> Template:
        try:
            return Template(raw, known)
        except BadPart as bad:
            raise self.source.bad(bad, *place) from None

    def _frame(self, raw: Any, known: frozenset[str], place: Place) -> Template:
        if problem := self.codec.wrong(raw):
            raise self.source.error(place, f"no frame of codec {self.codec.name}: {problem}")
        return self._template(raw, known, place)

    def _pattern(self, raw: Any, known: frozenset[str], place: Place) -> Pattern:
        try:
            return compile_pattern(raw, known)
        except BadPart as bad:
            raise self.source.bad(bad, *place) from None

    def _expressions(self, raw: Mapping[str, str], place: Place) -> tuple[tuple[str, Expression], ...]:
        return tuple(
            (name, self._checked(compile_expression, text, place=(*place, name))) for name, text in raw.items()
        )

    def _checked(self, make: Any, raw: Any, place: Place) -> Any:
        try:
            return make(raw)
        except BadPart as bad:
            raise self.source.bad(bad, *place) from None
