"""Puts the configuration together: command line before environment before file before default.

Each value keeps its source, each fault is one line that begins with the place. It reads the one file it is
told; what values mean together is for `check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from roomproof_protocol.data import nearest
from roomproof_server.config.kinds import FilePath, LimitsKind, StoreKind, limits_of
from roomproof_server.config.options import OPTIONS, PREFIX, Option

# Variables of the conformance kit's hooks, which begin like ours and are not settings of the command.
FOREIGN = frozenset({"ROOMPROOF_STATE", "ROOMPROOF_SETTINGS", "ROOMPROOF_CONFIG"})


class Given(NamedTuple):
    """A value and where it came from, for people: ``--port``, ``ROOMPROOF_PORT``, ``server.yaml:3``, ``default``."""

    value: Any
    source: str


@dataclass
class Configuration:
    """Everything that was given. With ``faults`` it cannot be used."""

    given: dict[str, Given] = field(default_factory=dict)
    limits: dict[str, Given] = field(default_factory=dict)  # those of the option limit, by flat name
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        """The value of an option, its default if it was not given."""
        if name == "limit":
            return {limit: given.value for limit, given in self.limits.items()}
        return self.given[name].value if name in self.given else OPTIONS[name].default

    def source(self, name: str) -> str:
        """Where the value came from."""
        return self.given[name].source if name in self.given else "default"

    def place(self, name: str) -> str:
        """The same for a message: the option's own name where nobody gave it."""
        return self.given[name].source if name in self.given else OPTIONS[name].flag

    def put(self, option: Option, value: Any, source: str) -> None:
        """Take a value unless a source before had one; limits each for itself, lists whole."""
        if isinstance(option.kind, LimitsKind):
            for name, number in value.items():
                parts = (given for given in self.limits if given.startswith(f"{name}.") or name.startswith(f"{given}."))
                over = next(parts, None)
                if over is None or self.limits[over].source == source:
                    self.limits.setdefault(name, Given(number, source))
        elif option.name not in self.given:
            self.given[option.name] = Given(value, source)

    def settle(self) -> None:
        """Check the limits, which only together are right or wrong."""
        try:
            limits_of(self["limit"])
        except ValueError as error:
            sources = dict.fromkeys(given.source for name, given in self.limits.items() if _is_about(str(error), name))
            self.faults.append(f"{', '.join(sources) or '--limit'}: {error}")


def gather(
    command_line: Mapping[str, tuple[str, ...]], environment: Mapping[str, str], file: str | None
) -> Configuration:
    """All values. ``command_line`` has the words of each option that was given; ``file`` comes before
    ``ROOMPROOF_CONFIG``. Never raises: see `Configuration.faults`.
    """
    configuration = Configuration()
    for name, words in command_line.items():
        _read(configuration, OPTIONS[name], words, OPTIONS[name].flag)
    variables = {option.variable: option for option in OPTIONS.values()}
    for variable, text in environment.items():
        if option := variables.get(variable):
            _read(configuration, option, text.split() if option.kind.many else [text], variable)
        elif variable.startswith(PREFIX) and variable not in FOREIGN:
            hint = nearest(variable, tuple(variables))
            configuration.warnings.append(f"{variable}: no such setting{hint}")
    if file := file or environment.get("ROOMPROOF_CONFIG"):
        _read_file(configuration, Path(file))
    configuration.settle()
    return configuration


def _read(configuration: Configuration, option: Option, words: tuple[str, ...] | list[str], source: str) -> None:
    """Take the words that one source has for an option."""
    try:
        if isinstance(option.kind, LimitsKind):
            flat: dict[str, Any] = {}
            for word in words:
                flat |= option.kind.read(word)
            configuration.put(option, flat, source)
        elif option.kind.many:
            configuration.put(option, tuple(value for word in words for value in option.kind.read(word)), source)
        else:
            configuration.put(option, option.kind.read(words[-1]), source)
    except ValueError as error:
        configuration.faults.append(f"{source}: {error}")


def _read_file(configuration: Configuration, path: Path) -> None:
    """Take what the file has; its names are those of the table and no others."""
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        configuration.faults.append(f"{path}: {error.strerror}; name a readable file with --config")
        return
    except UnicodeDecodeError:
        configuration.faults.append(f"{path}: not UTF-8")
        return
    except yaml.YAMLError as error:
        configuration.faults.append(f"{path}{_line(error)}: not YAML: {' '.join(str(error).split())[:200]}")
        return
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        configuration.faults.append(f"{path}:1: expected names of options with their values")
        return
    for name, value, place in _members(configuration, path, node):
        option = OPTIONS.get(name)
        if option is None:
            configuration.faults.append(f"{place}: unknown option {name}{nearest(name, OPTIONS)}")
            continue
        try:
            loaded = option.kind.load(_plain(value))
        except (ValueError, yaml.YAMLError) as error:
            configuration.faults.append(f"{place}: {name}: {_first_line(error)}")
            continue
        if isinstance(option.kind, FilePath | StoreKind) and isinstance(loaded, Path):
            loaded = path.parent / loaded
        configuration.put(option, loaded, place)


def _members(configuration: Configuration, path: Path, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, str]]:
    seen: set[str] = set()
    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        name = str(key.value)
        if name in seen:
            configuration.faults.append(f"{place}: {name} is given twice")
        seen.add(name)
        yield name, value, place


def _plain(node: yaml.Node) -> Any:
    """The node as plain values."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _is_about(message: str, name: str) -> bool:
    """Whether a fault of `limits_of` names this limit, or the part of it that is there."""
    return any(word.strip(";:,") == name or word.strip(";:,") == name.partition(".")[0] for word in message.split())
