"""Placeholders: what a dialect file writes as `{name}` and the engine fills in.

A template is any YAML value. `{room}`, `{limits.history}`, `{event.params[0]}` name a variable or a path in
one, `{text|json}` passes it through filters (see `filters.WRITING`). A placeholder that is the whole of a
string keeps its type; inside a longer string it becomes text. `{after?}` may be absent: the map member or
list item that it fills is then left out, and a map that lost all its members so is left out too; inside a
longer string it is empty. `{{` is a literal `{`; a brace that no name follows is literal too, so JSON may be
written as it is. Knows no actions and no wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from .errors import BadPart, did_you_mean
from .filters import MISSING, WRITING, apply_filters, parse_filters, parse_path, walk

Variables = Mapping[str, Any]
Render = Callable[[Variables], Any]

_OPENING = re.compile(r"\{\{|\{(?=[A-Za-z_])")
_PLACEHOLDER = re.compile(
    r"""\{(?P<path>[A-Za-z_][^\s{}|?]*)\s*(?P<optional>\??)\s*(?P<filters>(?:\|(?:'[^']*'|"[^"]*"|[^{}'"])*)?)\}"""
)


class Unresolved(LookupError):
    """A placeholder that is not optional has no value; `str()` names it."""


class Placeholder:
    """One `{path?|filters}`."""

    __slots__ = ("filters", "name", "optional", "steps", "text")

    def __init__(self, match: re.Match[str]) -> None:
        self.text = match[0]
        self.steps = parse_path(match["path"])
        self.name = str(self.steps[0])
        self.optional = bool(match["optional"])
        self.filters = parse_filters(match["filters"], WRITING)

    def __call__(self, variables: Variables) -> Any:
        """The value; MISSING if it is optional and absent. Raises Unresolved."""
        value = apply_filters(self.filters, walk(self.steps[1:], variables.get(self.name, MISSING)))
        if value is MISSING and not self.optional:
            raise Unresolved(self.text)
        return value


class Template:
    """A compiled value with placeholders; `names` are the variables that it uses."""

    __slots__ = ("names", "raw", "render")

    def __init__(self, raw: Any, known: Container[str] | None = None) -> None:
        """`known` are the variables that exist here; None means that any may. Raises BadPart."""
        self.raw = raw
        used: set[str] = set()
        build = _compile(raw, known, used, ())
        self.names = frozenset(used)
        self.render: Render = build if callable(build) else lambda variables: raw

    @property
    def constant(self) -> bool:
        """Whether there is nothing to fill in (escaped braces count as something)."""
        return not self.names and self.render({}) == self.raw


def render(raw: Any, variables: Variables) -> Any:
    """Fill in a template that is used once. Raises BadPart, Unresolved."""
    return Template(raw).render(variables)


def placeholder_names(text: str) -> frozenset[str]:
    """The variables that a string mentions. Raises BadPart."""
    return Template(text).names


def _compile(raw: Any, known: Container[str] | None, used: set[str], place: tuple[str | int, ...]) -> Any:
    """A function of the variables, or None when the value is to be taken as it stands."""
    if isinstance(raw, str):
        return _compile_text(raw, known, used, place)
    if isinstance(raw, Mapping):
        made = [(key, value, _compile(value, known, used, (*place, key))) for key, value in raw.items()]
        return _map(made) if any(build for _, _, build in made) else None
    if isinstance(raw, list):
        items = [(value, _compile(value, known, used, (*place, index))) for index, value in enumerate(raw)]
        return _list(items) if any(build for _, build in items) else None
    return None


def _map(made: list[tuple[str, Any, Any]]) -> Render:
    def fill(variables: Variables) -> Any:
        out: dict[str, Any] = {}
        for key, value, build in made:
            if build:
                value = build(variables)
                if value is MISSING:
                    continue
            out[key] = value
        return out or MISSING

    return fill


def _list(items: list[tuple[Any, Any]]) -> Render:
    def fill(variables: Variables) -> Any:
        filled = [build(variables) if build else value for value, build in items]
        return [value for value in filled if value is not MISSING]

    return fill


def _compile_text(
    text: str, known: Container[str] | None, used: set[str], place: tuple[str | int, ...]
) -> Render | None:
    try:
        parts = list(_parts(text))
    except BadPart as bad:
        raise bad.under(*place) from None
    holes = [part for part in parts if isinstance(part, Placeholder)]
    for hole in holes:
        if known is not None and hole.name not in known:
            names = sorted(known) if isinstance(known, (set, frozenset, Mapping)) else ()
            raise BadPart(f"unknown placeholder {hole.text}{did_you_mean(hole.name, names)}", place)
        used.add(hole.name)
    if len(parts) == 1 and holes:
        return holes[0]
    if not holes:
        whole = "".join(str(part) for part in parts)
        return None if whole == text else lambda variables: whole
    return lambda variables: "".join(part if isinstance(part, str) else _inline(part(variables)) for part in parts)


def _parts(text: str) -> Iterator[str | Placeholder]:
    start = at = 0
    while opening := _OPENING.search(text, at):
        if opening[0] == "{{":
            yield text[start : opening.start() + 1]
            start = at = opening.end()
            continue
        match = _PLACEHOLDER.match(text, opening.start())
        if not match:
            raise BadPart(
                f"bad placeholder at {text[opening.start() : opening.start() + 30]!r}: "
                "expected {name}, {name?}, {name.member} or {name|filter}; write {{ for a brace"
            )
        if match.start() > start:
            yield text[start : match.start()]
        yield Placeholder(match)
        start = at = match.end()
    if start < len(text) or not text:
        yield text[start:]


def _inline(value: Any) -> str:
    if value is MISSING or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
