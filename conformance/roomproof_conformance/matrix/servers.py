"""The servers file: read with line numbers, checked against its closed schema, every fault one clear line.

Knows what an entry means and starts nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roomproof_conformance.dialects import DialectError
from roomproof_conformance.dialects import load as load_dialect
from roomproof_conformance.dialects.errors import Place, did_you_mean
from roomproof_conformance.dialects.loading import Source, built_in, conform, duration, read
from roomproof_conformance.hooks import SHIPPED, HookError
from roomproof_conformance.hooks import load as load_hooks

if TYPE_CHECKING:
    import jsonschema

WORD = re.compile(r"\{([a-z_]+)\}")
COMMAND_WORDS = ("port", "python", "launcher", "here", "scratch")
COPY_WORDS = ("port", "scratch")
KINDS = ("command", "url", "hooks")
ONLY_WITH: Mapping[str, str] = {
    **dict.fromkeys(
        ("path", "python", "environment", "inherit", "copy", "replace", "ready", "stop", "limits"), "command"
    ),
    "timers": "hooks",
}
"""Members that say something of one kind of entry alone."""
PIN = re.compile(r"[A-Za-z0-9._-]+(\[[A-Za-z0-9_,. -]+\])?\s*==\s*[A-Za-z0-9.+!_]+(\s*;[^#]*)?")
_SIZES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class ServersError(Exception):
    """A servers file cannot be used: one clear line; `problems` holds all that were found."""

    def __init__(self, *problems: str) -> None:
        super().__init__(problems[0])
        self.problems = problems


@dataclass(frozen=True)
class Limits:
    """What each process of a server may take, in bytes, seconds and numbers; None: as the system has it."""

    memory: int = 2 * 2**30
    cpu: int = 900
    files: int = 4096
    file_size: int = 2**30
    processes: int | None = None


@dataclass(frozen=True)
class Replacement:
    """Text to replace in a file of the copy."""

    file: str
    find: str
    by: str


@dataclass(frozen=True)
class Server:
    """One entry. Exactly one of `command`, `url` and `hooks` says how there comes to be a server."""

    name: str
    where: str  # file and line
    here: Path  # the folder that paths count from
    title: str
    set: str = ""
    remark: str = ""
    dialect: str = "native"
    url: str | None = None
    hooks: str | None = None
    timers: str = "default"
    command: tuple[str, ...] = ()
    path: str = "/"
    pins: tuple[str, ...] | None = None  # None: it runs on the kit's own interpreter, if on any
    environment: Mapping[str, str] = field(default_factory=dict)
    inherit: tuple[str, ...] = ()
    copy: Path | None = None
    replace: tuple[Replacement, ...] = ()
    ready: float = 15.0
    stop_signal: str = "SIGTERM"
    grace: float = 5.0
    limits: Limits = Limits()
    known_failing: Path | None = None
    known_flaky: Path | None = None


@dataclass(frozen=True)
class ServerFile:
    """A read file."""

    path: Path
    title: str
    servers: tuple[Server, ...]

    def chosen(self, globs: tuple[str, ...]) -> tuple[Server, ...]:
        """The servers that a glob names, all without one. Raises ServersError for a glob that names none."""
        from fnmatch import fnmatchcase

        names = [server.name for server in self.servers]
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                raise ServersError(f"{self.path}: no server is called {glob!r}{did_you_mean(glob, names)}")
        return tuple(s for s in self.servers if not globs or any(fnmatchcase(s.name, glob) for glob in globs))


def load(path: str | Path) -> ServerFile:
    """Read a servers file, with the dialects, hook files, pins and copies that it names.

    Raises ServersError with file, line and place for anything that is not as it should be.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ServersError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ServersError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        source = read(text, str(path))
        if not isinstance(source.data, dict):
            raise source.error((), "expected a map with matrix and servers")
        conform(source, _validator())
    except DialectError as error:
        raise ServersError(*error.problems) from None
    problems = [problem for name in source.data["servers"] for problem in _problems(source, name, path.parent)]
    if problems:
        raise ServersError(*problems)
    servers = tuple(_server(source, name, path.parent) for name in source.data["servers"])
    return ServerFile(path, source.data.get("title", path.stem), servers)


def size(text: str) -> int:
    """`512MiB` in bytes (the schema has checked its form)."""
    return int(float(text[:-3]) * _SIZES[text[-3:]])


@cache
def _validator() -> jsonschema.Draft202012Validator:
    import jsonschema

    return jsonschema.Draft202012Validator(schema())


