"""Reads the package's data files, once and only when first asked for.

Every table and schema is a file beside this module; importing the package reads none of them, so a
command line that only prints its help stays quick. This module knows files, not what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
TABLES = HERE / "tables"
SCHEMAS = HERE / "schemas"

K = TypeVar("K")
V = TypeVar("V")


@cache
def table(name: str) -> Any:
    """Give the content of `tables/<name>.yaml`."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((TABLES / f"{name}.yaml").read_text("utf-8"), Loader=loader)


@cache
def schema_file(path: str) -> dict[str, Any]:
    """Give the content of `schemas/<path>`, as it stands in the file."""
    import json

    content: dict[str, Any] = json.loads((SCHEMAS / path).read_text("utf-8"))
    return content


class LazyTable(Mapping[K, V]):
    """A read-only mapping whose rows are loaded on first use."""

    def __init__(self, load: Callable[[], dict[K, V]]) -> None:
        self._load = load

    @cached_property
    def _rows(self) -> dict[K, V]:
        return self._load()

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def nearest(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """Give `; did you mean …?` for a name that is not known, or nothing when none is near."""
    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
