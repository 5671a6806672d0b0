"""Requests of roomproof.v1 written by hand, one after another, and the answers that they must get."""

from __future__ import annotations

import json
import re
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.judges import First, InTurn
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Role

REPLY = {"tree": {"members": {"re": {"exists": True}}}}
"""Every reply carries `re`, be it null; nothing else does."""

ERROR = {"tree": {"type": "error"}}

_ID = re.compile(r'"id":\s*"([\w.-]{1,8})"')
"""An id as scenarios write them; one that is itself what is tried is longer, or stranger."""


def ask(client: Client, /, **members: Any) -> Record:
    """Write a request with exactly these members."""
    return client.raw_text(json.dumps(members))


def error(code: str | list[str], *, re: Any, fatal: bool = False, **more: Any) -> dict[str, Any]:
    """The pattern of an error's tree."""
    return {"type": "error", "re": re, "code": {"in": code} if isinstance(code, list) else code, "fatal": fatal, **more}


async def replied(
    case: Case,
    client: Client,
    sent: Record,
    where: dict[str, Any],
    what: str,
    *,
    check: str | None = None,
    role: Role = "must",
) -> None:
    """The next reply after the frame of record `sent` has a tree like `where`. Only one request may be under way."""
    await case.must(First(client.name, {"tree": where}, sent.index, REPLY), what, check=check, role=role)


async def series(
    case: Case, client: Client, frames: dict[str, str], where: dict[str, Any], *, check: str | None = None
) -> None:
    """Each frame, written when the one before was answered, gets a reply like `where`; the names say what they are.

    Their ids, spelled alike in all, are made different: whether an id may come twice is another question (CONN-11).
    """
    for name, frame in frames.items():
        ids = {old: f"{old}-{len(case.transcript)}" for old in _ID.findall(frame)}
        own = {**where, "re": _renamed(where["re"], ids)} if "re" in where else where
        await replied(case, client, client.raw_text(_with_ids(frame, ids)), own, f"{name}: the answer", check=check)


def _with_ids(frame: str, ids: dict[str, str]) -> str:
    return _ID.sub(lambda found: found[0].replace(found[1], ids[found[1]]), frame)


def _renamed(pattern: Any, ids: dict[str, str]) -> Any:
    if isinstance(pattern, dict):
        return {key: [_renamed(one, ids) for one in value] if key == "in" else value for key, value in pattern.items()}
    return ids.get(pattern, pattern) if isinstance(pattern, str) else pattern


async def turned_away(
    case: Case, client: Client, where: dict[str, Any], code: int, *, check: str | None = None
) -> None:
    """All that `client` is told is one error like `where`; then its connection is closed with `code`.

    A second for the error to come and one more for the Close behind it (section 4).
    """
    told = case.mark(f"{client.name} is told")
    await case.ended(
        client, codes=[code], after=told, latest=2.0, check=check, says=f"{client.name} is turned away with {code}"
    )
    once = InTurn(client.name, [{"tree": where}], of={"kind": {"not": "heartbeat"}})
    await case.must(once, "one fatal error before it, and nothing else", check=check, wait=0)


async def pong(case: Case, client: Client, *, check: str | None = None) -> None:
    """A valid request is answered: the connection is in order, and what came before has been dealt with."""
    ping = client.begin("ping")
    await case.answered(ping, check=check, says=f"{client.name} can go on")


async def lets_extras_be(case: Case, client: Client) -> None:
    """Presupposed: a request with a member that nobody knows is taken (CONN-12), so more can be hidden in one."""
    taken = client.raw_text('{"type":"ping","id":"extra","x-unknown":1}')
    await replied(case, client, taken, {"type": "pong", "re": "extra"}, "unknown members are ignored", role="given")


async def shown_as(case: Case, listener: Client, text: str, tree: dict[str, Any], what: str) -> None:
    """The message with this text comes to `listener` with a tree like `tree`."""
    message = {"kind": "message", "text": {"eq": text}}
    await case.must(First(listener.name, {"tree": tree}, 0, message), what)