def schema() -> dict[str, Any]:
    """The JSON Schema of servers files."""
    text = files("roomproof_conformance.matrix").joinpath("servers.schema.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


# -- what the schema cannot say ------------------------------------------------------------------------------


def _problems(source: Source, name: str, here: Path) -> Iterator[str]:
    at: Place = ("servers", name)
    entry: dict[str, Any] = source.data["servers"][name]
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        got = " and ".join(kinds) or "none of them"
        yield source.problem(at, f"expected one of command, url and hooks, got {got}")
    for key, kind in ONLY_WITH.items():
        if key in entry and kind not in entry:
            yield source.problem((*at, key), f"says something only beside {kind!r}")
    yield from _words(source, at, entry)
    yield from _files(source, at, entry, here)


def _words(source: Source, at: Place, entry: Mapping[str, Any]) -> Iterator[str]:
    """Words in braces that mean nothing, and a command that is told no port."""
    texts: list[tuple[Place, str]] = [((*at, "command", n), word) for n, word in enumerate(entry.get("command", ()))]
    texts += [((*at, "environment", name), value) for name, value in entry.get("environment", {}).items()]
    for place, text in texts:
        for word in WORD.findall(text):
            if word not in COMMAND_WORDS:
                hint = did_you_mean(word, COMMAND_WORDS)
                yield source.problem(place, f"unknown word {{{word}}}{hint}")


def _files(source: Source, at: Place, entry: Mapping[str, Any], here: Path) -> Iterator[str]:
    """What the entry names and is not there, or is not what it should be."""
    shipped = {"dialect": built_in(), "hooks": [path.stem for path in SHIPPED.glob("*.yaml")]}
    for key in ("dialect", "hooks", "copy", "known_failing", "known_flaky"):
        if key in entry and entry[key] not in shipped.get(key, ()) and not (here / entry[key]).exists():
            beside = f"; names that ship with the kit: {', '.join(shipped[key])}" if key in shipped else ""
            yield source.problem((*at, key), f"{here / entry[key]}: no such file{beside}")
            return
    try:
        load_dialect(_named(here, entry.get("dialect", "native"), built_in()))
        if "hooks" in entry and not load_hooks(_named(here, entry["hooks"], shipped["hooks"])).start:
            yield source.problem((*at, "hooks"), "the hook file has no `start`, so it starts no server")
    except DialectError as error:
        yield source.problem((*at, "dialect"), str(error))
    except HookError as error:
        yield source.problem((*at, "hooks"), str(error))
    if "python" in entry:
        try:
            pins = _pins(entry["python"], here)
        except (OSError, UnicodeDecodeError) as error:
            yield source.problem((*at, "python"), f"{entry['python']}: cannot be read: {error}")
            return
        for pin in pins:
            if not PIN.fullmatch(pin):
                yield source.problem((*at, "python"), f"expected a pin such as websockets==13.1, got {pin!r}")
    for number, change in enumerate(entry.get("replace", ())):
        if "copy" not in entry:
            yield source.problem((*at, "replace"), "needs `copy`: only a copy is changed")
            return
        yield from _change(source, (*at, "replace", number), change, here / entry["copy"])


def _change(source: Source, at: Place, change: Mapping[str, Any], copied: Path) -> Iterator[str]:
    file = copied if copied.is_file() and change["file"] == copied.name else copied / change["file"]
    if ".." in Path(change["file"]).parts or Path(change["file"]).is_absolute() or not file.is_file():
        yield source.problem((*at, "file"), f"{change['file']}: no such file in the copy of {copied}")
    elif change["find"] not in file.read_text("utf-8", errors="surrogateescape"):
        yield source.problem((*at, "find"), f"{change['find']!r} does not occur in {file}")


# -- the entry -----------------------------------------------------------------------------------------------


def _server(source: Source, name: str, here: Path) -> Server:
    entry: dict[str, Any] = source.data["servers"][name]
    limits = {
        key: size(value) if key in ("memory", "file_size") else int(duration(value)) if key == "cpu" else value
        for key, value in entry.get("limits", {}).items()
    }
    stop = entry.get("stop", {})
    hooks = entry.get("hooks")
    return Server(
        name=name,
        where=f"{source.label}:{source.line(('servers', name))}",
        here=here.resolve(),
        title=entry.get("title", name),
        set=entry.get("set", ""),
        remark=" ".join(entry.get("remark", "").split()),
        dialect=_named(here, entry.get("dialect", "native"), built_in()),
        url=entry.get("url"),
        hooks=None if hooks is None else _named(here, hooks, [path.stem for path in SHIPPED.glob("*.yaml")]),
        timers=entry.get("timers", "default"),
        command=tuple(entry.get("command", ())),
        path=entry.get("path", "/"),
        pins=tuple(_pins(entry["python"], here)) if "python" in entry else None,
        environment=entry.get("environment", {}),
        inherit=tuple(entry.get("inherit", ())),
        copy=here / entry["copy"] if "copy" in entry else None,
        replace=tuple(Replacement(c["file"], c["find"], c["with"]) for c in entry.get("replace", ())),
        ready=duration(entry.get("ready", "15s")),
        stop_signal=stop.get("signal", "SIGTERM"),
        grace=duration(stop.get("grace", "5s")),
        limits=Limits(**limits),
        known_failing=here / entry["known_failing"] if "known_failing" in entry else None,
        known_flaky=here / entry["known_flaky"] if "known_flaky" in entry else None,
    )


def _named(here: Path, name: str, shipped: list[str]) -> str:
    """A file of the entry, or the name of one that ships."""
    return name if name in shipped and not (here / name).exists() else str(here / name)


def _pins(said: str | list[str], here: Path) -> list[str]:
    """The lines of a requirements file, or those that stand in the entry."""
    lines = (here / said).read_text("utf-8").splitlines() if isinstance(said, str) else said
    return [pin for line in lines if (pin := re.sub(r"(^|\s)#.*", "", line).strip())]
