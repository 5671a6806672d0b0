"""Valid values: of a place, at its bounds, and the smallest valid frame in which a place occurs.

The rules here are a second opinion on strings and numbers, written from the keywords' meaning and not by a
validator; `proof` asks the protocol's validator as well before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from roomproof_protocol import grammar

from .jsontext import Path

FILLER = "a"
LONGEST = 2**15
"""Characters beyond which a string is taken to have no bound."""

CANDIDATES = ("sample", "a", "sample-value-1", "Sample", "0", "a" * 16, "a" * 32)


@dataclass(frozen=True)
class Values:
    """What a target makes of values: `given` are those that mean something to it, by the member's name.

    `fresh` makes a new one for every frame: ids, texts. Without either, a valid value is made up.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    fresh: Mapping[str, Callable[[], Any]] = field(default_factory=dict)

    def of(self, name: str | int, schema: Mapping[str, Any]) -> Any:
        """The value for a member of this name, None where the schema forbids what there is."""
        value = self.fresh[str(name)]() if name in self.fresh else self.given.get(str(name))
        return value if value is not None and not broken(schema, value) else None


def broken(schema: Mapping[str, Any], value: Any) -> list[str]:
    """The keywords that a string or number breaks; of other values only `const`, `enum` and the type are looked at."""
    return list(_broken(schema, value))


def _broken(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if "const" in schema and value != schema["const"]:
        yield "const"
    if "enum" in schema and value not in schema["enum"]:
        yield "enum"
    if isinstance(value, str):
        yield from _broken_string(schema, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield "minimum"
        if value > schema.get("maximum", value):
            yield "maximum"
    if "string" in schema.get("type", ()) and not isinstance(value, str):
        yield "type"


def _broken_string(schema: Mapping[str, Any], value: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield "minLength"
    if len(value) > schema.get("maxLength", len(value)):
        yield "maxLength"
    if "pattern" in schema and not grammar.ecma_pattern(schema["pattern"]).search(value):
        yield "pattern"
    if "x-classes" in schema and _CLASSES[schema["x-classes"]](value):
        yield "x-classes"
    if "x-utf8-bytes" in schema and len(value.encode("utf-8", "surrogatepass")) > schema["x-utf8-bytes"]:
        yield "x-utf8-bytes"


_CLASSES: Mapping[str, Callable[[str], str | None]] = {
    "text": grammar.text_class_fault,
    "name": grammar.name_fault,
    "scalar": grammar.scalar_fault,
}


def codes(schema: Mapping[str, Any], keywords: list[str]) -> tuple[str, ...]:
    """The error codes that a value may get which breaks these keywords (section 4)."""
    named = schema.get("x-errors", {})
    return tuple(sorted({named.get(keyword, "invalid_message") for keyword in keywords}))


def sample(schema: Mapping[str, Any], name: str | int, values: Values, path: Path = ()) -> Any:
    """A valid value that holds the place `path`, and nothing more than it must hold.

    Raises ValueError when none can be made up: the schema needs an entry in `values`.
    """
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema or schema.get("type") == "object":
        return _object(schema, values, path)
    if schema.get("type") == "array":
        return [sample(schema.get("items", {}), 0, values, path[1:])]
    if (value := values.of(name, schema)) is not None:
        return value
    if schema.get("type") == "boolean":
        return True
    if schema.get("type") in ("integer", "number"):
        return min(max(1, schema.get("minimum", 1)), schema.get("maximum", 1))
    for candidate in CANDIDATES:
        if not broken(schema, candidate):
            return candidate
    raise ValueError(f"no valid value is known for a member {name!r} like {dict(schema)}; give one in Values")


def _object(schema: Mapping[str, Any], values: Values, path: Path) -> dict[str, Any]:
    """Members that are required, on the way to the place, or mean something to the target."""
    wanted = {*schema.get("required", ()), *path[:1], *values.given}
    return {
        name: sample(form, name, values, path[1:] if path[:1] == (name,) else ())
        for name, form in schema.get("properties", {}).items()
        if name in wanted and "not" not in form
    }


def shortest(schema: Mapping[str, Any]) -> str | None:
    """The shortest valid string of fillers, None where there is none."""
    return next((FILLER * n for n in range(65) if not broken(schema, FILLER * n)), None)


def longest(schema: Mapping[str, Any]) -> str | None:
    """The longest valid string of fillers, None where there is no bound."""
    low = len(shortest(schema) or "")
    high = LONGEST
    if broken(schema, FILLER * low) or not broken(schema, FILLER * high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if broken(schema, FILLER * middle) else (middle, high)
    return FILLER * low
