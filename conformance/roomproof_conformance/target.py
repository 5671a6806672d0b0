"""The server under judgement: its address, its dialect, what it claims, and names that nobody else uses there.

Knows no requirement and no verdict.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from . import clock
from .bounds import RUN, Allowance
from .dialects import Claims, Dialect, Session

if TYPE_CHECKING:
    from .case import Case
    from .faulting import Faults
    from .hooks import Process

DEFAULT_CONNECTIONS = 200
"""Connections at once where a target claims no number per address."""


DETAILS: Mapping[str, Callable[[Claims, Dialect], bool]] = {
    # the limit is a number of messages per time, not of bytes
    "counted_limit": lambda c, _: c.rate_limit is not None and c.rate_limit.burst is not None,
    # who goes over it is told so, and nothing else happens
    "refusals": lambda c, _: c.rate_limit is not None and c.rate_limit.effect == "error",
    # who goes over it feels it in another way: the message is lost or late, the sender thrown out or disconnected
    "other_effect": lambda c, _: c.rate_limit is not None and c.rate_limit.effect != "error",
    # it is a number of bytes per time, and what is over it comes late
    "slowed_bytes": lambda c, _: (
        c.rate_limit is not None and c.rate_limit.model == "bytes-per-second" and c.rate_limit.effect == "delay"
    ),
    # it is promised per user, whatever the connections
    "limit_by_user": lambda c, _: c.rate_limit is not None and c.rate_limit.scope == "user",
    # signs of life come from the server
    "server_heartbeat": lambda c, _: c.heartbeat is not None and c.heartbeat.by in ("server", "both"),
    # how long a text may be is promised
    "text_size": lambda c, _: c.sizes.text_bytes is not None,
    # what happens to a message of somebody who is not in the room is promised
    "non_member_send": lambda c, _: c.rooms.non_member_send is not None,
    # a join is answered before anything else of the room comes
    "join_first": lambda c, _: c.rooms.join_first,
    # messages stay although nobody is in the room
    "outlives_members": lambda c, _: c.history is not None and c.history.when_empty == "kept",
    # a message is one text frame, so that it can be spoilt as text
    "text_frames": lambda _, d: not d.binary,
    # an operation that does not exist can be asked for, and its answer is promised
    "unknown_operation": lambda c, d: (
        d.codec.name.startswith("json")
        or ("unknown_type" in d.samples and c.malformed_outcome("unknown_type") is not None)
    ),
}
"""What scenarios may need beyond the protocol's table of capabilities, read off claims and dialect."""


class Progress(Protocol):
    """What a run tells about itself while it goes on."""

    def planned(self, cases: int, longest: float) -> None: ...
    def started(self, case: Case) -> None: ...
    def waiting(self, case: Case, seconds: float, why: str) -> None: ...
    def finished(self, case: Case, verdicts: Mapping[str, str]) -> None: ...
    def note(self, line: str) -> None: ...


class Quiet:
    """Progress for nobody."""

    def planned(self, cases: int, longest: float) -> None: ...
    def started(self, case: Case) -> None: ...
    def waiting(self, case: Case, seconds: float, why: str) -> None: ...
    def finished(self, case: Case, verdicts: Mapping[str, str]) -> None: ...
    def note(self, line: str) -> None: ...


class Names:
    """Rooms, nicks, texts and ids that are unique per run: history outlives a test."""

    def __init__(self) -> None:
        self.run = secrets.token_hex(3)
        self._count = itertools.count(1)

    def room(self) -> str:
        return f"r{self.run}{next(self._count)}"

    def nick(self) -> str:
        return f"u{self.run}{next(self._count)}"

    def text(self, hint: str) -> str:
        return f"{hint}-{self.run}-{next(self._count)}"

    def fresh(self) -> str:
        """An id for a request."""
        return f"q{next(self._count)}"


class TargetError(Exception):
    """The target cannot be judged at all: one clear line (what, where, what to do)."""


class StartError(TargetError):
    """A server that the kit has started ended, or lets no two clients talk; `state` says which, in words."""

    def __init__(self, line: str, state: str) -> None:
        super().__init__(line)
        self.state = state


class Target:
    """One server at one address, or one service of several nodes; several may be started for one run."""

    def __init__(
        self,
        base: str,
        dialect: Dialect,
        *,
        name: str = "",
        scale: float = 1.0,
        progress: Progress | None = None,
        process: Process | None = None,
        more: Iterable[str] = (),
        kept: Allowance | None = None,
    ) -> None:
        """`kept` bounds what is kept of everything that this and other targets of a run write."""
        self.base = base
        self.nodes = (base, *more)
        self.dialect = dialect
        self.name = name or base
        self.patience = 5.0 * scale
        self.progress: Progress = progress or Quiet()
        self.process = process
        self.faults: Faults | None = None  # where there is a hook file
        self.kept = kept or Allowance(RUN)
        self.ready: Callable[[], Awaitable[None]] | None = None  # waits for a process that was started again
        self.names = Names()
        self.advertised: Mapping[str, Any] = {}
        self.claims: Claims = dialect.claims_for({})
        self._serials: dict[str, int] = {}  # of each nick
        self._shared: dict[str, Mapping[str, Any]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def address(self, session: Session, node: int = 0) -> str:
        """The URL for one client, of a node counted from 0."""
        return session.address(self.nodes[node])

    def session(self, *, nick: str, room: str | None, variables: Mapping[str, Any]) -> Session:
        return Session(
            self.dialect,
            nick=nick,
            room=room,
            variables=dict(variables),
            fresh=self.names.fresh,
            serial=self._serials.setdefault(nick, len(self._serials) + 1),
            shared=self._shared,
            time=clock.wall(),
        )

    def asking(self, once: str | None) -> AbstractAsyncContextManager[Any]:
        """Held while a request is asked; of those that are asked once for all, one at a time."""
        return nullcontext() if once is None else self._asking[once]

    def credentials(self, session: Session) -> dict[str, Any]:
        """What makes a later connection the same user: the credential that the dialect captured as `token`, if any."""
        token = session.variables.get("token")
        return {} if token is None else {"token": token}

    def facts(self, *, own: bool) -> dict[str, Any]:
        """What a transcript says of it first: all that verdicts depend on, and what a replay must set or rename.

        `own`: it serves one case alone, so that no limit per address can be another case's doing.
        """
        beat, limit = self.claims.heartbeat, self.claims.rate_limit
        windowed = limit if limit and limit.scope == "user" and limit.model == "window" else None
        return {
            "target": self.name,
            "dialect": self.dialect.name,
            "capabilities": sorted(self.capabilities),
            "guarded": self.claims.connections.per_address is not None and not own,
            "heartbeat": {"timeout": beat.timeout, "code": beat.code} if beat and beat.timeout and beat.code else None,
            "quota": {"allow": windowed.allow, "per": windowed.per}
            if windowed and windowed.allow and windowed.per
            else None,
            "settings": dict(self.process.settings) if self.process else None,
            "run": self.names.run,
            **({"nodes": len(self.nodes)} if len(self.nodes) > 1 else {}),
            "wall": clock.wall(),
        }

    def learn(self, session: Session) -> None:
        """Take over the numbers that the target told a first client."""
        self.advertised = dict(session.variables)
        self.claims = self.dialect.claims_for(session.variables)

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be asked of it: the protocol's capability names, and the kit's own finer ones (`DETAILS`)."""
        return self.dialect.capabilities(self.claims) | {
            n for n, holds in DETAILS.items() if holds(self.claims, self.dialect)
        }

    @property
    def connections(self) -> int:
        return self.claims.connections.per_address or DEFAULT_CONNECTIONS
