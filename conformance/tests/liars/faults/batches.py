"""Faults of gathering: frames of a room wait for each other and go out together, which can go wrong of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from roomproof_server.hub import Room
from roomproof_server.rules.session import Session

from .lying import instead_of, liar

USER = re.compile(rb'"from":{"id":"[^"]*"')


@liar
def msg_5_reordered_batches() -> None:
    """Of messages by several users that go out together the last waits, and comes after those of the next time."""
    waiting: dict[Any, list[bytes]] = {}

    @instead_of(Room, "_write")
    def write(honest: Callable[..., None], room: Any) -> None:
        late = waiting.pop(room, [])
        users = {found[0] for frame in room._batch if (found := USER.search(frame))}
        rest = room._batch[-1:] if len(users) > 1 and not late else []
        room._batch = room._batch[: len(room._batch) - len(rest)] + late
        honest(room)
        if rest:
            waiting[room] = rest
            asyncio.get_running_loop().call_later(0.02, lambda: room._write() if room in waiting else None)


@liar
def hist_4_stale_batch() -> None:
    """Who joins gets what is waiting for the members there were before."""

    @instead_of(Room, "admit")
    def admit(honest: Callable[..., None], room: Any, listener: Any, frame: bytes, head: int, *, already: bool) -> None:
        honest(room, listener, frame, head, already=already)
        if not already and room._aside.pop(listener, None):
            listener.flush()
            room._members[listener] = listener.write


@liar
def disc_9_batch_lost() -> None:
    """What waits to go out together is lost when a member closes its connection."""

    @instead_of(Session, "end")
    def end(honest: Callable[..., None], self: Any, *, clean: bool) -> None:
        for room in self._rooms.values() if clean else ():
            room._batch.clear()
        honest(self, clean=clean)
