"""/metrics: what a scraper reads, and that two servers in one process do not mix."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families


async def scrape(node: Any) -> dict[str, float]:
    """Every sample, its labels behind its name."""
    reader, writer = await node.raw()
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 ")
    assert "\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n" in head
    found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name.removeprefix('roomproof_')}{{{labels}}}" if labels else sample.name[10:]] = (
                sample.value
            )
    return found


async def test_a_session(node: Any) -> None:
    """LIMIT-6."""
    one, other = await node(), await node()
    ann, bob = await one.guest("lobby"), await one.guest("lobby")
    await ann.ask("send", room="lobby", text="hello")
    await bob.hear("message")
    await bob.ask("send", room="nowhere", text="x")
    now = await scrape(one)
    assert (now["connections"], now["users"], now["rooms"], now["ready"]) == (3, 2, 1, 1)
    assert (now["deliveries_total"], now["handshakes_total"]) == (2, 2)
    assert now["refusals_total{code=not_joined}"] == 1
    assert now["joins_total{outcome=fresh}"] == 2
    assert now["messages_total{outcome=stored}"] == 1
    assert now["commit_seconds_count"] == 1
    assert now["write_seconds_count"] >= 4
    assert now["queue_bytes_bucket{le=+Inf}"] == 3
    received, sent = now["received_bytes_total"], now["sent_bytes_total"]
    assert received > 500
    assert sent > 1500
    await ann.ws.close(1000)
    await bob.ws.close(4321)
    now = await scrape(one)
    assert now["closes_total{by=client,code=1000}"] == 1
    assert now["closes_total{by=client,code=other}"] == 1
    assert now["received_bytes_total"] > received
    assert now["sent_bytes_total"] > sent
    assert "deliveries_total" in (await scrape(other))
    assert (await scrape(other))["deliveries_total"] == 0


async def test_closes_by_the_server_and_by_nobody(node: Any) -> None:
    node = await node()
    client = await node.client()
    await client.say("ping")
    await client.ws.wait_closed()
    _, writer = await node.shaken()
    writer.transport.abort()
    for _ in range(100):
        now = await scrape(node)
        if "closes_total{by=network,code=1006}" in now:
            break
    assert now["closes_total{by=server,code=4401}"] == 1
    assert now["closes_total{by=network,code=1006}"] == 1
