"""Paths into decoded events, and the small filters that finish what a path found.

An expression is `path | filter | filter(...)`: `params[0]`, `message.@from | after('/')`, `content | json`;
quoted text in the place of the path is itself.
Reading never raises: what is not there, or does not fit a filter, is `MISSING`. Arguments of filters are
numbers or quoted text taken as it stands (no escapes), so that regular expressions read as usual.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from .errors import BadPart, did_you_mean


class _Missing:
    """The value of a path that leads nowhere; `None` is the wire's own null."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()

Filter = Callable[..., Any]
_Step = str | int

_SEGMENT = re.compile(r"""\[(-?\d+)\]|\["([^"]*)"\]|\[\'([^\']*)\'\]|(?:^|\.)([^\s.\[\]|{}?'"()]+)""")
_FILTER = re.compile(r"""\s*\|\s*(\w+)(?:\(((?:'[^']*'|"[^"]*"|[^'"()])*)\))?\s*""")
_LITERAL = re.compile(r"""\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*(?=\||$)""")
_ARGUMENT = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|(-?\d+(?:\.\d+)?))\s*(?:,|$)""")


def parse_path(text: str) -> tuple[_Step, ...]:
    """`a.b[0]` as `("a", "b", 0)`; `.` alone is the whole value. Raises BadPart."""
    if text == ".":
        return ()
    steps: list[_Step] = []
    at = 0
    while at < len(text):
        found = _SEGMENT.match(text, at)
        if not found:
            raise BadPart(f"bad path {text!r} at {text[at:]!r}: expected names joined by dots and [positions]")
        index, double, single, name = found.groups()
        steps.append(int(index) if index is not None else next(s for s in (double, single, name) if s is not None))
        at = found.end()
    if not steps:
        raise BadPart("empty path; '.' is the whole event")
    return tuple(steps)


def walk(steps: tuple[_Step, ...], value: Any) -> Any:
    """The value at the end of a path, or MISSING."""
    for step in steps:
        if isinstance(step, str):
            value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
        else:
            fits = isinstance(value, list) and -len(value) <= step < len(value)
            value = value[step] if fits else MISSING
    return value


def parse_filters(text: str, table: Mapping[str, Filter]) -> tuple[Callable[[Any], Any], ...]:
    """The functions of `| name | name(arguments)`, in order. Raises BadPart."""
    made: list[Callable[[Any], Any]] = []
    at = 0
    while at < len(text):
        found = _FILTER.match(text, at)
        if not found:
            raise BadPart(f"bad filter {text[at:].strip()!r}: expected | name or | name('argument')")
        name, raw = found.groups()
        if name not in table:
            raise BadPart(f"unknown filter {name!r}{did_you_mean(name, table)}")
        made.append(_bind(name, table[name], _arguments(raw or "", name)))
        at = found.end()
    return tuple(made)


def _arguments(raw: str, name: str) -> list[Any]:
    values: list[Any] = []
    at = 0
    while at < len(raw):
        found = _ARGUMENT.match(raw, at)
        if not found:
            raise BadPart(f"bad argument of filter {name!r} at {raw[at:]!r}: expected quoted text or a number")
        double, single, number = found.groups()
        values.append(next((s for s in (double, single) if s is not None), None))
        if number is not None:
            values[-1] = float(number) if "." in number else int(number)
        at = found.end()
    return values


def _bind(name: str, function: Filter, arguments: list[Any]) -> Callable[[Any], Any]:
    if function is _regex:
        function, arguments = _prepare_regex(arguments)
    try:
        function("", *arguments)
    except TypeError:
        raise BadPart(f"wrong arguments for filter {name!r}: {arguments!r}") from None
    except (ValueError, ArithmeticError):
        pass
    return lambda value: function(value, *arguments)


def _prepare_regex(arguments: list[Any]) -> tuple[Filter, list[Any]]:
    if not arguments or not isinstance(arguments[0], str):
        raise BadPart("filter 're' takes a regular expression in quotes and perhaps a group")
    pattern = compile_regex(arguments[0])
    group: str | int = arguments[1] if len(arguments) > 1 else 1 if pattern.groups else 0
    if group not in pattern.groupindex and not (isinstance(group, int) and group <= pattern.groups):
        raise BadPart(f"regular expression {arguments[0]!r} has no group {group!r}")
    return _regex, [pattern, group]


def compile_regex(text: str) -> re.Pattern[str]:
    """`re.compile` with the fault in one line. Raises BadPart."""
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPart(f"bad regular expression {text!r}: {error}") from None


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled `path | filters`."""

    text: str
    steps: tuple[_Step, ...]
    filters: tuple[Callable[[Any], Any], ...] = ()
    member: str | None = field(init=False, compare=False, repr=False)
    """The name when it reads a member as it stands, so that whoever reads thousands need not come here."""

    def __post_init__(self) -> None:
        plain = len(self.steps) == 1 and not self.filters and isinstance(self.steps[0], str)
        object.__setattr__(self, "member", self.steps[0] if plain else None)

    def __call__(self, value: Any) -> Any:
        return apply_filters(self.filters, walk(self.steps, value)) if self.filters else walk(self.steps, value)


