"""A fixed sample that is spread over kinds: whatever is drawn by seed and must be the same tomorrow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def spread(
    items: Iterable[Item], kind: Callable[[Item], Hashable], name: Callable[[Item], str], seed: int
) -> list[Item]:
    """All items in an order whose every beginning has of each kind as large a share as the whole.

    A longer sample begins with the shorter one. `name` tells items apart; the order they come in says nothing.
    """
    kinds: dict[Hashable, list[tuple[float, Item]]] = {}
    for item in items:
        kinds.setdefault(kind(item), []).append((_chance(seed, name(item)), item))
    placed: list[tuple[float, str, Item]] = []
    for members in kinds.values():
        members.sort(key=lambda member: member[0])
        placed += [((n + chance) / len(members), name(item), item) for n, (chance, item) in enumerate(members)]
    return [item for _, _, item in sorted(placed, key=lambda entry: entry[:2])]


def _chance(seed: int, name: str) -> float:
    """A number in 0..1 of its own for each item, so that a new one moves the others hardly."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=6).digest()) / 2**48
