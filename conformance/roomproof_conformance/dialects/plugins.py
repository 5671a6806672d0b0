"""Plug-ins: codecs and handshakes in Python, for what a dialect file cannot say.

A package offers one under the entry point `roomproof.dialects`. It runs that package's code, so nothing is imported
unless whoever starts the kit has named it. Knows no dialect file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Final

from .codecs import Codec
from .errors import DialectError, did_you_mean

GROUP: Final = "roomproof.dialects"

Handshake = Callable[[Mapping[str, Any]], Generator[Any, Any, Mapping[str, Any]]]
"""Given the variables, yields frames to send, and None to be sent the next decoded event; returns what it captured.

Raises `Refused` when the server does not agree.
"""


class Refused(Exception):
    """The server refused a handshake; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """What an entry point must be: `codec` (or None), and `handshakes` by the name that a step's `run` gives."""

    codec: Codec | None = None
    handshakes: Mapping[str, Handshake] = field(default_factory=dict)


def installed() -> list[str]:
    """The names of the plug-ins that are installed; none of them is imported."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def load_plugins(allowed: Collection[str]) -> dict[str, Plugin]:
    """Import the plug-ins that were allowed by name. Raises DialectError."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    plugins: dict[str, Plugin] = {}
    for name in allowed:
        if name not in found:
            raise DialectError(f"no plug-in {name!r} is installed (entry point {GROUP}){did_you_mean(name, found)}")
        try:
            plugin = found[name].load()
        except Exception as error:  # somebody else's code: whatever it raises is one line
            raise DialectError(f"plug-in {name!r} cannot be imported: {type(error).__name__}: {error}") from None
        if not isinstance(plugin, Plugin):
            raise DialectError(f"plug-in {name!r} is a {type(plugin).__name__}, expected a dialects.Plugin")
        plugins[name] = plugin
    return plugins
