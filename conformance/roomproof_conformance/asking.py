"""Requests over HTTP that a dialect makes for a client: before its connection, and inside of its operations.

Knows no scenario and no verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import plain
from .dialects import Exchange, Request
from .events import Event
from .transport import Unreachable

if TYPE_CHECKING:
    from .actors import Client, Op


async def before(client: Client) -> None:
    """The dialect's requests before the connection. Raises Unreachable when one is refused."""
    if not client.offers("http"):
        return
    client.session.address(client.case.target.base)
    exchange = client.session.begin("http")
    while (request := exchange.request) is not None and not exchange.done:
        await _fetch(client, exchange, request)
        if exchange.done and not exchange.ok:
            status = exchange.event.tree["status"] if exchange.event else "nothing"
            raise Unreachable(f"{request} before the connection: answered {status}, which the dialect does not expect")


async def during(client: Client, op: Op) -> None:
    """The requests of an operation, one after another, until it waits for a frame or is over."""
    exchange = op.exchange
    while (request := exchange.request) is not None and not exchange.done:
        try:
            event = await _fetch(client, exchange, request)
        except Unreachable as error:
            client.note("local", action="http", request=str(request), problem=str(error))
            exchange.done, event = True, None
        if event is not None:
            op.event, op.event_index = event, client.note("event", **event.as_json()).index
        client.drain(op)
    client.settle_op(op)


async def _fetch(client: Client, exchange: Exchange, request: Request) -> Event | None:
    """Ask one request; None when an earlier answer serves. Raises Unreachable."""
    target = client.case.target
    async with target.asking(request.once):
        if request.once is not None and exchange.recall():
            return None
        response = await plain.fetch(target.base, request, patience=client.case.patience * 2)
        client.note("local", action="http", request=str(request), status=response.status)
        return exchange.respond(response)
