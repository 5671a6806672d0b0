"""Faults of the rate limit: who is counted with whom, what counts, and how the window moves."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roomproof_protocol import ProtocolError
from roomproof_server.engine.base import Limited
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Hub
from roomproof_server.rules.address import Addresses
from roomproof_server.rules.limiter import FrameBucket, Quotas
from roomproof_server.rules.session import Session
from roomproof_server.rules.stream import text_digest

from .lying import instead_of, liar
from .wrong_input import as_object


def _count_by(key: Callable[[str, Any], str]) -> None:
    """Count messages by another key than the user, made of room and member."""
    current = ""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, *args: Any) -> None:
        nonlocal current
        current = key(room, member)
        honest(self, room, member, *args)

    @_admit
    def admit(honest: Callable[..., int], self: Any, user: str, now: float) -> int:
        return honest(self, current, now)


def _admit(lie: Callable[..., int]) -> None:
    """Replace how the quota of users decides; that of addresses, which is bounded, stays."""

    @instead_of(Quotas, "admit")
    def admit(honest: Callable[..., int], self: Any, key: str, now: float) -> int:
        return lie(honest, self, key, now) if self._most is None else honest(self, key, now)


@liar
def rate_4_per_connection() -> None:
    """Each connection of a user has a limit of its own."""
    _count_by(lambda room, member: str(member.connection))


@liar
def rate_3_per_room() -> None:
    """A user has a limit of their own in each room."""
    _count_by(lambda room, member: f"{room} {member.id}")


@liar
def rate_5_all_together() -> None:
    """All who speak in a room share one limit."""
    _count_by(lambda room, member: room)


@liar
def rate_8_tries_count() -> None:
    """Refused tries stand in the log and keep the block alive."""

    @_admit
    def admit(honest: Callable[..., int], self: Any, user: str, now: float) -> int:
        wait = honest(self, user, now)
        if wait:
            self._logs[user]._times.append(now)
        return wait


@liar
def rate_1_fixed_window() -> None:
    """The count starts anew with every second of a clock: ten pass around its edge."""
    clocks: dict[str, float] = {}
    counts: dict[tuple[str, int], int] = {}

    @_admit
    def admit(honest: Callable[..., int], self: Any, user: str, now: float) -> int:
        # The first message comes in the middle of a second, so that the edge is not met by chance.
        passed = now - clocks.setdefault(user, now - self._window / 2)
        key = user, int(passed // self._window)
        counts[key] = counts.get(key, 0) + 1
        return 0 if counts[key] <= self._count else int(self._window - passed % self._window) or 1


@liar
def rate_1_window_from_first() -> None:
    """The count starts anew one second after the first message that it counts."""
    windows: dict[str, tuple[float, int]] = {}

    @_admit
    def admit(honest: Callable[..., int], self: Any, user: str, now: float) -> int:
        begin, count = windows.get(user, (now, 0))
        if now - begin >= self._window:
            begin, count = now, 0
        if count >= self._count:
            return int(begin + self._window - now) or 1
        windows[user] = begin, count + 1
        return 0


@liar
def rate_1_bucket() -> None:
    """A token bucket: five at once, and five more in the second after."""
    buckets: dict[str, tuple[float, float]] = {}

    @_admit
    def admit(honest: Callable[..., int], self: Any, user: str, now: float) -> int:
        tokens, then = buckets.get(user, (float(self._count), now))
        tokens = min(self._count, tokens + (now - then) * self._count / self._window)
        admitted = tokens >= 1
        buckets[user] = tokens - admitted, now
        return 0 if admitted else int((1 - tokens) * self._window / self._count) + 1


@liar
def rate_11_reconnect_refills() -> None:
    """Who connects anew has a fresh limit."""

    @instead_of(Session, "_welcome")
    def welcome(honest: Callable[..., None], self: Any, *args: Any) -> None:
        honest(self, *args)
        self._hub.engine._quotas._logs.pop(self.user_id, None)


def _say(change: Callable[[int], int]) -> None:
    """Tell another time to wait than the limiter found."""

    @instead_of(Session, "_sent")
    def sent(honest: Callable[..., None], self: Any, request: Any, result: Any) -> None:
        if isinstance(result, Limited):
            result = replace(result, retry_after_ms=change(result.retry_after_ms))
        honest(self, request, result)


@liar
def rate_6_says_no_time() -> None:
    """A refusal says to wait for 0 ms."""
    _say(lambda wait: 0)


@liar
def rate_7_says_too_little() -> None:
    """A refusal says a tenth of the time that it takes."""
    _say(lambda wait: wait // 10 or 1)


@liar
def rate_9_duplicates_cost() -> None:
    """A repeated message is counted like a new one."""

    @instead_of(MemoryEngine, "publish")
    def publish(honest: Callable[..., None], self: Any, room: str, member: Any, text: str, mid: Any, done: Any) -> None:
        now = self._now()
        seen = mid and self._room(room).stream.seen(member.id, mid, now)
        if seen and seen.digest == text_digest(text) and (wait := self._quotas.admit(member.id, now)):
            done(Limited(wait))
            return
        honest(self, room, member, text, mid, done)


@liar
def rate_10_faults_cost() -> None:
    """A message that is refused for its form is counted."""

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        try:
            honest(self, data)
        except ProtocolError:
            if (as_object(data) or {}).get("type") == "send":
                self._hub.engine._quotas.admit(self.user_id, time.monotonic() * 1000)
            raise


@liar
def rate_12_endures_floods() -> None:
    """A flood of frames closes nobody."""

    @instead_of(FrameBucket, "take")
    def take(honest: Callable[..., bool], *args: Any) -> bool:
        return True


@liar
def rate_12_hasty() -> None:
    """A client at the permitted pace is closed for flooding."""

    @instead_of(FrameBucket, "__init__")
    def init(honest: Callable[..., None], self: Any, rate: int, burst: int, now: float) -> None:
        honest(self, rate, burst // 8, now)


@liar
def rate_2_bears_a_grudge() -> None:
    """Who was refused once may send one message less in every window from then on."""
    refused: set[str] = set()

    @_admit
    def admit(honest: Callable[..., int], self: Any, user: str, now: float) -> int:
        if user in refused and user in self._logs:
            recent = [then for then in self._logs[user]._times if now - then < self._window]
            if len(recent) >= self._count - 1:
                return math.ceil(recent[1 - self._count] + self._window - now)
        wait = honest(self, user, now)
        if wait:
            refused.add(user)
        return wait


@liar
def rate_9_pages_cost() -> None:
    """A page of history is counted like a message."""

    @instead_of(Session, "_answer")
    def answer(honest: Callable[..., None], self: Any, data: str | None) -> None:
        honest(self, data)
        if (as_object(data) or {}).get("type") == "history" and self._member is not None:
            self._hub.engine._quotas.admit(self.user_id, time.monotonic() * 1000)


@liar
def rate_13_loses_patience() -> None:
    """At its hundredth refusal a client is closed as if it had flooded the server."""
    refusals: Counter[Any] = Counter()

    @instead_of(Session, "_refuse")
    def refuse(honest: Callable[..., None], self: Any, error: ProtocolError, re: str | None) -> None:
        honest(self, error, re)
        refusals[self] += error.code == "rate_limited"
        if refusals[self] >= 100:
            self._close(4229, retry_after_ms=30_000)


@liar
def rate_14_any_number() -> None:
    """An address may have any number of connections."""

    @instead_of(Addresses, "is_full")
    def is_full(honest: Callable[..., bool], self: Any, client: Any) -> bool:
        return False


@liar
def rate_14_mints_guests() -> None:
    """An address may make any number of guests."""

    @instead_of(Session, "_count_guest")
    def count_guest(honest: Callable[..., None], self: Any) -> None:
        pass


@liar
def rate_14_guests_apart() -> None:
    """The messages of guests of one address are not counted together."""

    @instead_of(MemoryEngine, "_over_quota")
    def over_quota(honest: Callable[..., Any], self: Any, member: Any, now: float) -> Any:
        return honest(self, replace(member, address=None), now)


@liar
def rate_14_blames_the_user() -> None:
    """A refusal for the address is told as one for the user."""

    @instead_of(Session, "_sent")
    def sent(honest: Callable[..., None], self: Any, request: Any, result: Any) -> None:
        honest(self, request, replace(result, scope="user") if isinstance(result, Limited) else result)


@liar
def rate_14_keeps_it_secret() -> None:
    """Limits per address hold, and `welcome` does not state them."""

    @instead_of(Hub, "greeting")
    def greeting(honest: Callable[..., Any], self: Any, *, limited: bool) -> Any:
        return honest(self, limited=False)
