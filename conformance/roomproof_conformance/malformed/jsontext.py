"""JSON as somebody writes it who does not care: any token for a value, a name twice, members in any order.

A frame is a tree of dicts and lists; what JSON cannot say stands in it as `Raw` or `Members`. Knows no schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Raw:
    """A token that is written as it stands: `NaN`, `1.0`, an escaped string."""

    token: str


class Members(list[tuple[Any, Any]]):
    """An object as the list of its members: names may stand twice, or be `Raw`."""


def write(node: Any) -> str:
    """The text of a tree, with nothing escaped that JSON does not force, lone surrogates apart."""
    if isinstance(node, Raw):
        return node.token
    if isinstance(node, Members):
        return "{" + ",".join(f"{write(name)}:{write(value)}" for name, value in node) + "}"
    if isinstance(node, dict):
        return write(Members(node.items()))
    if isinstance(node, list):
        return "[" + ",".join(map(write, node)) + "]"
    if isinstance(node, str) and any("\ud800" <= char <= "\udfff" for char in node):
        return json.dumps(node)
    return json.dumps(node, ensure_ascii=False)


def escaped(value: str) -> Raw:
    r"""The string with every character written as `\uXXXX`."""
    units = value.encode("utf-16-be", "surrogatepass")
    pairs = (units[i : i + 2].hex() for i in range(0, len(units), 2))
    return Raw('"' + "".join(f"\\u{pair}" for pair in pairs) + '"')


def members(node: Any) -> Members:
    """The members of an object that is not spoilt yet."""
    return Members(node.items())


def edited(tree: Any, path: Path, edit: Callable[[Any], Any]) -> Any:
    """A copy of `tree` with `edit` of what stands at `path` in its place."""
    if not path:
        return edit(tree)
    step, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [edited(item, rest, edit) if place == step else item for place, item in enumerate(tree)]
    return {name: edited(value, rest, edit) if name == step else value for name, value in tree.items()}


def put(tree: Any, path: Path, value: Any) -> Any:
    """`value` at `path`."""
    return edited(tree, path, lambda _: value)


def members_at(tree: Any, path: Path, change: Callable[[Any, Any], Iterable[tuple[Any, Any]]]) -> Any:
    """The member at `path` becomes the members that `change(name, value)` gives: none, one, or several."""

    def changed(node: Any) -> Members:
        return Members(
            pair
            for name, value in members(node)
            for pair in (change(name, value) if name == path[-1] else [(name, value)])
        )

    return edited(tree, path[:-1], changed)


def added(tree: Any, path: Path, name: str, value: Any) -> Any:
    """A member more in the object at `path`, as the last one."""
    return edited(tree, path, lambda node: Members([*members(node), (name, value)]))
