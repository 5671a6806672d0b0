"""Five servers that are right until several things happen at once: the reference with one rule replaced.

`serve.py NAME` serves one, or the reference as it is under the name `honest`; port and settings come as for the
reference's own start hook. Each lies only now and then, and only where connections overlap, so that one conversation
after the other finds nothing. No judge may know a liar.
"""

from __future__ import annotations

import asyncio
import random
import runpy
import sys
from collections.abc import Callable
from typing import Any

from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Room

HONEST = "honest"
RANDOM = random.Random(7)  # the same lies in every run


def _instead_of(owner: Any, name: str, lie: Callable[..., None]) -> None:
    honest = getattr(owner, name)  # AttributeError when there is no such rule any more: no liar by accident
    setattr(owner, name, lambda *args, **given: lie(honest, *args, **given))


def _busy(room: Any) -> bool:
    """Whether two messages of the room come within 100 ms: one conversation after the other does not do that."""
    now = asyncio.get_running_loop().time()
    before, _last[room.name] = _last.get(room.name, 0.0), now
    return now - before < 0.1 and len(room._members) > 2


_last: dict[str, float] = {}


def lost() -> None:
    """Of two messages at the same time one does not reach one member now and then."""

    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        if not _busy(room) or RANDOM.random() > 0.3:
            honest(room, entry)
            return
        chosen = RANDOM.choice([*room._members, *room._aside])
        room.stand_aside(chosen)  # so that the batch of the others is not its own
        write = room._aside.pop(chosen)
        honest(room, entry)
        room._aside[chosen] = write

    _instead_of(Room, "message", message)


def duplicate() -> None:
    """Of two messages at the same time one reaches a member twice now and then."""

    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        busy = _busy(room)
        honest(room, entry)
        if busy and RANDOM.random() < 0.3:
            RANDOM.choice(list(room._members)).send(room._hub.frame(entry.payload))

    _instead_of(Room, "message", message)


def reordered() -> None:
    """Of two messages at the same time one member gets the second first now and then."""
    held: dict[Any, bytes] = {}

    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        whole = dict(room._members)
        late = held.pop(room.name, None)
        if late is None and _busy(room) and RANDOM.random() < 0.3:
            victim = RANDOM.choice(list(whole))
            del room._members[victim]
            honest(room, entry)
            room._members = whole
            held[room.name] = (victim, room._hub.frame(entry.payload))
            return
        honest(room, entry)
        if late is not None:
            victim, frame = late
            if victim in whole:
                victim.send(frame)

    _instead_of(Room, "message", message)


def leaked() -> None:
    """A message reaches a member of another room in which something was said at the same time, now and then."""

    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        honest(room, entry)
        now = asyncio.get_running_loop().time()
        _last[room.name] = now
        others = [r for r in room._hub._rooms.values() if r is not room and now - _last.get(r.name, 0.0) < 0.05]
        if others and RANDOM.random() < 0.2:
            strangers = others[0]._members.keys() - room._members.keys()
            if strangers:
                RANDOM.choice(sorted(strangers, key=id)).send(room._hub.frame(entry.payload))

    _instead_of(Room, "message", message)


def history_race() -> None:
    """What is said between the look at the history and the subscription never reaches the newcomer."""

    def join(honest: Callable[..., None], *args: Any) -> None:
        *rest, done = args
        honest(*rest, lambda joined: asyncio.get_running_loop().call_later(0.02, done, joined))

    def admit(honest: Callable[..., None], room: Any, listener: Any, *args: Any, already: bool) -> None:
        if not already:
            room._joining[listener].clear()
        honest(room, listener, *args, already=already)

    _instead_of(MemoryEngine, "join", join)
    _instead_of(Room, "admit", admit)


LIARS: dict[str, tuple[Callable[[], None], str, str]] = {
    "lost": (lost, "steady-chat", "lost"),
    "duplicate": (duplicate, "steady-chat", "duplicated"),
    "reordered": (reordered, "steady-chat", "reordered"),
    "leaked": (leaked, "steady-chat", "leaked"),
    "history-race": (history_race, "join-storm", "lost"),
}
"""Each liar's fault, the scenario that finds it, and the kind of violation that must be among those found."""


def main(arguments: list[str]) -> int:
    """Lie as the one argument says and serve; the exit code."""
    if len(arguments) != 1 or arguments[0] not in {HONEST, *LIARS}:
        print(f"serve.py: expected one of {HONEST}, {', '.join(LIARS)}", file=sys.stderr)
        return 2
    if arguments[0] != HONEST:
        LIARS[arguments[0]][0]()
    sys.argv[1:] = []
    runpy.run_module("roomproof_server.hook", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
