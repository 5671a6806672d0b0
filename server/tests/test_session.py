"""One connection's requests without a socket: each test is a sentence of section 8."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roomproof_server.engine.base import Unavailable


def hello(**members: Any) -> str:
    return json.dumps({"type": "hello", "id": "h", **members})


class TestHello:
    def test_welcome_states_everything(self, house: Any) -> None:
        """CONN-7, AUTH-6."""
        peer = house.peer()
        welcome = peer.ask("hello", name="Ann", caps=["unknown"])
        assert welcome["limits"] == house.hub.settings.limits.advertised()
        assert (welcome["heartbeat"], welcome["durability"], welcome["caps"]) == (
            {"interval_ms": 20_000, "timeout_ms": 20_000}, "memory", [],
        )  # fmt: skip
        assert (welcome["user"]["name"], welcome["user"]["guest"]) == ("Ann", True)
        assert welcome["user"]["id"].startswith("guest:")
        assert peer.beating

    @pytest.mark.parametrize(
        ("frame", "code", "re", "close"),
        [
            ('{"type":"join","id":"1","room":"lobby"}', "unauthenticated", "1", 4401),
            ('{"type":"ping","id":"1"}', "unauthenticated", "1", 4401),
            ("{", "invalid_json", None, 4401),
            (None, "unsupported_data", None, 4401),
            ('{"type":"hello"}', "invalid_message", None, 4401),
            ('{"type":"who","id":"1"}', "unknown_type", "1", 4401),
            (hello(name=" x"), "invalid_name", "h", 4401),
            (hello(auth={"scheme": "jwt", "token": "x"}), "unsupported_auth", "h", 4401),
            (hello(auth={"scheme": "magic"}), "unsupported_auth", "h", 4401),
            (hello(auth={"scheme": "resume_guest", "token": "forged"}), "token_expired", "h", 4101),
        ],
    )
    def test_what_cannot_be_honoured_is_fatal(
        self, house: Any, frame: str | None, code: str, re: str | None, close: int
    ) -> None:
        """CONN-4, CONN-13, AUTH-13; and CONN-8: what was pipelined behind it stays unanswered."""
        peer = house.peer()
        peer.raw(frame)
        peer.raw(hello())
        (error,) = peer.heard
        assert (error["code"], error["re"], error["fatal"]) == (code, re, True)
        assert peer.closed[0] == close

    def test_pipelined_behind_hello(self, house: Any) -> None:
        """CONN-6, CONN-8, also when the guest has to be looked up first."""
        token = house.guest().welcome["guest_token"]
        house.engine.late = True
        peer = house.peer()
        peer.say("hello", auth={"scheme": "resume_guest", "token": token})
        peer.say("join", room="a")
        peer.say("ping")
        assert peer.heard == []
        house.engine.settle()
        assert [message["type"] for message in peer.heard] == ["welcome", "joined", "pong"]

    def test_a_second_hello_changes_nothing(self, house: Any) -> None:
        """CONN-9."""
        peer = house.guest("Ann", "lobby")
        error = peer.ask("hello", name="Bob")
        assert (error["code"], error["fatal"]) == ("already_identified", False)
        peer.ask("send", room="lobby", text="x")
        assert peer.heard[-1]["from"]["name"] == "Ann"

    def test_the_guest_again(self, house: Any) -> None:
        """AUTH-7: while connected and later; a made-up name is made up the same way."""
        peer = house.peer()
        first = peer.ask("hello")
        auth = {"scheme": "resume_guest", "token": first["guest_token"]}
        again = house.peer().ask("hello", auth=auth)
        assert again["user"] == first["user"]
        assert house.peer().ask("hello", auth=auth, name="New")["user"] == first["user"] | {"name": "New"}

    def test_a_ninth_connection(self, house: Any) -> None:
        """LIMIT-2; and what one leaves another may take."""
        peers = [house.guest()]
        auth = {"scheme": "resume_guest", "token": peers[0].welcome["guest_token"]}
        peers += [house.guest(token=auth["token"]) for _ in range(7)]
        ninth = house.peer()
        error = ninth.ask("hello", auth=auth)
        assert (error["code"], error["retryable"], error["fatal"]) == ("too_many_connections", True, True)
        assert 0 < error["retry_after_ms"] <= 40_000
        assert ninth.closed == (4230, f"too_many_connections; retry_after_ms={error['retry_after_ms']}")
        assert all(peer.closed is None for peer in peers)
        peers[0].session.end(clean=True)
        assert house.peer().ask("hello", auth=auth)["type"] == "welcome"

    def test_ended_while_the_guest_is_looked_up(self, house: Any) -> None:
        token = house.guest().welcome["guest_token"]
        house.engine.late = True
        peer = house.peer()
        peer.say("hello", auth={"scheme": "resume_guest", "token": token})
        peer.session.end(clean=False)
        house.engine.settle()
        assert peer.heard == []


class TestErrors:
    @pytest.mark.parametrize(
        ("request_", "code", "field"),
        [
            ({"type": "join", "room": "Bad Room"}, "invalid_room", "/room"),
            ({"type": "join", "room": "dm.ann"}, "forbidden", "/room"),
            ({"type": "send", "room": "dm.ann", "text": "x"}, "forbidden", "/room"),
            ({"type": "send", "room": "elsewhere", "text": "x"}, "not_joined", "/room"),
            ({"type": "send", "room": "elsewhere", "text": ""}, "invalid_text", "/text"),
            ({"type": "send", "room": "lobby", "text": "x" * 4097}, "text_too_long", "/text"),
            ({"type": "history", "room": "elsewhere"}, "not_joined", "/room"),
            ({"type": "history", "room": "lobby", "epoch": "another"}, "invalid_cursor", "/epoch"),
            ({"type": "presence", "room": "elsewhere"}, "not_joined", "/room"),
            ({"type": "auth", "token": "x"}, "unsupported_auth", None),
            ({"type": "message", "room": "lobby"}, "unknown_type", None),
            ({"type": "join", "room": "lobby", "after": None}, "invalid_message", "/after"),
        ],
    )
    def test_refused_and_nothing_changed(
        self, house: Any, request_: dict[str, Any], code: str, field: str | None
    ) -> None:
        """Section 4, ROOM-11, ROOM-13, HIST-9, ERR-10, ERR-11, CONN-14."""
        peer, other = house.guest("Ann", "lobby"), house.guest("Bob", "lobby")
        peer.take()
        error = peer.ask(request_.pop("type"), **request_)
        assert (error["type"], error["code"], error["fatal"]) == ("error", code, False)
        if field is not None:
            assert error["field"] == field
        assert peer.ask("send", room="lobby", text="x")["seq"] == 1
        assert [message["type"] for message in other.heard] == ["message"]

    def test_too_many_malformed_frames(self, house: Any) -> None:
        """ERR-13."""
        peer = house.guest("Ann", "lobby")
        for _ in range(200):
            house.clock.ms += 20
            peer.raw("{")
        assert (len(peer.take()), peer.closed) == (200, None)
        peer.raw("{")
        assert peer.closed == (4400, "too_many_errors")

    def test_refusals_are_no_malformed_frames(self, house: Any) -> None:
        """RATE-13."""
        peer = house.guest("Ann", "lobby")
        for _ in range(350):
            house.clock.ms += 28
            peer.say("send", room="lobby", text="x")
        assert peer.closed is None
        assert sum(message.get("code") == "rate_limited" for message in peer.heard) >= 290

    def test_a_flood(self, house: Any) -> None:
        """RATE-12."""
        peer = house.guest("Ann")
        for _ in range(600):
            peer.say("ping")
        code, reason = peer.closed
        assert code == 4229
        assert reason.startswith("flood; retry_after_ms=")

    def test_a_fault_of_ours_is_internal_and_leaves_the_connection(
        self, house: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """ERR-12, ERR-14."""
        peer = house.guest("Ann", "lobby")
        with monkeypatch.context() as patch:
            patch.setattr(house.engine, "publish", lambda *args: 1 / 0)
            error = peer.ask("send", room="lobby", text="x")
        assert (error["code"], error["retryable"], error["fatal"]) == ("internal", True, False)
        assert "ZeroDivisionError" in caplog.text
        assert "Zero" not in error["message"]
        assert peer.ask("send", room="lobby", text="x")["type"] == "sent"


class TestRooms:
    def test_delivery_and_mid(self, house: Any) -> None:
        """MSG-1, MSG-2, MSG-15, ROOM-3, AUTH-8."""
        ann = house.guest("Ann", "lobby")
        twin = house.guest("Ann", "lobby", token=ann.welcome["guest_token"])
        bob, eve = house.guest("Bob", "lobby"), house.guest("Eve", "other")
        for peer in (ann, twin, bob, eve):
            peer.take()
        sent = ann.ask("send", room="lobby", text=" é\t<\n", mid="mid-0001", **{"from": {"id": "x", "name": "y"}})
        (message,) = bob.take()
        assert {key: message[key] for key in ("epoch", "seq", "ts")} == {
            key: sent[key] for key in ("epoch", "seq", "ts")
        }
        assert message["from"] == {"id": ann.welcome["user"]["id"], "name": "Ann"}
        assert message["text"] == " é\t<\n"
        assert "mid" not in message
        assert ann.take() == twin.take() == [message | {"mid": "mid-0001"}]
        assert eve.take() == []
        (replayed,) = bob.ask("history", room="lobby")["messages"]
        assert replayed == message

    def test_presence(self, house: Any) -> None:
        """PRES-1..4."""
        ann = house.guest("Ann", "lobby")
        twin = house.guest("Other", "lobby", token=ann.welcome["guest_token"])
        bob = house.guest("Bob", "lobby")
        for peer in (ann, twin):  # not of Ann's second connection, nor to Bob himself
            assert [(m["event"], m["user"]["name"], m["count"]) for m in peer.take()] == [("join", "Bob", 2)]
        assert bob.take() == []
        presence = bob.ask("presence", room="lobby")
        assert ([m["name"] for m in presence["members"]], presence["count"], presence["truncated"]) == (
            ["Ann", "Bob"], 2, False,
        )  # fmt: skip
        ann.ask("leave", room="lobby")
        assert bob.take() == []
        twin.session.end(clean=True)
        assert [(m["event"], m["count"]) for m in bob.take()] == [("leave", 1)]
        bob.session.end(clean=False)

    def test_loss_waits_for_the_grace(self, house: Any) -> None:
        """PRES-3, RES-11."""
        ann, bob = house.guest("Ann", "lobby"), house.guest("Bob", "lobby")
        ann.session.end(clean=False)
        house.passes(4900)
        again = house.guest("Ann", "lobby", token=ann.welcome["guest_token"])
        house.passes(10_000)
        assert bob.take() == []
        again.session.end(clean=False)
        house.passes(5000)
        assert [m["event"] for m in bob.take()] == ["leave"]

    def test_too_many_rooms(self, house: Any) -> None:
        """ROOM-2."""
        peer = house.guest("Ann", *(f"room{n}" for n in range(64)))
        assert peer.ask("join", room="one.more")["code"] == "too_many_rooms"
        assert peer.ask("join", room="room7")["already"] is True
        peer.ask("leave", room="room7")
        assert peer.ask("join", room="one.more")["already"] is False

    def test_leave(self, house: Any) -> None:
        """ROOM-6, ROOM-7, ROOM-9."""
        ann, bob = house.guest("Ann", "lobby"), house.guest("Bob", "lobby")
        twin = house.guest("Ann", "lobby", token=ann.welcome["guest_token"])
        assert ann.ask("leave", room="lobby")["type"] == ann.ask("leave", room="lobby")["type"] == "left"
        ann.take()
        bob.ask("send", room="lobby", text="x")
        assert ann.take() == []
        assert [m["type"] for m in twin.take()] == ["message"]

    def test_joining_again(self, house: Any) -> None:
        """ROOM-5, and RES-1..12 by way of the stream."""
        ann, bob = house.guest("Ann", "lobby"), house.guest("Bob", "lobby")
        joined = ann.ask("join", room="lobby", history=0)
        assert (joined["already"], joined["recovered"], "reason" in joined, joined["count"]) == (
            True,
            False,
            False,
            2,
        )
        ann.take()
        bob.ask("send", room="lobby", text="x")
        assert len(ann.take()) == 1
        resumed = ann.ask("join", room="lobby", after={"epoch": joined["epoch"], "seq": 0}, history=0)
        assert (resumed["recovered"], len(resumed["messages"])) == (True, 1)
        lost = ann.ask("join", room="lobby", after={"epoch": "other", "seq": 0})
        assert (lost["recovered"], lost["reason"], "missed" in lost) == (False, "epoch_changed", False)

    def test_rate_limit_on_the_wire(self, house: Any) -> None:
        """RATE-6, RATE-9, RATE-11."""
        ann = house.guest("Ann", "lobby")
        for n in range(5):
            assert ann.ask("send", room="lobby", text="x", mid=f"mid-000{n}")["duplicate"] is False
        ann.session.end(clean=True)
        ann = house.guest("Ann", "lobby", token=ann.welcome["guest_token"])
        error = ann.ask("send", room="lobby", text="x")
        assert (error["code"], error["retryable"], error["retry_after_ms"]) == ("rate_limited", True, 1000)
        assert error["limit"] == {"count": 5, "window_ms": 1000, "scope": "user"}
        assert ann.ask("send", room="lobby", text="x", mid="mid-0000")["duplicate"] is True
        assert ann.ask("send", room="lobby", text="y", mid="mid-0000")["code"] == "mid_conflict"

    def test_reset(self, house: Any) -> None:
        """ROOM-12: silence of messages until joined again; membership stays."""
        ann, bob = house.guest("Ann", "lobby"), house.guest("Bob", "lobby")
        ann.take()
        house.hub.room("lobby").reset("next", 0, "epoch_changed")
        assert [m["type"] for m in ann.take()] == [m["type"] for m in bob.take()] == ["reset"]
        assert bob.ask("send", room="lobby", text="x")["type"] == "sent"
        assert ann.take() == bob.take() == []
        assert ann.ask("join", room="lobby")["already"] is True
        bob.ask("send", room="lobby", text="y")
        assert [m["text"] for m in ann.take()] == ["y"]
        bob.ask("leave", room="lobby")


class TestLateEngine:
    """Completions that come later: CONN-10, CONN-11, HIST-4, section 9."""

    def test_requests_keep_their_order(self, house: Any) -> None:
        ann = house.guest("Ann", "lobby")
        house.engine.late = True
        for n in range(3):
            ann.say("send", room="lobby", text=str(n))
        ann.say("leave", room="lobby")
        ann.say("join", room="lobby", history=2)
        ann.say("ping")
        house.engine.settle()
        types = [m["type"] for m in ann.take() if "re" in m]
        assert types == ["sent"] * 3 + ["left", "joined", "pong"]

    def test_messages_racing_with_a_join(self, house: Any) -> None:
        bob, ann = house.guest("Bob", "lobby"), house.guest("Ann")
        house.engine.late = True
        bob.say("send", room="lobby", text="1")
        ann.say("join", room="lobby")
        bob.take()
        house.engine.step()
        bob.say("send", room="lobby", text="2")  # stands behind the join
        assert ann.take() == []
        house.engine.settle()
        joined, message = ann.take()
        assert ([m["seq"] for m in joined["messages"]], joined["head"], message["seq"]) == ([1], 1, 2)
        joins = [m["event"] for m in bob.take() if m["type"] == "presence_event"]
        assert joins == ["join"]

    def test_messages_racing_with_a_join_again(self, house: Any) -> None:
        """No hole and nothing twice: what the answer speaks of came before it."""
        bob, ann = house.guest("Bob", "lobby"), house.guest("Ann", "lobby")
        house.engine.late = True
        bob.say("send", room="lobby", text="1")
        ann.say("join", room="lobby", history=0)
        bob.say("send", room="lobby", text="2")
        house.engine.settle()
        assert [(m["type"], m.get("seq", m.get("head"))) for m in ann.take()] == [
            ("message", 1), ("joined", 1), ("message", 2),
        ]  # fmt: skip

    def test_lost_in_the_middle_of_a_join(self, house: Any) -> None:
        bob, ann = house.guest("Bob", "lobby"), house.guest("Ann")
        house.engine.late = True
        ann.say("join", room="lobby")
        ann.session.end(clean=False)
        house.engine.settle()
        assert ann.heard == []
        house.passes(5000)
        assert [m["event"] for m in bob.take()] == ["join", "leave"]
        house.engine.late = False
        bob.ask("send", room="lobby", text="x")

    def test_unavailable(self, house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """ROOM-11: who was no member is none, who was one stays one and misses nothing."""
        ann, bob = house.guest("Ann", "lobby"), house.guest("Bob", "lobby")
        ann.take()
        waiting: list[Any] = []
        with monkeypatch.context() as patch:
            patch.setattr(house.engine, "join", lambda *args: waiting.append(args[-1]))
            ann.say("join", room="lobby")
            ann.say("join", room="other")
            bob.ask("send", room="lobby", text="x")
            for _ in range(2):
                waiting.pop(0)(Unavailable(500))
        message, *errors = ann.take()
        assert message["seq"] == 1
        assert [(e["code"], e["retryable"], e["retry_after_ms"]) for e in errors] == [("unavailable", True, 500)] * 2
        assert ann.ask("send", room="other", text="x")["code"] == "not_joined"
        assert ann.ask("send", room="lobby", text="x")["type"] == "sent"

    def test_held_back_while_the_client_has_much_to_read(self, house: Any) -> None:
        """DISC-10."""
        ann = house.guest("Ann", "lobby")
        ann.congested = True
        ann.say("ping")
        ann.say("ping")
        assert (ann.take(), ann.session.waiting) == ([], True)
        ann.congested = False
        ann.session.pump()
        assert (len(ann.take()), ann.session.waiting) == (2, False)
