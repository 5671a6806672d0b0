"""Who gets in through a real socket: limits per address, addresses that proxies tell, tokens and their end."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from roomproof_protocol import Limits
from roomproof_server.auth.keys import KeyFault
from roomproof_server.settings import JwtSettings, Settings
from roomproof_server.shell.server import Server

Start = Callable[..., Awaitable[Any]]
LIMITS = {"conns": 2, "guests": {"count": 90, "window_ms": 60_000}, "messages": {"count": 90, "window_ms": 1000}}
SECRET = "s" * 32
LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


def token(*, left: float = 600, **claims: Any) -> str:
    return jwt.encode({"sub": "ann", "exp": time.time() + left, **claims}, SECRET, algorithm="HS256")


async def refused(node: Any, **options: Any) -> Any:
    with pytest.raises(InvalidStatus) as refusal:
        await node.client(**options)
    return refusal.value.response


class TestAddresses:
    async def test_connections_are_limited_and_come_free(self, node: Start) -> None:
        running = await node(per_address=LIMITS, settings={"loopback_limits": True})
        first, second = await running.guest("lobby"), await running.guest("lobby")
        response = await refused(running)
        assert (response.status_code, response.headers["Retry-After"]) == (429, "5")
        assert (await second.ask("ping"))["type"] == "pong"
        await first.ws.close()
        assert (await (await running.client()).ask("hello"))["limits"]["per_address"] == LIMITS

    async def test_loopback_is_free_by_default(self, node: Start) -> None:
        running = await node(per_address=LIMITS)
        clients = [await running.client() for _ in range(4)]
        assert (await clients[3].ask("hello"))["limits"]["per_address"] is None

    async def test_behind_a_named_proxy_the_forwarded_address_counts(self, node: Start) -> None:
        running = await node(per_address=LIMITS, settings={"trusted_proxies": LOOPBACK})

        def via(address: str) -> dict[str, Any]:
            return {"additional_headers": {"X-Forwarded-For": f"6.6.6.6, {address}"}}

        for _ in range(2):
            await running.guest(**via("192.0.2.1"))
        assert (await refused(running, **via("192.0.2.1"))).status_code == 429
        welcome = await (await running.client(**via("192.0.2.2"))).ask("hello")
        assert welcome["limits"]["per_address"] == LIMITS

    async def test_nobody_else_is_believed_and_the_log_says_so_once(
        self, node: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        running = await node(per_address=LIMITS)
        with caplog.at_level(logging.WARNING, logger="roomproof"):
            for header in ("X-Forwarded-For", "Forwarded", "X-Forwarded-For"):
                client = await running.client(additional_headers={header: "for=192.0.2.1"})
                assert (await client.ask("hello"))["limits"]["per_address"] is None
        assert [record.getMessage() for record in caplog.records] == ["forwarding header not believed"]
        assert len(running.server.addresses) == 0


class TestTokens:
    async def test_a_user_comes_is_told_and_goes(self, node: Start, key: Path) -> None:
        running = await node(settings={"jwt": JwtSettings(key)})
        client = await running.client()
        began = time.time()
        welcome = await client.ask("hello", auth={"scheme": "jwt", "token": token(left=1.2)})
        assert welcome["user"]["id"] == "ann"
        assert (await client.hear())["code"] == "auth_expiring"
        assert time.time() - began < 1
        with pytest.raises(ConnectionClosed, match="4101"):
            await client.hear()
        assert 1.2 <= time.time() - began < 5

    async def test_a_shorter_renewal_ends_sooner(self, node: Start, key: Path) -> None:
        running = await node(settings={"jwt": JwtSettings(key)})
        client = await running.client()
        await client.ask("hello", auth={"scheme": "jwt", "token": token()})
        assert (await client.ask("auth", token=token(left=0.5)))["type"] == "auth_ok"
        await client.hear("notice")
        with pytest.raises(ConnectionClosed, match="4101"):
            await client.hear()

    @pytest.mark.parametrize(("looked_at", "guest"), [(True, False), (False, True)])
    async def test_the_header_on_demand(self, node: Start, key: Path, looked_at: bool, guest: bool) -> None:
        running = await node(settings={"jwt": JwtSettings(key, header=looked_at)})
        client = await running.client(additional_headers={"Authorization": f"Bearer {token()}"})
        assert (await client.ask("hello"))["user"]["guest"] is guest

    async def test_the_url_is_never_looked_at(self, node: Start, key: Path) -> None:
        running = await node(settings={"jwt": JwtSettings(key, header=True)})
        running.url += f"?access_token={token()}&token={token()}"
        assert (await (await running.client()).ask("hello"))["user"]["guest"] is True

    async def test_a_key_that_cannot_be_used(self, tmp_path: Path) -> None:
        with pytest.raises(KeyFault):
            Server(Settings(limits=Limits(), jwt=JwtSettings(tmp_path / "none")))