def apply_filters(filters: Iterable[Callable[[Any], Any]], value: Any) -> Any:
    """What the filters make of a value; MISSING when one of them does not fit it."""
    for function in filters:
        try:
            value = function(value)
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            return MISSING
    return value


def compile_expression(text: str) -> Expression:
    """Raises BadPart when the text is no `path | filter | …` with filters of `READING`."""
    if not isinstance(text, str):
        raise BadPart(f"expected a path such as 'user.name' or 'params[0] | json', got {text!r}")
    if literal := _LITERAL.match(text):
        constant = literal["single"] or literal["double"] or ""
        return Expression(text, (), (lambda _: constant, *parse_filters(text[literal.end() :], READING)))
    path, bar, rest = text.partition("|")
    return Expression(text, parse_path(path.strip()), parse_filters(bar + rest, READING))


def _needs(function: Callable[..., Any]) -> Filter:
    """A filter that lets what is missing stay missing."""

    def guarded(value: Any, *arguments: Any) -> Any:
        return MISSING if value is MISSING else function(value, *arguments)

    return guarded


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _before(value: str, separator: str) -> str:
    return value.partition(separator)[0]


def _after(value: str, separator: str) -> Any:
    _, found, rest = value.partition(separator)
    return rest if found else MISSING


def _regex(value: Any, pattern: re.Pattern[str], group: str | int) -> Any:
    found = pattern.search(value) if isinstance(value, str) else None
    taken = found.group(group) if found else None
    return MISSING if taken is None else taken


def _milliseconds(value: Any) -> int:
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        moment = datetime.fromisoformat(value)
        return round(moment.timestamp() * 1000)
    return round(float(value) * 1000)


def _default(value: Any, other: Any) -> Any:
    return other if value is MISSING else value


def _percent(value: Any) -> str:
    return quote(_text(value), safe="", errors="surrogatepass")


_COMMON: dict[str, Filter] = {
    "int": _needs(int),
    "float": _needs(float),
    "str": _needs(_text),
    "ms": _needs(_milliseconds),  # seconds since 1970, or ISO 8601, as milliseconds
    "seconds": _needs(lambda value: float(value) / 1000),  # milliseconds as seconds
    "lower": _needs(str.lower),
    "strip": _needs(str.strip),
    "before": _needs(_before),
    "after": _needs(_after),
    "default": _default,
}
READING: Final[Mapping[str, Filter]] = {
    **_COMMON,
    "json": _needs(lambda value: json.loads(value)),
    "unquote": _needs(lambda value: unquote(value)),
    "re": _regex,
}
"""Filters of `fields`, `capture` and `entries`: `json` reads JSON inside a string."""
WRITING: Final[Mapping[str, Filter]] = {
    **_COMMON,
    "json": _needs(lambda value: json.dumps(value, ensure_ascii=False)),
    "xml": _needs(lambda value: html.escape(_text(value))),
    "path": _needs(_percent),
    "query": _needs(_percent),
}
"""Filters of placeholders: `json`, `xml`, `path` and `query` escape a value for its place."""
