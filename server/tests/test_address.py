"""Which address a client has, and how many connections of it there may be (RATE-14)."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_protocol import Limits
from roomproof_server.rules.address import UNKNOWN, Addresses, Client
from roomproof_server.rules.identity import Identity
from roomproof_server.settings import Settings

PER_ADDRESS = {"conns": 2, "guests": {"count": 1, "window_ms": 1000}, "messages": {"count": 1, "window_ms": 1000}}


def addresses(*trusted: str, **more: Any) -> Addresses:
    limits = Limits.from_mapping({"per_address": more.pop("per_address", PER_ADDRESS)})
    return Addresses(Settings(limits=limits, trusted_proxies=tuple(map(ip_network, trusted)), **more))


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("192.0.2.7", Client("192.0.2.7", True)),
        ("::ffff:192.0.2.7", Client("192.0.2.7", True)),
        ("2001:db8:1:2:3:4:5:6", Client("2001:db8:1:2::/64", True)),
        ("2001:db8:1:2:ffff::1", Client("2001:db8:1:2::/64", True)),
        ("fe80::1%eth0", Client("fe80::/64", True)),
        ("127.0.0.1", Client("127.0.0.1", False)),
        ("127.9.9.9", Client("127.9.9.9", False)),
        ("::ffff:127.0.0.1", Client("127.0.0.1", False)),
        ("::1", Client("::/64", False)),
        (None, Client("127.0.0.1", False)),
    ],
)
def test_peers(peer: str | None, client: Client) -> None:
    assert addresses().client(peer, []) == client


def test_loopback_is_limited_only_on_demand_and_nobody_without_limits() -> None:
    assert addresses(loopback_limits=True).client("127.0.0.1", []) == Client("127.0.0.1", True)
    assert addresses(per_address=None, loopback_limits=True).client("192.0.2.1", []).limited is False


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1", None])
def test_nobody_else_is_believed(peer: str | None) -> None:
    untold = addresses("10.0.0.0/8").client(peer, [])
    assert addresses("10.0.0.0/8").client(peer, ["203.0.113.9"]) == untold


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db8::1]:4711"], "2001:db8::/64"),
        (["2001:db8::1"], "2001:db8::/64"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),  # the left one is what the client wrote
        (["198.51.100.1", "203.0.113.9, 10.1.1.1"], "203.0.113.9"),  # 10.1.1.1 is a trusted one
        (["10.1.1.2, 10.1.1.1"], "10.1.1.2"),
        (["198.51.100.1, unknown"], UNKNOWN),
        (["198.51.100.1, "], UNKNOWN),
    ],
)
def test_a_trusted_proxy_is_believed(values: list[str], address: str) -> None:
    assert addresses("127.0.0.1", "10.0.0.0/8").client("127.0.0.1", values) == Client(address, True)


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["for=203.0.113.9"], "203.0.113.9"),
        (['For="[2001:db8:cafe::17]:4711";proto=http;by=10.0.0.1'], "2001:db8:cafe::/64"),
        (["for=198.51.100.1, proto=https ; for=203.0.113.9:80"], "203.0.113.9"),
        (["for=198.51.100.1", 'for="203.0.113.9", for=10.0.0.3'], "203.0.113.9"),
        (["for=203.0.113.9, for=_hidden"], UNKNOWN),
        (["for=203.0.113.9, by=10.0.0.1"], UNKNOWN),
        (['for=", for=203.0.113.9'], UNKNOWN),  # a quote left open would hide the proxy's own word
        (['for="x, for="[2001:db8::1]"'], UNKNOWN),
        (["203.0.113.9"], UNKNOWN),
    ],
)
def test_forwarded(values: list[str], address: str) -> None:
    believed = addresses("127.0.0.1", "10.0.0.0/8", forwarded_header="forwarded")
    assert believed.client("127.0.0.1", values) == Client(address, True)


@given(st.lists(st.text(max_size=40), max_size=3), st.sampled_from(["forwarded", "x-forwarded-for"]))
def test_no_header_is_too_strange(values: list[str], header: str) -> None:
    assert addresses("127.0.0.1", forwarded_header=header).client("127.0.0.1", values).address


@given(st.text(max_size=60))
def test_what_a_client_writes_changes_nothing(written: str) -> None:
    behind = addresses("127.0.0.1")
    assert behind.client("127.0.0.1", [f"{written}, 203.0.113.9"]) == Client("203.0.113.9", True)
    assert behind.client("127.0.0.1", [written, "203.0.113.9"]) == Client("203.0.113.9", True)


class TestGuests:
    """Guests of one address, through the rules of a session and an engine."""

    LIMITS: ClassVar = {
        "conns": 9, "guests": {"count": 3, "window_ms": 60_000}, "messages": {"count": 7, "window_ms": 2000},
    }  # fmt: skip

    @pytest.fixture
    def house(self, make_house: Any) -> Any:
        return make_house(per_address=self.LIMITS)

    @staticmethod
    def guest(house: Any, address: str | None = "192.0.2.1", **hello: Any) -> Any:
        peer = house.peer(address=address)
        peer.welcome = peer.ask("hello", **hello)
        return peer

    def test_welcome_states_them_where_they_hold(self, house: Any) -> None:
        assert self.guest(house).welcome["limits"]["per_address"] == self.LIMITS
        assert self.guest(house, None).welcome["limits"]["per_address"] is None

    def test_new_guests_are_limited_known_ones_not(self, house: Any) -> None:
        guests = [self.guest(house) for _ in range(3)]
        fourth = self.guest(house)
        assert (fourth.welcome["code"], fourth.welcome["retry_after_ms"]) == ("too_many_connections", 60_000)
        assert fourth.closed == (4230, "too_many_connections; retry_after_ms=60000")
        again = {"scheme": "resume_guest", "token": guests[0].welcome["guest_token"]}
        assert self.guest(house, auth=again).welcome["type"] == "welcome"
        assert self.guest(house, "192.0.2.2").welcome["type"] == "welcome"
        assert self.guest(house, None).welcome["type"] == "welcome"
        house.passes(60_000)
        assert self.guest(house).welcome["type"] == "welcome"

    def test_their_messages_count_together(self, house: Any) -> None:
        one, two, free = self.guest(house), self.guest(house), self.guest(house, "192.0.2.2")
        for peer in (one, two, free):
            peer.ask("join", room="lobby")
        kept = [one.ask("send", room="lobby", text="x", mid=f"one-{n:04}") for n in range(5)]
        kept += [two.ask("send", room="lobby", text="x", mid=f"two-{n:04}") for n in range(2)]
        assert {answer["type"] for answer in kept} == {"sent"}
        refused = two.ask("send", room="lobby", text="x")
        assert (refused["code"], refused["retry_after_ms"], refused["fatal"]) == ("rate_limited", 2000, False)
        assert refused["limit"] == {"count": 7, "window_ms": 2000, "scope": "address"}
        # A retry is free, another address is not concerned, and what was refused cost nobody anything.
        assert two.ask("send", room="lobby", text="x", mid="two-0000")["duplicate"] is True
        assert free.ask("send", room="lobby", text="x")["type"] == "sent"
        house.passes(2000)
        answers = [two.ask("send", room="lobby", text="x") for _ in range(6)]
        assert [answer["type"] for answer in answers] == ["sent"] * 5 + ["error"]
        assert answers[5]["limit"]["scope"] == "user"
        assert [one.ask("send", room="lobby", text="x")["type"] for _ in range(3)] == ["sent", "sent", "error"]

    def test_users_with_tokens_are_not_counted(self, make_house: Any) -> None:
        def verify(token: str) -> Identity:
            return Identity(token, None, 2**50)

        house = make_house(verify=verify, per_address=self.LIMITS)
        for n in range(4):
            user = self.guest(house, auth={"scheme": "jwt", "token": f"user-{n}"})
            user.ask("join", room="lobby")
            assert {user.ask("send", room="lobby", text="x")["type"] for _ in range(5)} == {"sent"}


def test_connections_are_counted_and_forgotten() -> None:
    counted = addresses()
    ann, bob = counted.client("192.0.2.1", []), counted.client("192.0.2.2", [])
    here = counted.client("127.0.0.1", [])
    for client in (ann, ann, here, here, here):
        assert not counted.is_full(client)
        counted.enter(client)
    assert counted.is_full(ann)
    assert not counted.is_full(bob)
    counted.leave(ann)
    assert not counted.is_full(ann)
    for client in (ann, here, here, here):
        counted.leave(client)
    assert len(counted) == 0
