"""The walk: every place of a message schema at which something can be wrong.

Reads schemas as `roomproof_protocol.messages.schema` gives them, references in place. Knows no operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .jsontext import Path

JSON_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


@dataclass(frozen=True)
class Place:
    """One place: the frame itself (empty path), a member, or the first item of an array (step 0)."""

    type: str
    path: Path
    schema: Mapping[str, Any]
    required: bool = True

    @property
    def name(self) -> str:
        """As it stands in ids: `join.after.seq`, `hello.caps[0]`."""
        return self.type + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)

    @property
    def pointer(self) -> str:
        """The JSON Pointer of the place in its frame."""
        return "".join(f"/{step}" for step in self.path)

    @property
    def admits(self) -> frozenset[str]:
        """The JSON types that the schema lets in; a number admits integers."""
        named = self.schema.get("type")
        names = {named} if isinstance(named, str) else set(named or ())
        if not names and "const" in self.schema:
            names = {JSON_TYPES[type(self.schema["const"])]}
        return frozenset(names | ({"integer"} if "number" in names else set()))

    @property
    def is_type(self) -> bool:
        return self.path == ("type",)

    @property
    def is_id(self) -> bool:
        return self.path == ("id",)


def places(type_: str, schema: Mapping[str, Any]) -> Iterator[Place]:
    """Every place of the message `type_`, the frame itself first."""
    yield from _below(Place(type_, (), schema))


def _below(place: Place) -> Iterator[Place]:
    yield place
    required = place.schema.get("required", ())
    for name, schema in place.schema.get("properties", {}).items():
        if "not" not in schema:  # a member that is forbidden has no values
            yield from _below(Place(place.type, (*place.path, name), schema, name in required))
    if isinstance(items := place.schema.get("items"), Mapping):
        yield from _below(Place(place.type, (*place.path, 0), items))


def excluded(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The pairs of members that must not stand together: beside the first the second is forbidden."""
    for name, dependent in schema.get("dependentSchemas", {}).items():
        for other, form in dependent.get("properties", {}).items():
            if form.get("not") == {}:
                yield name, other
