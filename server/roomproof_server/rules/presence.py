"""Who is in a room: users with any number of connections, and the grace in which a lost one may come back.

One instance per room. It returns what the other members must be told and must not know how they are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class PresenceEvent:
    """A user came or went; ``count`` is the number of users after it. Never sent to that user (PRES-2)."""

    event: Literal["join", "leave"]
    id: str
    name: str
    count: int


@dataclass(slots=True)
class _User:
    name: str
    connections: set[str] = field(default_factory=set)
    gone_at: float | None = None  # when the grace ends, in ms; None while a connection is here


class Presence:
    """The users of one room. Connections are named by any hashable string that is theirs alone."""

    __slots__ = ("_grace", "_users")

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._users: dict[str, _User] = {}

    @property
    def count(self) -> int:
        """Users here, those in grace included (PRES-1)."""
        return len(self._users)

    def members(self) -> Iterator[tuple[str, str]]:
        """(id, name) of every user once; the name is that of the first connection (section 9)."""
        return ((user_id, user.name) for user_id, user in self._users.items())

    def known(self) -> Iterator[tuple[str, str, bool]]:
        """(id, name, whether in grace) of every user once."""
        return ((user_id, user.name, user.gone_at is not None) for user_id, user in self._users.items())

    def enter(self, user_id: str, name: str, connection: str) -> PresenceEvent | None:
        """A connection joined: an event if it is the user's first and not back within the grace (RES-11)."""
        user = self._users.get(user_id)
        if user is not None:
            user.connections.add(connection)
            user.gone_at = None
            return None
        self._users[user_id] = _User(name, {connection})
        return PresenceEvent("join", user_id, name, len(self._users))

    def leave(self, user_id: str, connection: str, *, linger: bool, now: float) -> PresenceEvent | None:
        """A connection left or, with ``linger``, was lost: the event then waits for the grace (PRES-3).

        Afterwards `grace_ends` says whether and when `expire` is due for this user.
        """
        user = self._users.get(user_id)
        if user is None or connection not in user.connections:
            return None
        user.connections.discard(connection)
        if user.connections:
            return None
        if linger and self._grace > 0:
            user.gone_at = now + self._grace
            return None
        return self._remove(user_id)

    def grace_ends(self, user_id: str) -> float | None:
        """When this user's grace ends (ms), or None if they are here or unknown."""
        user = self._users.get(user_id)
        return None if user is None else user.gone_at

    def expire(self, user_id: str, now: float) -> PresenceEvent | None:
        """The grace may have ended: the ``leave`` event if it did and the user is not back."""
        ends = self.grace_ends(user_id)
        return self._remove(user_id) if ends is not None and ends <= now else None

    def _remove(self, user_id: str) -> PresenceEvent:
        user = self._users.pop(user_id)
        return PresenceEvent("leave", user_id, user.name, len(self._users))
