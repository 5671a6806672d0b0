"""Frames to spoil, and new clients to see what that did: what the scenarios on malformed messages work with.

A draft is a valid send of the target's own dialect, so that no scenario spells a server's names.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.judges import Enters, Heard, Recalls
from roomproof_conformance.transport import Unreachable

_HOLE = "\N{REPLACEMENT CHARACTER}here\N{REPLACEMENT CHARACTER}"
_EXTRA = "x_roomproof"

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Draft:
    """A valid send as a tree. `at` is where the text stands, `kinds` are the members that name the operation.

    Where the wire is not JSON it is `line`, the send as it is written; it can be cut and its text replaced, no more.
    """

    tree: Any
    text: str
    at: Path
    kinds: tuple[Path, ...]
    line: str | None = None
    unknown: str | None = None  # as the dialect writes an operation that does not exist

    @classmethod
    def of(cls, case: Case, client: Client, room: str) -> Draft:
        """Raises ValueError when a JSON send holds the text inside of something else, or any other does not hold it."""
        text = case.text("bad")
        dialect = client.session.dialect
        if not dialect.codec.name.startswith("json"):
            line = client.rendered("send", room=room, text=text)
            if text not in line:
                raise ValueError(f"the dialect's send does not hold the text as it stands: {line}")
            return cls(None, text, (), (), line, dialect.samples.get("unknown_type"))
        tree = json.loads(client.rendered("send", room=room, text=text))
        other = json.loads(client.rendered("send", room=room, text=case.text("other")))
        leaves, others = dict(_leaves(tree)), dict(_leaves(other))
        at = next((path for path, value in leaves.items() if value == text), None)
        if at is None:
            raise ValueError(f"no member of the dialect's send is the text alone: {tree}")
        personal = {room, client.session.room_label(room), *map(str, client.session.variables.values())}
        kinds = [p for p, v in leaves.items() if isinstance(v, str) and others.get(p) == v and v not in personal]
        return cls(tree, text, at, tuple(kinds))

    @property
    def valid(self) -> str:
        return _json(self.tree) if self.line is None else self.line

    @property
    def octets(self) -> bytes:
        return self.valid.encode()

    def with_text(self, token: str) -> str:
        """`token` (which need not be JSON) in place of the text."""
        if self.line is not None:
            return self.line.replace(self.text, token[1:-1])
        return _json(_put(self.tree, self.at, _HOLE)).replace(_json(_HOLE), token)

    def with_extra(self, token: str) -> str:
        """A member more, which no server knows, with `token` as its value."""
        return _json({**self.tree, _EXTRA: _HOLE}).replace(_json(_HOLE), token)

    def without_text(self) -> str:
        return _json(_drop(self.tree, self.at))

    def without_kind(self) -> str:
        """Nothing in it says what is wanted."""
        tree = self.tree if self.kinds else {}
        for path in self.kinds:
            tree = _drop(tree, path)
        return _json(tree)

    def of_kind(self, name: Any) -> str:
        """An operation that no server knows; `name` need not be a string."""
        if self.unknown is not None:
            return self.unknown
        tree = self.tree if self.kinds else {"type": name, "action": name}
        for path in self.kinds:
            tree = _put(tree, path, name)
        return _json(tree)

    def text_twice(self, first: str) -> str:
        """The text's member two times: `first`, then the draft's own."""
        return self.with_text(f"{_json(first)},{_json(self.at[-1])}:{_json(self.text)}")


def _json(tree: Any) -> str:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def _leaves(tree: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else None
    if items is None:
        yield at, tree
        return
    for key, value in items:
        yield from _leaves(value, (*at, key))


def _put(tree: Any, at: Path, value: Any) -> Any:
    copied = copy.deepcopy(tree)
    place = copied
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    return copied


def _drop(tree: Any, at: Path) -> Any:
    copied = copy.deepcopy(tree)
    place = copied
    for key in at[:-1]:
        place = place[key]
    del place[at[-1]]
    return copied


async def heard(
    case: Case, speaker: Client, room: str, listener: Client, *, check: str, unless_ended: bool = False
) -> bool:
    """`speaker` says something in `room`, and `listener` must hear it; whether it did."""
    op = await case.say(speaker, room)
    says = f"{speaker.name} is heard by {listener.name}"
    judge = Heard(speaker.name, op.index, listener.name, unless_ended)
    return (await case.must(judge, says, check=check, go_on=True)).outcome == "holds"


async def others_go_on(case: Case, room: str, one: Client, two: Client, *, kept: list[str], check: str) -> None:
    """`one` and `two` hear each other; a new client can join, is given what was `kept`, hears and is heard."""
    await heard(case, one, room, two, check=check)
    newcomer, came_in = await _enter(case, room)
    elsewhere = "" if came_in else (await _enter(case, case.room()))[0].name
    await case.must(Enters(newcomer.name, elsewhere), "a new client can join the same room", check=check, wait=0)
    if "history" in case.target.capabilities:
        await case.must(
            Recalls(newcomer.name, kept), "the new client is given what was said before", check=check, wait=1
        )
    await heard(case, newcomer, room, two, check=check)
    await heard(case, two, room, newcomer, check=check)


async def _enter(case: Case, room: str) -> tuple[Client, bool]:
    """A new client that tries to join, and whether it came in; nothing is stated about it yet."""
    client = case.stranger(room)
    with suppress(Unreachable):
        came_in = await client.connect()
        if came_in and client.offers("identify"):
            came_in = (await case.identify(client)).ok
        if came_in and client.offers("join"):
            came_in = (await client.join(room)).ok
        return client, came_in
    return client, False
