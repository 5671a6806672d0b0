"""Signed tokens ([auth] rows): what is let in, what is not, and what happens when one expires."""

from __future__ import annotations

import math
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import Absent, Ends

LIFE = 6
"""Seconds for which a token that is to expire is good."""
FATAL = {"tree": {"type": "error", "fatal": True}}


async def with_token(case: Case, **claims: Any) -> Client:
    """A client that has connected, with a token of these claims ready for `hello`."""
    client = case.stranger()
    client.credentials = {"scheme": "jwt", "token": await case.token(**claims)}
    await client.connect()
    return client


async def turned_away(case: Case, code: int, **claims: Any) -> None:
    """A `hello` with such a token gets one fatal error and the close."""
    client = await with_token(case, **claims)
    await case.refused(case.identify(client), FATAL)
    await case.ended(client, codes=[code])


def subject(case: Case) -> str:
    """A user nobody else is."""
    return case.text("sub")


@scenario("AUTH-2.bad-tokens", needs="native tokens", hooks="token", conns=8)
async def bad_tokens(case: Case) -> None:
    """An unsigned token, one signed by somebody else, for somebody else, or not valid yet, closes 4401."""
    who = subject(case)
    good = await with_token(case, sub=who)
    await case.answered(case.identify(good), {"tree": {"user": {"id": {"eq": who}, "guest": False}}}, role="given")
    await turned_away(case, 4401, sub=who, _alg="none")
    await turned_away(case, 4401, sub=who, _key="wrong")
    await turned_away(case, 4401, sub=who, aud="somebody-else")
    await turned_away(case, 4401, sub=who, nbf=4102444800)


@scenario("AUTH-2.no-token", needs="native tokens", hooks="token")
async def no_token(case: Case) -> None:
    """What is no token at all closes 4401."""
    client = case.stranger()
    client.credentials = {"scheme": "jwt", "token": "not.a.token"}
    await client.connect()
    await case.refused(case.identify(client), FATAL)
    await case.ended(client, codes=[4401])


@scenario("AUTH-3.expired", needs="native tokens", hooks="token")
async def expired(case: Case) -> None:
    """An expired token closes 4101, so that the client fetches a new one."""
    await turned_away(case, 4101, sub=subject(case), exp=1000000000)


@scenario("AUTH-11.subject", needs="native tokens", hooks="token", conns=8)
async def subjects(case: Case) -> None:
    """A subject that begins `guest:`, or is no valid user id, closes 4401."""
    for sub in ("guest:0123456789abcdef", "", "two words", "é", "x" * 129):
        await turned_away(case, 4401, sub=sub)


@scenario("AUTH-4.notice", "AUTH-4.renewal", needs="native tokens", hooks="token", titles={
    "AUTH-4.renewal": "`auth` renews in place for the same subject only; a refused one changes nothing.",
})  # fmt: skip
async def renewal(case: Case) -> None:
    """Less than 30 s before its token expires a client is told `auth_expiring` at once."""
    who, room = subject(case), case.room()
    client = await with_token(case, sub=who, exp=case.wall() + 20)
    hello = case.identify(client)
    await case.answered(hello, role="given")
    soon = {"type": "notice", "code": "auth_expiring", "expires_at": {"is": "integer"}}
    await case.told(client, {"kind": "notice", "tree": soon}, after=hello, within=1.0)
    await case.given_join(client, room)
    other = client.begin("auth", token=await case.token(sub=subject(case)))
    await case.refused(other, {"code": "forbidden", "tree": {"fatal": False}}, check="AUTH-4.renewal")
    bad = client.begin("auth", token="not.a.token")
    await case.refused(bad, {"tree": {"fatal": False}}, check="AUTH-4.renewal")
    exp = case.wall() + 120
    good = client.begin("auth", token=await case.token(sub=who, exp=exp))
    await case.answered(good, {"tree": {"type": "auth_ok", "expires_at": exp * 1000}}, check="AUTH-4.renewal")
    await case.answered(client.send(room), check="AUTH-4.renewal", says="it is still a member")


@scenario("AUTH-4.not-early", needs="native tokens", hooks="token", waits=lambda _: 3.0, conns=6)
async def not_early(case: Case) -> None:
    """Nobody is told that a token is about to expire while it is good for more than a minute."""
    soon = {"kind": "notice", "tree": {"code": "auth_expiring"}}
    for life in (66, 75, 100, 150, 300):
        exp = case.wall() + life
        client = await with_token(case, sub=subject(case), exp=exp)
        greeted = await case.answered(case.identify(client), role="given")
        await case.wait(min(0.5, life - 65), f"the token is good for {life} s")
        await case.answered(client.begin("ping"), role="given")
        here = case.mark("so far nothing was to be said")
        # The wall clock of `exp` counts whole seconds, and asking for a token took its time.
        if exp - case.wall() > 61:
            early = Absent(client.name, soon, greeted.index, here.index, fence={"kind": "pong"})
            case.stated(early, f"nothing is said of a token that is good for {life} s")


@scenario("AUTH-5.expiry", "AUTH-4.outlasts", needs="native tokens", hooks="token", waits=lambda _: 7.0, titles={
    "AUTH-4.outlasts": "Who renewed in time is not closed when the first token expires.",
})  # fmt: skip
async def expiry(case: Case) -> None:
    """A connection whose token has expired is closed 4101 within five seconds, and not before."""
    who = subject(case)
    asked = case.watch.now()
    renewed = await case.token(sub=who)
    life = LIFE + math.ceil(2 * (case.watch.now() - asked))  # a hook may take its time, and there are two more
    exp, begin = case.wall() + life, case.mark(f"tokens for {life} seconds")
    client, lasting = case.stranger(), case.stranger()

    async def enters(one: Client, sub: str) -> None:
        one.credentials = {"scheme": "jwt", "token": await case.token(sub=sub, exp=exp)}
        await one.connect()
        await case.answered(case.identify(one), role="given")

    await case.together(enters(client, subject(case)), enters(lasting, who))
    await case.answered(lasting.begin("auth", token=renewed), role="given")
    judge = Ends(client.name, begin.index, [4101], earliest=life - 1.1, latest=life + 5.0)
    await case.must(judge, "the expired token ends the connection", wait=life + 6.0)
    await case.wait(0.5, "the other one stays")
    case.still_open(lasting, check="AUTH-4.outlasts")
    await case.answered(lasting.begin("ping"), check="AUTH-4.outlasts")
