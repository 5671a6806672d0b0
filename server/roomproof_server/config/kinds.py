"""Kinds of option values: how each is read from text and from YAML, what its JSON Schema is, how it is shown.

A kind knows nothing of where a value came from. Every fault is a ValueError whose text says what was
expected; who raises it further puts the place in front.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from roomproof_protocol import DEFAULTS, Limits, PerAddress, Window
from roomproof_server.engine.stores import ENDINGS, Store, parse_store

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind:
    """A text, and what the other kinds share."""

    metavar = "TEXT"
    many = False  # a list: the option may repeat, the variable holds several with blanks between

    def read(self, text: str) -> Any:
        """The value that a word of the command line or a variable stands for. Raises ValueError."""
        return self.load(text)

    def load(self, value: object) -> Any:
        """The value that stands in the file. Raises ValueError."""
        if not isinstance(value, str) or not value or not value.isprintable():
            raise ValueError(f"expected a text, got {value!r}")
        return value

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema in the file."""
        return {"type": "string", "minLength": 1}

    def show(self, value: Any) -> str:
        """The value for people."""
        return str(value)


class FilePath(Kind):
    """A file; in the configuration file its name is relative to that file's folder."""

    metavar = "FILE"

    def load(self, value: object) -> Path:
        return Path(super().load(value))


class Choice(Kind):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.metavar = "|".join(words)

    def load(self, value: object) -> str:
        if not isinstance(value, str) or value.lower() not in self.words:
            raise ValueError(f"expected one of {', '.join(self.words)}, got {value!r}")
        return value.lower()

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


class Flag(Kind):
    """Yes or no."""

    metavar = ""

    def read(self, text: str) -> bool:
        words = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        if text.lower() not in words:
            raise ValueError(f"expected yes or no, got {text!r}")
        return words[text.lower()]

    def load(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {value!r}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def show(self, value: Any) -> str:
        return "yes" if value else "no"


class StoreKind(Kind):
    """A place for rooms; its value is the file or the Redis, or None for memory."""

    metavar = "STORE"

    def load(self, value: object) -> Store:
        return parse_store(str(super().load(value)))

    def schema(self) -> dict[str, Any]:
        endings = "|".join(ending.removeprefix(".") for ending in ENDINGS)
        return {
            "type": "string",
            "pattern": rf"^(memory|sqlite(:.*)?|rediss?(\+[a-z]+)?://.+|([^:]*/)?[^:/]+\.({endings}))$",
        }

    def show(self, value: Any) -> str:
        return "memory" if value is None else f"sqlite:{value}" if isinstance(value, Path) else str(value)


class Mode(Kind):
    """Permissions of a file: three octal digits, a text in the file (YAML reads 0660 as 432)."""

    metavar = "MODE"

    def load(self, value: object) -> int:
        if not isinstance(value, str) or re.fullmatch("0?[0-7]{3}", value) is None:
            raise ValueError(f"expected three octal digits in quotes, such as '660', got {value!r}")
        return int(value, 8)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^0?[0-7]{3}$"}

    def show(self, value: Any) -> str:
        return f"{value:03o}"


@dataclass(frozen=True)
class Number(Kind):
    """A number from ``low`` to ``high``; with ``whole`` an integer."""

    low: float
    high: float
    metavar: str = "NUMBER"
    whole: bool = False

    def read(self, text: str) -> float:
        try:
            return self.load(int(text) if self.whole else float(text))
        except ValueError:
            raise ValueError(f"expected {self._expected}, got {text!r}") from None

    def load(self, value: object) -> float:
        kinds = int if self.whole else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise ValueError(f"expected {self._expected}, got {value!r}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}

    def show(self, value: Any) -> str:
        return f"{value:g}" if isinstance(value, float) else str(value)

    @property
    def _expected(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"


def seconds(low: float, high: float) -> Number:
    """A time in seconds, fractions allowed."""
    return Number(low, high, "SECONDS")


class Network(Kind):
    """An address or a network, IPv4 or IPv6."""

    metavar = "ADDRESS"

    def load(self, value: object) -> IpNetwork:
        try:
            return ipaddress.ip_network(str(super().load(value)))
        except ValueError:
            raise ValueError(
                f"expected an address or a network such as 10.0.0.0/8, its host bits zero, got {value!r}"
            ) from None


class Many(Kind):
    """Any number of values of one kind."""

    many = True

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.metavar = kind.metavar

    def read(self, text: str) -> tuple[Any, ...]:
        return (self.kind.read(text),)

    def load(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(f"expected a list, got {value!r}")
        return tuple(map(self.kind.load, value))

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.kind.schema()}

    def show(self, value: Any) -> str:
        return " ".join(map(self.kind.show, value)) or "none"


class LimitsKind(Kind):
    """Numbers of `welcome.limits` by name, as a flat mapping: ``messages.count`` for a part of one."""

    metavar = "NAME=VALUE"
    many = True

    def read(self, text: str) -> dict[str, Any]:
        name, equals, value = (part.strip() for part in text.partition("="))
        if name == "per_address" and value.lower() == "off":
            return {name: None}
        if not equals or not (value.isascii() and value.isdecimal()):
            raise ValueError(f"expected NAME=WHOLE-NUMBER, got {text!r}")
        return {name: int(value)}

    def load(self, value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected names of limits with their values, got {value!r}")
        flat: dict[str, Any] = {}
        for name, part in value.items():
            if name == "per_address" and part is False:  # what YAML makes of off
                part = None
            if isinstance(part, Mapping):
                flat |= {f"{name}.{below}": deep for below, deep in self.load(part).items()}
            else:
                flat[str(name)] = part
        return flat

    def schema(self) -> dict[str, Any]:
        limits = _closed(DEFAULTS.advertised())
        for name in ("room_len", "name_len"):
            limits["properties"][name] = {"const": getattr(DEFAULTS, name)}
        off = {"enum": [None, False], "description": "off"}
        limits["properties"]["per_address"] = {"anyOf": [off, _closed(asdict(PER_ADDRESS))]}
        return limits


PER_ADDRESS = PerAddress(conns=100, guests=Window(60, 60_000), messages=Window(50, 1_000))
"""What holds for one address unless it is set: ten users who all write as fast as they may (RATE-14)."""


def limits_of(flat: Mapping[str, Any]) -> Limits:
    """`Limits` with these values over the server's defaults. Raises ValueError, one line, with a suggestion."""
    overrides: dict[str, Any] = {} if "per_address" in flat else {"per_address": asdict(PER_ADDRESS)}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        target: Any = overrides
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ValueError(f"limit {parent} is given both as a whole and by its parts")
        if isinstance(target.get(leaf), dict) and name != "per_address":
            raise ValueError(f"limit {name} is given both as a whole and by its parts")
        target[leaf] = value
    return Limits.from_mapping(overrides)


def _closed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a mapping with these members, all optional."""
    properties: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            properties[name] = _closed(value)
        elif isinstance(value, str):
            properties[name] = {"const": value}
        else:
            properties[name] = {"type": "integer", "minimum": 0}
    return {"type": "object", "additionalProperties": False, "properties": properties}
