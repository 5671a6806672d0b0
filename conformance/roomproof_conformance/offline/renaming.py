"""The names of a file in terms of a new conversation: what the kit made up, what the server gave, record numbers.

Rooms, users and texts of a run carry its token, so that nothing is met that an earlier run left behind. Values that
the server gave (ids, tokens, epochs) are learnt by laying its old answers beside its new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

LONG = 8
"""Letters from which a value of the server's is also looked for inside longer strings."""
BIG = 10**9
"""From here on a number of the server's is one of its times, and not found in a statement by chance."""

INDEX = frozenset({"op", "record", "sent", "ping", "close", "restart", "start", "frozen", "back"})
"""Parameters of judges that are the number of one record: without it the statement has no object."""
EVENTS = frozenset({"record"})
"""Those of them that number what the server did."""
SINCE = frozenset({"after", "until"})
"""Those that say from where to where the transcript is looked at."""
INDICES = frozenset({"ops"})
"""Lists of record numbers."""
CONNS = frozenset({"conn", "listener", "elsewhere"})
"""Names of connections."""
NUMBERS = frozenset(
    {"allow", "at_least", "bound", "code", "codes", "count", "enough", "least", "low", "node", "status"}
)
"""Integers, and lists of them, that are what they are."""


class Renamer:
    """Old values as new ones."""

    def __init__(self, old: str, new: str) -> None:
        """`old` and `new` are the tokens of the two runs, of the same length."""
        self._run = (old, new)
        self._exact: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        self._numbers: dict[int, int] = {}

    def text(self, text: str) -> str:
        if text in self._exact:
            return self._exact[text]
        for old, new in self._inside.items():
            if old in text:
                text = text.replace(old, new)
        old, new = self._run
        return text.replace(old, new) if old else text

    def octets(self, data: bytes) -> bytes:
        """The same inside bytes that need not be text."""
        for old, new in (*self._inside.items(), self._run):
            if old:
                data = data.replace(old.encode("utf-8", "surrogatepass"), new.encode("utf-8", "surrogatepass"))
        return data

    def value(self, value: Any) -> Any:
        """The same in every string of a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, int):
            return self._numbers.get(value, value)
        return value

    def learn(self, old: Any, new: Any) -> None:
        """Lay an old answer of the server beside the new one: strings and times in the same place mean the same."""
        if isinstance(old, str) and isinstance(new, str):
            ours = bool(self._run[0]) and self._run[0] in old  # a name that the kit made up: known already
            if not ours and len(old) > 2 and old not in self._exact:  # what it meant first is what is spoken of
                self._exact[old] = new
                if len(old) >= LONG and old != new:
                    self._inside[old] = new
        elif isinstance(old, int) and isinstance(new, int):
            if old >= BIG:
                self._numbers.setdefault(old, new)
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            for key in old.keys() & new.keys():
                self.learn(old[key], new[key])
        elif isinstance(old, list) and isinstance(new, list):
            for one, other in zip(old, new, strict=False):
                self.learn(one, other)


def statement(
    params: Mapping[str, Any],
    renamer: Renamer,
    at: Callable[[int], int | None],
    since: Callable[[int], int],
    gone_texts: Collection[str],
    conns: Collection[str],
) -> dict[str, Any] | None:
    """The parameters of a judge for the new conversation; None when what they speak of was left out.

    `at` gives the new number of a record, `since` that of the moment of a record. A list of texts or of
    connections, or of operations, loses what was left out, and must not become empty by that.
    """
    made: dict[str, Any] = {}
    for name, value in params.items():
        new = value
        if value is None:
            pass
        elif name in INDEX and isinstance(value, int):
            new = at(value)
            if new is None:
                return None
        elif name in SINCE and isinstance(value, int):
            new = since(value)
        elif name in INDICES:
            new = [index for index in map(at, value) if index is not None]
        elif name in CONNS and value and value not in conns:
            return None
        elif name == "conns":
            new = [conn for conn in value if conn in conns]
        elif name == "texts":
            new = [renamer.text(text) for text in value if text not in gone_texts]
        elif name not in CONNS:
            new = renamer.value(value)
        if isinstance(value, list) and value and not new:
            return None
        made[name] = new
    return made
