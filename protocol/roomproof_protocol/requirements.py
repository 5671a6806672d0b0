"""The requirement table: one row for each sentence of section 8.

Everything else that speaks of requirements (the reference page, scenarios, reports) is derived from it.
Ids are never positional and never used again. How a requirement is tested is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from roomproof_protocol.data import nearest, table

Level = Literal["MUST", "SHOULD", "MAY"]
Tag = Literal["cfg", "hook", "2n", "auth"]


@dataclass(frozen=True)
class Requirement:
    """One sentence a server keeps.

    `level` is the strongest keyword in it. `tags` name what a test needs beside a plain client: `cfg` a
    server setting, `hook` start and stop, `2n` two nodes, `auth` a token source. `needs` are capabilities
    a target must have for the row to apply. `why_not` says why no client can tell, and is None where one
    can; `unseen` is the part of an observable sentence that no client sees.
    """

    id: str
    group: str
    level: Level
    text: str
    tags: frozenset[Tag]
    needs: frozenset[str]
    why_not: str | None
    unseen: str | None
    reserved: bool

    @property
    def observable(self) -> bool:
        """Whether a client can tell that the sentence is broken."""
        return self.why_not is None

    @property
    def portable(self) -> bool:
        """Whether the sentence makes sense for any chat server, whatever its wire syntax."""
        return self.observable and "native" not in self.needs

    @property
    def core(self) -> bool:
        """Whether it is in the core profile, which a plain client can check: untagged, not reserved."""
        return not self.tags and not self.reserved


class UnknownRequirement(LookupError):
    """No requirement has this id; the text says which one may be meant."""


@cache
def requirements() -> tuple[Requirement, ...]:
    """Give every row, in the order of the specification."""
    rows: list[Requirement] = []
    for group in table("requirements")["groups"]:
        for row in group["requirements"]:
            why_not = row.get("why_not")
            rows.append(
                Requirement(
                    id=row["id"],
                    group=group["group"],
                    level=row["level"],
                    text=row["text"],
                    tags=frozenset([*group.get("tags", ()), *row.get("tags", ())]),
                    needs=frozenset(row["needs"]),
                    why_not=f"{why_not['reason']}: {why_not['because']}" if why_not else None,
                    unseen=row.get("unseen"),
                    reserved=row.get("reserved", False),
                )
            )
    return tuple(rows)


def requirement(id_: str) -> Requirement:
    """Give the row with this id. Raises UnknownRequirement, a LookupError, with the nearest id."""
    found = _by_id().get(id_)
    if found is None:
        raise UnknownRequirement(f"no requirement {id_}{nearest(id_, _by_id())}")
    return found


@cache
def capabilities() -> dict[str, str]:
    """Give the capabilities a row may need, each with one line on what it means."""
    return {row["name"]: row["means"] for row in table("capabilities")["capabilities"]}


@cache
def _by_id() -> dict[str, Requirement]:
    return {row.id: row for row in requirements()}
