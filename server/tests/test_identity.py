"""Users by token: the notice before expiry, the close at it, renewal in place (AUTH-1..5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_protocol import ProtocolError
from roomproof_server.rules.identity import Expiry, Identity


def verify(token: str) -> Identity:
    """Tokens of the tests are ``user;name;expiry``, or what is wrong with them."""
    user, name, expires = token.split(";")
    if user in ("unauthenticated", "token_expired"):
        raise ProtocolError(user, "no")
    return Identity(user, name or None, int(expires))


@pytest.fixture
def house(make_house: Any) -> Any:
    return make_house(verify=verify)


def token(house: Any, user: str = "ann", name: str = "", *, left: int = 600_000) -> str:
    return f"{user};{name};{house.clock.wall() + left}"


def user(house: Any, *args: Any, left: int = 600_000, **hello: Any) -> Any:
    peer = house.peer()
    auth = {"scheme": "jwt", "token": token(house, *args, left=left)}
    peer.welcome = peer.ask("hello", auth=auth, **hello)
    peer.session.on_time()
    return peer


@given(st.integers(0, 10**15), st.floats(0, 1))
def test_the_notice_is_due_30_to_60_seconds_before(expires: int, spread: float) -> None:
    expiry = Expiry(expires, spread)
    assert expires - 60_000 < expiry.next() < expires - 30_000
    assert expiry.due(expiry.next()) == "notice"
    assert expiry.due(expires - 1) is None
    assert expiry.next() == expires
    assert expiry.due(expires) == "expired"


def test_welcome(house: Any) -> None:
    ann = user(house, "ann", "Ann", name="Zoe")
    assert ann.welcome["user"] == {"id": "ann", "name": "Ann", "guest": False}
    assert ann.welcome["auth_expires_at"] == house.clock.wall() + 600_000
    assert "guest_token" not in ann.welcome
    assert user(house, "bob", name="Zoe").welcome["user"]["name"] == "Zoe"
    assert user(house, "c" * 40).welcome["user"]["name"] == "c" * 32


@pytest.mark.parametrize(
    ("auth", "code", "close"),
    [
        ({"scheme": "jwt", "token": "unauthenticated;;0"}, "unauthenticated", 4401),
        ({"scheme": "jwt", "token": "token_expired;;0"}, "token_expired", 4101),
        ({"scheme": "jwt"}, "unauthenticated", 4401),
        ({"scheme": "resume_guest"}, "unauthenticated", 4401),
        ({"scheme": "sso", "token": "x"}, "unsupported_auth", 4401),
    ],
)
def test_refusals(house: Any, auth: dict[str, str], code: str, close: int) -> None:
    peer = house.peer()
    answer = peer.ask("hello", auth=auth)
    assert (answer["code"], answer["fatal"], peer.closed[0]) == (code, True, close)


def test_without_keys_there_are_no_tokens(make_house: Any) -> None:
    house = make_house()
    assert house.peer().ask("hello", auth={"scheme": "jwt", "token": "x"})["code"] == "unsupported_auth"


def test_guests_can_be_switched_off(make_house: Any) -> None:
    house = make_house(verify=verify, guests=False)
    for hello in ({}, {"auth": {"scheme": "resume_guest", "token": "x"}}):
        assert house.peer().ask("hello", **hello)["code"] == "unsupported_auth"
    assert user(house).welcome["type"] == "welcome"


def test_a_header_counts_only_where_hello_says_nothing(house: Any) -> None:
    bearer = token(house)
    assert house.peer(bearer=bearer).ask("hello")["user"]["id"] == "ann"
    assert house.peer(bearer=bearer).ask("hello", auth={})["user"]["guest"] is True
    assert house.peer(bearer="unauthenticated;;0").ask("hello")["code"] == "unauthenticated"


def test_one_user_on_several_connections(make_house: Any) -> None:
    house = make_house(verify=verify, conns_per_user=2)
    one, two = user(house), user(house)
    three = house.peer()
    assert three.ask("hello", auth={"scheme": "jwt", "token": token(house)})["code"] == "too_many_connections"
    assert three.closed[0] == 4230
    for peer in (one, two):
        assert peer.ask("join", room="lobby")["count"] == 1
    assert one.ask("presence", room="lobby")["members"] == [{"id": "ann", "name": "ann"}]
    answers = [peer.ask("send", room="lobby", text="x") for peer in (one, two) * 3]
    assert [answer["type"] for answer in answers] == ["sent"] * 5 + ["error"]


def test_the_notice_comes_once_and_then_the_close(house: Any) -> None:
    ann = user(house, left=600_000)
    again = ann.session.on_time()
    assert 540_000 < again < 570_000
    house.passes(again)
    left = ann.session.on_time()
    (notice,) = ann.take()
    assert (notice["code"], notice["expires_at"]) == ("auth_expiring", ann.welcome["auth_expires_at"])
    house.passes(left - 1)
    assert ann.session.on_time() == 1
    assert ann.take() == []
    house.passes(1)
    assert ann.session.on_time() is None
    assert ann.closed == (4101, "token_expired")


def test_the_notice_comes_at_once_where_less_is_left(house: Any) -> None:
    ann = user(house, left=20_000)
    assert [message["code"] for message in ann.take()] == ["auth_expiring"]


def test_renewal_in_place(house: Any) -> None:
    ann = user(house, left=100_000)
    ann.ask("join", room="lobby")
    ann.awake = False
    answer = ann.ask("auth", token=token(house, left=900_000))
    assert (answer["type"], answer["expires_at"], ann.awake) == ("auth_ok", house.clock.wall() + 900_000, True)
    house.passes(100_000)
    assert ann.session.on_time() > 700_000
    assert ann.ask("send", room="lobby", text="x")["type"] == "sent"


@pytest.mark.parametrize(
    ("renewal", "code"),
    [
        ("bob;;99999999999999", "forbidden"),
        ("unauthenticated;;0", "unauthenticated"),
        ("token_expired;;0", "token_expired"),
    ],
)
def test_a_refused_renewal_changes_nothing(house: Any, renewal: str, code: str) -> None:
    ann = user(house, left=100_000)
    answer = ann.ask("auth", token=renewal)
    assert (answer["code"], answer["fatal"], answer["field"]) == (code, False, "/token")
    assert not ann.closed
    house.passes(100_000)
    ann.session.on_time()
    assert ann.closed == (4101, "token_expired")


def test_a_guest_has_nothing_to_renew(house: Any) -> None:
    guest = house.guest()
    assert guest.ask("auth", token=token(house))["code"] == "unsupported_auth"
    assert guest.session.on_time() is None


def test_a_draining_server_welcomes_nobody(house: Any) -> None:
    ann, early = user(house), house.peer()
    house.hub.draining = True
    for peer in (ann, early):
        peer.session.draining(700)
    (notice,) = ann.take()
    assert (notice["code"], notice["reconnect_after_ms"]) == ("draining", 700)
    assert early.take() == []
    assert early.ask("hello")["code"] == "draining"
    assert early.closed[0] == 1013
