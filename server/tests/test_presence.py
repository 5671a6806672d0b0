"""Presence against a model of who has which connection."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roomproof_server.rules.presence import Presence

GRACE = 5000
USERS = st.sampled_from(["ann", "bob", "eve"])
CONNECTIONS = st.integers(1, 3)


class PresenceMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.presence = Presence(GRACE)
        self.here: dict[str, set[str]] = {}  # user -> connections, empty while in grace
        self.ends: dict[str, float] = {}
        self.now = 0.0

    @rule(user=USERS, n=CONNECTIONS)
    def enter(self, user: str, n: int) -> None:
        event = self.presence.enter(user, user.title(), f"{user}{n}")
        if user in self.here:
            assert event is None
        else:
            assert event is not None
            assert (event.event, event.id, event.name, event.count) == (
                "join",
                user,
                user.title(),
                len(self.here) + 1,
            )
        self.here.setdefault(user, set()).add(f"{user}{n}")
        self.ends.pop(user, None)

    @rule(user=USERS, n=CONNECTIONS, linger=st.booleans())
    def leave(self, user: str, n: int, linger: bool) -> None:
        event = self.presence.leave(user, f"{user}{n}", linger=linger, now=self.now)
        connections = self.here.get(user, set())
        was_here = f"{user}{n}" in connections
        connections.discard(f"{user}{n}")
        if was_here and not connections and not linger:
            del self.here[user]
            assert event is not None
            assert (event.event, event.id, event.count) == ("leave", user, len(self.here))
        else:
            assert event is None
            if was_here and not connections:
                self.ends[user] = self.now + GRACE
        assert self.presence.grace_ends(user) == self.ends.get(user)

    @rule(user=USERS, ms=st.sampled_from([0, 1, 2500, 4999, 5000]))
    def expire(self, user: str, ms: int) -> None:
        self.now += ms
        event = self.presence.expire(user, self.now)
        if self.ends.get(user, self.now + 1) <= self.now:
            del self.ends[user], self.here[user]
            assert event is not None
            assert (event.event, event.id, event.count) == ("leave", user, len(self.here))
        else:
            assert event is None

    @invariant()
    def everybody_is_listed_once(self) -> None:
        members = list(self.presence.members())
        assert sorted(members) == sorted((user, user.title()) for user in self.here)
        assert self.presence.count == len(members)


TestPresence = PresenceMachine.TestCase


def test_the_name_is_that_of_the_first_connection() -> None:
    presence = Presence(GRACE)
    presence.enter("u", "First", "c1")
    presence.enter("u", "Second", "c2")
    presence.leave("u", "c1", linger=False, now=0)
    assert list(presence.members()) == [("u", "First")]


def test_no_grace_means_at_once() -> None:
    presence = Presence(0)
    presence.enter("u", "U", "c")
    assert presence.leave("u", "c", linger=True, now=0) is not None
