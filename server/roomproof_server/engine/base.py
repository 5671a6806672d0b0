"""What a server needs of the place where rooms are kept.

Every operation takes ``done`` and calls it exactly once, on the loop's thread, possibly before the operation
returns: memory answers at once, a database after its commit, a cluster after its reply. A callback and not
an awaitable, because the common case is synchronous and then costs a function call, no task and no turn of
the loop.

The contract that makes asynchronous engines safe behind it:

* nothing leaves before it is kept: a `publish` is done, and heard by the sink, after the commit (MSG-18);
* a sink hears the messages of a room in seq order without holes, or hears ``reset``;
* what `join` and `page` tell is committed, and every message above their head reaches the sink, before
  ``done`` or after it;
* where an engine cannot answer it says `Unavailable`, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Entry, Page, Tail

T = TypeVar("T")
Done = Callable[[T], None]
Durability = Literal["memory", "disk", "engine", "replicated"]


@dataclass(frozen=True, slots=True)
class Member:
    """A connection of a user, as rooms know it."""

    connection: str
    id: str
    name: str
    address: str | None = None  # whose guests' messages count together (RATE-14); None where that does not hold


@dataclass(frozen=True, slots=True)
class Stored:
    """A message is kept, now or (``duplicate``) by an earlier `publish` with the same ``mid`` and text."""

    epoch: str
    seq: int
    ts: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """The ``mid`` stands for another text (MSG-10)."""


@dataclass(frozen=True, slots=True)
class Limited:
    """The quota of the user (RATE-6) or of the address (RATE-14) is used up; ``retry_after_ms`` in 1..window."""

    retry_after_ms: int
    scope: Literal["user", "address"] = "user"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing was stored, or nobody knows: the client may retry with the same ``mid``."""

    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """The epoch named in a `page` request is not the current one (HIST-8)."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A join took effect: the look at the stream, and the users in the room with this one."""

    tail: Tail
    count: int


@dataclass(frozen=True, slots=True)
class Present:
    """Up to the asked number of users of a room as (id, name), and how many there are."""

    members: list[tuple[str, str]]
    count: int


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest's identity and the token that restores it."""

    id: str
    token: str


class Sink(Protocol):
    """One node's ear in a room."""

    def message(self, entry: Entry) -> None:
        """The next message of the stream."""

    def presence(self, event: PresenceEvent) -> None:
        """A user came or went."""

    def reset(self, epoch: str, head: int, reason: Literal["epoch_changed", "gap"]) -> None:
        """The stream cannot be continued for this node's members (ROOM-12)."""


class Engine(Protocol):
    """Storage, quotas and presence of all rooms."""

    @property
    def durability(self) -> Durability:
        """What an acknowledged message survives (section 3)."""
        ...

    @property
    def usable(self) -> bool:
        """False while it answers `Unavailable`: what /readyz asks."""
        ...

    @property
    def isolated(self) -> bool:
        """True once it was away for so long that clients are better served by another node (CL-7)."""
        ...

    def subscribe(self, room: str, sink: Sink) -> None:
        """Hear a room from now on; before the node's first `join` of it. One sink a room and node."""

    def unsubscribe(self, room: str) -> None:
        """The node has no member of the room any more."""

    def join(
        self,
        room: str,
        member: Member,
        after: Mapping[str, Any] | None,
        history: int,
        done: Done[Joined | Unavailable],
    ) -> None:
        """Make the member present and look at the stream; once more for a member is only the look."""

    def leave(self, room: str, member: Member, *, linger: bool) -> None:
        """The member is gone; with ``linger`` the room hears of it only after the grace (PRES-3)."""

    def publish(
        self,
        room: str,
        member: Member,
        text: str,
        mid: str | None,
        done: Done[Stored | Conflict | Limited | Unavailable],
    ) -> None:
        """Dedupe, then quota, then append, as one step: retries are free, refusals store nothing."""

    def page(
        self, room: str, *, epoch: str | None, before: int | None, after: int | None, limit: int,
        done: Done[Page | Stale | Unavailable],
    ) -> None:  # fmt: skip
        """Read retained messages (HIST-5..8)."""

    def present(self, room: str, limit: int, done: Done[Present | Unavailable]) -> None:
        """Who is in the room (PRES-1)."""

    def new_guest(self, done: Done[Guest | Unavailable]) -> None:
        """Make a guest nobody has been before."""

    def find_guest(self, token: str, done: Done[Guest | Unavailable | None]) -> None:
        """The guest of a token, or None if it is unknown, expired or forged (AUTH-12, AUTH-13).

        Each guest given out by this or `new_guest` is in use until `release_guest`.
        """

    def release_guest(self, token: str) -> None:
        """One use of the token is over; after the last one it lives for ``guest_ttl_ms``."""

    def sweep(self) -> None:
        """Forget what is over; called several times a second."""

    def close(self) -> None:
        """Nothing is asked any more: keep what was accepted and let go. May take as long as one commit."""
