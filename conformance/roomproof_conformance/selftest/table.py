"""The table of liars: what each does wrong, and the requirement that must turn red. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from roomproof_protocol import requirements

_SCHEMA = Path(__file__).parent.with_name("selftest.schema.json")


class TableError(Exception):
    """A table of liars cannot be used: one clear line (file, place, what was expected)."""


@dataclass(frozen=True)
class Liar:
    """One row of the table: `requirement` must turn red; `may_also` are others broken by the same fault, and why."""

    name: str
    requirement: str
    area: str
    how: str
    may_also: Mapping[str, str]

    @property
    def level(self) -> str:
        """Of the stated requirement: MUST or SHOULD."""
        return _levels()[self.requirement]

    @property
    def globs(self) -> tuple[str, ...]:
        """The checks that it is judged by: those of the requirement's group."""
        return (f"{self.requirement.rpartition('-')[0]}-*",)


def read_table(path: str | Path) -> list[Liar]:
    """The liars of a table: one YAML file, or all of a folder. Raises TableError."""
    path = Path(path)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise TableError(f"table of liars {path}: expected *.yaml in this folder, found none")
    liars: dict[str, Liar] = {}
    for file in files:
        for liar in _rows(file):
            where = f"{file}: {liar.name}"
            if liar.name in liars:
                raise TableError(f"{where}: stands twice; every liar has a name of its own")
            for requirement in (liar.requirement, *liar.may_also):
                if requirement not in _levels():
                    raise TableError(f"{where}: there is no requirement {requirement}; see `roomproof list`")
            if not liar.name.startswith(liar.requirement.lower() + "-"):
                raise TableError(f"{where}: the name must begin {liar.requirement.lower()}-")
            liars[liar.name] = liar
    return list(liars.values())


def _rows(path: Path) -> Iterator[Liar]:
    """The rows of one file of a table. Raises TableError."""
    import yaml
    from jsonschema import Draft202012Validator

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"table of liars {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise TableError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    for fault in Draft202012Validator(schema).iter_errors(data):
        raise TableError(f"{path}: {_place(data, fault.absolute_path)}: {fault.message}")
    for row in data["liars"]:
        may_also = {other["requirement"]: other["reason"] for other in row.get("may_also", ())}
        yield Liar(row["name"], row["requirement"], row["area"], row["how"], may_also)


def _place(data: Any, path: Iterable[str | int]) -> str:
    """Where a table is wrong: the liar's name where there is one, and the member."""
    parts = list(path)
    if (
        len(parts) >= 2
        and parts[0] == "liars"
        and isinstance(parts[1], int)
        and isinstance(data["liars"][parts[1]], dict)
    ):
        parts[:2] = [str(data["liars"][parts[1]].get("name", f"liar {parts[1] + 1}"))]
    return ".".join(map(str, parts)) or "the file"


@cache
def _levels() -> Mapping[str, str]:
    return {row.id: row.level for row in requirements()}
