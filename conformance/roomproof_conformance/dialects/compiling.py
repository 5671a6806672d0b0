"""From a dialect file to a `Dialect`: what the schema cannot check is checked here, with file and line.

Each check reads one part of the file; the first fault ends the loading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .claims import compile_claims, plain
from .codecs import CODECS, Codec
from .dialect import ALWAYS, ARGUMENTS, DEFAULT_TIMEOUT, Dialect, Reaction, Rule, Step
from .errors import BadPart, Place, did_you_mean
from .filters import Expression, compile_expression, compile_regex
from .loading import Source, built_in, duration, find, read, validate
from .matching import Pattern, compile_pattern, covers
from .templates import Template

_ANYTHING = {"exists": True}
_ORIGIN = re.compile(r"wss?://\{host\}:\{port\}")


def load(path_or_name: str | Path) -> Dialect:
    """A built-in dialect by its name (`native`), or one from a file. Raises DialectError."""
    if str(path_or_name) in built_in():
        return _load_built_in(str(path_or_name))
    return parse(*find(path_or_name))


@cache
def _load_built_in(name: str) -> Dialect:
    return parse(*find(name))


def parse(text: str, label: str = "dialect") -> Dialect:
    """A dialect from YAML text; `label` stands before the line in errors. Raises DialectError."""
    source = read(text, label)
    validate(source)
    return _Compiler(source).dialect()


class _Compiler:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.data: dict[str, Any] = source.data
        self.codec = self._codec()
        self.captured = frozenset(
            name for steps in self.data["actions"].values() for step in steps for name in step.get("capture", ())
        )
        self.common = ALWAYS | self.captured | frozenset(self.data.get("variables", ()))

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
        setup = self.data.get("claims", {}).get("rate_limit", {}).get("setup")
        if setup is not None:
            listed, action = setup if isinstance(setup, list) else [setup], "rate_limit.setup"
            actions[action] = self._steps(listed, action, ("claims", "rate_limit", "setup"))
        return actions

    def _steps(self, raw: list[Any], action: str, place: Place) -> tuple[Step, ...]:
        known = self.common | ARGUMENTS[action]
        return tuple(self._step(step, known, (*place, index)) for index, step in enumerate(raw))

    def _step(self, raw: Any, known: frozenset[str], place: Place) -> Step:
        if not isinstance(raw, dict) or ("send" in raw) == ("expect" in raw):
            raise self.source.error(place, "a step has either 'send' or 'expect'")
        for key in ("fail", "capture", "timeout"):
            if "send" in raw and key in raw:
                raise self.source.error((*place, key), "belongs to an 'expect', not to a 'send'")
        for key in ("when", "unless"):
            if key in raw and raw[key] not in known:
                raise self.source.error(
                    (*place, key), f"unknown variable {raw[key]!r}{did_you_mean(raw[key], sorted(known))}"
                )
        return Step(
            send=self._frame(raw["send"], known, (*place, "send")) if "send" in raw else None,
            expect=self._pattern(raw["expect"], known, (*place, "expect")) if "expect" in raw else None,
            fail=self._pattern(raw["fail"], known, (*place, "fail")) if "fail" in raw else None,
            capture=self._expressions(raw.get("capture", {}), (*place, "capture")),
            timeout=duration(raw["timeout"]) if "timeout" in raw else DEFAULT_TIMEOUT,
            when=raw.get("when"),
            unless=raw.get("unless"),
        )

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
