"""Dialect files: read with line numbers, checked against the closed schema, every fault one clear line.

YAML is read as JSON with comments: only `true`/`false` are booleans (`on`, `no` and dates stay text), a
repeated key is an error. Knows the file's shape (`dialect.schema.json`), not what its parts mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BadPart, DialectError, Place, did_you_mean, place_text

if TYPE_CHECKING:
    import jsonschema
    import yaml

_PACKAGE = "roomproof_conformance.dialects"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def duration(text: str) -> float:
    """`250ms`, `4s`, `2m`, `1h` in seconds. Raises BadPart."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise BadPart(f"expected a duration such as 250ms, 4s or 2m, got {text!r}")
    return float(found[1]) * _UNITS[found[2]]


@dataclass
class Source:
    """A file's data and the line of each of its parts; `error` makes the one-line texts."""

    label: str
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of a part, or of the nearest part around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, what: str) -> str:
        return f"{self.label}:{self.line(place)}: {place_text(place)}: {what}"

    def error(self, place: Place, what: str) -> DialectError:
        return DialectError(self.problem(place, what))

    def bad(self, bad: BadPart, *outer: str | int) -> DialectError:
        return self.error((*outer, *bad.place), bad.message)


def read(text: str, label: str) -> Source:
    """Parse YAML text. Raises DialectError."""
    import yaml

    source = Source(label)
    loader = _loader_class()(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            _note_lines(source, node, (), ())
            source.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{label}:{mark.line + 1}" if mark else label
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise DialectError(f"{where}: not YAML: {what}") from None
    except yaml.YAMLError as error:
        raise DialectError(f"{label}: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise DialectError(f"{label}: nested too deeply") from None
    finally:
        loader.dispose()
    return source


@cache
def _loader_class() -> type[yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.2's core types only."""

    Loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in (
        ("bool", r"^(?:true|false|True|False)$", "tfTF"),
        ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
        ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", "-0123456789"),
        ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
        ("merge", r"^<<$", "<"),
    ):
        letters = ["" if letter == "\0" else letter for letter in first]
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), letters)
    return Loader


def _note_lines(source: Source, node: yaml.Node, place: Place, around: tuple[int, ...]) -> None:
    import yaml

    if id(node) in around:
        raise DialectError(f"{source.label}:{node.start_mark.line + 1}: an alias inside what it stands for")
    source.lines.setdefault(place, node.start_mark.line + 1)
    around = (*around, id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(source, item, (*place, index), around)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or not key.tag.endswith((":str", ":merge")):
                raise DialectError(
                    f"{source.label}:{line}: {place_text(place)}: a key must be text: write it in quotes"
                )
            if key.value in seen and key.value != "<<":
                raise DialectError(
                    f"{source.label}:{line}: {place_text((*place, key.value))}: "
                    f"stands twice, first on line {seen[key.value]}"
                )
            seen[key.value] = line
            source.lines[(*place, key.value)] = line
            _note_lines(source, value, (*place, key.value), around)


def validate(source: Source) -> None:
    """Check a file's data against the schema; areas of claims that are `none` are dropped. Raises
    DialectError.
    """
    if not isinstance(source.data, dict):
        raise source.error((), "expected a map with dialect, name, connect, codec, actions and events")
    claims = source.data.get("claims")
    if isinstance(claims, dict):
        for area in [area for area, value in claims.items() if value == "none"]:
            del claims[area]
    conform(source, _validator())


def conform(source: Source, validator: jsonschema.Draft202012Validator) -> None:
    """Check a file's data against a closed schema. Raises DialectError with a line for each fault."""
    faults = [fault for error in validator.iter_errors(source.data) for fault in _in_words(error)]
    if faults:
        # A misspelled key explains what its map lacks: it comes first.
        faults.sort(key=lambda fault: (fault[1].startswith("lacks"), source.line(fault[0])))
        raise DialectError(*(source.problem(*fault) for fault in faults))


@cache
def _validator() -> jsonschema.Draft202012Validator:
    import jsonschema

    return jsonschema.Draft202012Validator(schema())


def schema() -> dict[str, Any]:
    """The JSON Schema of dialect files."""
    data: dict[str, Any] = json.loads(files(_PACKAGE).joinpath("dialect.schema.json").read_text("utf-8"))
    return data


def _in_words(error: jsonschema.ValidationError) -> Iterator[tuple[Place, str]]:
    place: Place = tuple(error.absolute_path)
    rule = error.schema if isinstance(error.schema, dict) else {}
    value: Any = error.instance
    limit: Any = error.validator_value
    expected = rule.get("x-expected")
    got = f"got {value!r}" if not isinstance(value, (dict, list)) else f"got {_TYPE_NAMES[type(value)]}"
    match error.validator:
        case "additionalProperties":
            known = list(rule.get("properties", {}))
            for key in [key for key in value if key not in known]:
                yield (*place, key), f"unknown key {key!r}{did_you_mean(key, known)}"
        case "required":
            missing = [key for key in limit if key not in value]
            if error.message.startswith(repr(missing[0])):  # one error per missing member
                yield place, f"lacks {', '.join(repr(key) for key in missing)}"
        case "enum":
            yield place, f"expected one of {', '.join(limit)}, {got}{_near(value, limit)}"
        case "const":
            yield place, f"expected {limit!r}, {got}"
        case "type" if not expected:
            types = limit if isinstance(limit, list) else [limit]
            yield place, f"expected {' or '.join(_JSON_NAMES[name] for name in types)}, {got}"
        case "minItems" | "minLength":
            yield place, "must not be empty"
        case _:
            yield place, f"expected {expected}, {got}" if expected else error.message


_TYPE_NAMES: dict[type, str] = {dict: "a map", list: "a list"}
_JSON_NAMES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
}


def _near(value: object, known: list[str]) -> str:
    text = did_you_mean(value, known)
    return text if "did you mean" in text else ""


def built_in() -> list[str]:
    """Names of the dialects that come with the kit."""
    return sorted(entry.name[:-5] for entry in _shipped().iterdir() if entry.name.endswith(".yaml"))


def _shipped() -> Traversable:
    return files(_PACKAGE).joinpath("shipped")


def find(path_or_name: str | Path) -> tuple[str, str]:
    """The text of a dialect and the label that its errors carry. Raises DialectError."""
    name = str(path_or_name)
    if name in built_in():
        return _shipped().joinpath(f"{name}.yaml").read_text("utf-8"), f"{name}.yaml"
    try:
        return Path(name).read_text("utf-8"), name
    except FileNotFoundError:
        is_path = "/" in name or name.endswith((".yaml", ".yml"))
        kind = "no such file" if is_path else "no built-in dialect and no file of this name"
        raise DialectError(f"{name}: {kind}{did_you_mean(name, built_in()).replace('known', 'built in')}") from None
    except UnicodeDecodeError:
        raise DialectError(f"{name}: not UTF-8 text") from None
    except OSError as error:
        raise DialectError(f"{name}: cannot be read: {error.strerror or error}") from None
