"""Who a client is: guests, their tokens, display names, and that nobody speaks for another.

Tokens of an identity provider need one, and are judged elsewhere.
"""

from __future__ import annotations

from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import scenario
from roomproof_conformance.judges import First, Opens
from roomproof_conformance.judges.identity import Unguessable
from roomproof_conformance.verdicts import Role

from .native import ask, error, lets_extras_be, replied, shown_as, turned_away


async def _hello(
    case: Case, where: dict[str, Any], *, url: str = "", headers: Any = None, role: Role = "must", **members: Any
) -> Client:
    """A new client whose hello has these members and gets a `welcome` like `where`; `url` goes into the query."""
    client = case.stranger()
    base = case.target.address(client.session, client.node)
    query = f"{base}{'&' if '?' in base else '?'}{url}" if url else None
    await client.connect(headers=headers, url=query)
    await case.given(Opens(client.name), "a client can connect")
    sent = ask(client, type="hello", id="h1", **members)
    welcome = {"type": "welcome", "re": "h1", **where}
    await replied(case, client, sent, welcome, f"{client.name} is welcome", role=role)
    return client


async def _guest(case: Case, role: Role = "given") -> tuple[Client, str, str]:
    """A new guest, its id and its token."""
    client = await _hello(case, {"guest_token": {"re": "."}}, role=role)
    welcome = _welcome(case, client)
    return client, welcome["user"]["id"], welcome["guest_token"]


def _welcome(case: Case, client: Client) -> dict[str, Any]:
    """The tree of its `welcome`."""
    return next(
        r.event.tree
        for r in case.transcript
        if r.kind == "event" and r.conn == client.name and r.data["kind"] == "welcome"
    )


GUEST = {"user": {"guest": True, "id": {"re": "^guest:[!-~]{1,122}$"}}}


@scenario("AUTH-1.from-hello", conns=3)
async def from_hello(case: Case) -> None:
    """The credential in hello counts, also against another one in an `Authorization` header."""
    _, user, token = await _guest(case)
    _, _, other = await _guest(case)
    auth = {"scheme": "resume_guest", "token": token}
    await _hello(case, {"user": {"id": user}}, auth=auth, headers=[("Authorization", f"Bearer {other}")])


@scenario("AUTH-1.not-in-url", conns=6)
async def not_in_url(case: Case) -> None:
    """A token in the URL is no credential."""
    _, user, token = await _guest(case)
    for name in ("token", "access_token", "guest_token", "auth", "jwt"):
        await _hello(case, {"user": {"id": {"not": user}}}, url=f"{name}={token}")


@scenario("AUTH-6.guest", conns=3)
async def guest(case: Case) -> None:
    """A client without credentials is a guest with an id that begins `guest:`, with and without a scheme."""
    await _hello(case, GUEST)
    await _hello(case, GUEST, auth={})
    await _hello(case, GUEST, auth={"scheme": "guest"})


@scenario("AUTH-6.same-name", conns=2)
async def same_name(case: Case) -> None:
    """Two guests may have one display name, and are two users."""
    name = f"Name {case.room()}"
    first = _welcome(case, await _hello(case, {"user": {"name": name}}, name=name))
    await _hello(case, {"user": {"name": name, "id": {"not": first["user"]["id"]}}}, name=name)


@scenario("AUTH-7.later", conns=2)
async def restored_later(case: Case) -> None:
    """A guest token gives the same user after the connection is gone, and so does the token of that welcome."""
    first, user, token = await _guest(case, "must")
    await first.close()
    for _ in range(2):
        same = {"user": {"guest": True, "id": user}, "guest_token": {"re": "."}}
        again = await _hello(case, same, auth={"scheme": "resume_guest", "token": token})
        token = _welcome(case, again)["guest_token"]
        await again.close()


@scenario("AUTH-7.meanwhile", conns=3)
async def restored_meanwhile(case: Case) -> None:
    """A guest token gives the same user on a second connection while the first is open, and both can talk."""
    room = case.room()
    witness = await case.member(room)
    one, user, token = await _guest(case)
    two = await _hello(case, {"user": {"id": user}}, auth={"scheme": "resume_guest", "token": token})
    for client in (one, two):
        await case.given_join(client, room)
        op = await case.say(client, room)
        same = {"from": {"id": user}}
        await shown_as(case, witness, op.text, same, f"{client.name} is heard as the same user")


@scenario("AUTH-8.sender", conns=3)
async def sender(case: Case) -> None:
    """A message says who sent it, to the sender and to others, live."""
    room = case.room()
    one, two = await case.members(room, 2)
    for speaker, listener in ((one, two), (two, one)):
        op = await case.say(speaker, room)
        message = {"kind": "message", "text": {"eq": op.text}}
        who = First(listener.name, {"from": {"eq": speaker.session.identity}}, op.index, message)
        await case.must(who, f"{listener.name} learns that {speaker.name} said it")


@scenario("AUTH-8.history", needs="history", conns=4)
async def sender_in_history(case: Case) -> None:
    """The history says who sent a message, too."""
    room = case.room()
    speaker, witness = await case.members(room, 2)
    op = await case.say(speaker, room)
    await case.delivered(op, [witness], role="given")
    newcomer = await case.member(room)
    entry = {"text": op.text, "from": {"eq": speaker.session.identity}}
    where = {"any_of": [{"entries": {"contains": entry}}, {"kind": "history", **entry}]}
    await case.told(newcomer, where, says="a newcomer learns who said it")


@scenario("AUTH-8.forged", needs="native", conns=3)
async def forged_sender(case: Case) -> None:
    """A sender that the client supplies is ignored: the id and name are those that the server knows."""
    room = case.room()
    witness, victim = await case.members(room, 2)
    name = f"Forger {room}"
    forger = await _hello(case, {"user": {"name": name}}, role="given", name=name)
    await lets_extras_be(case, forger)
    await case.given_join(forger, room)
    own = {"id": _welcome(case, forger)["user"]["id"], "name": name}
    text, other = case.text(), {"id": victim.session.identity, "name": "Somebody Else"}
    ask(
        forger,
        type="send",
        id="s1",
        room=room,
        text=text,
        **{"from": other, "user": other, "name": "Else", "sender": other},
    )
    await shown_as(case, witness, text, {"from": own}, "the message comes from who sent it")


NAMES_TAKEN = {
    "one character": ("x", "x"),
    "a blank inside": ("a b", "a b"),
    "not in NFC": ("Zoe\u0308", "Zo\u00eb"),
    "an emoji": ("\U0001f642", "\U0001f642"),
    "an emoji made of several": ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
    "Hebrew": ("\u05d3\u05d5\u05d3", "\u05d3\u05d5\u05d3"),
    "markup": ("<b>&amp;\"'", "<b>&amp;\"'"),
    "full-width": ("\uff21", "\uff21"),
}

NAMES_REFUSED = {
    "nothing": "",
    "a blank": " ",
    "a blank in front": " x",
    "a blank behind": "x ",
    "a no-break space behind": "x\u00a0",
    "a tab": "a\tb",
    "a newline": "x\n",
    "U+0000": "a\0b",
    "U+0085": "a\u0085b",
    "U+007F": "a\x7fb",
    "private use": "a\ue000b",
    "a noncharacter": "a\uffffb",
    "a line separator": "a\u2028b",
    "right-to-left override": "a\u202eb",
    "an isolate": "a\u2066b",
    "only a joiner": "\u200d",
    "only a combining-class blank": "\u2800",
    "a lone surrogate": "a\ud800b",
    "33 code points": "n" * 33,
}


@scenario("AUTH-10.taken", conns=len(NAMES_TAKEN))
async def names_taken(case: Case) -> None:
    """A display name is taken in NFC and otherwise as it stands, and the accepted form is in `welcome`."""
    for name, accepted in NAMES_TAKEN.values():
        await _hello(case, {"user": {"name": {"eq": accepted}}}, name=name)


@scenario("AUTH-10.refused", conns=len(NAMES_REFUSED))
async def names_refused(case: Case) -> None:
    """A display name that is empty, invisible, padded, too long or holds what must not be in one is `invalid_name`."""
    for name in NAMES_REFUSED.values():
        client = case.stranger()
        await client.connect()
        ask(client, type="hello", id="h1", name=name)
        await turned_away(case, client, error("invalid_name", re="h1", fatal=True), 4401)


@scenario("AUTH-10.made-up", conns=1)
async def name_made_up(case: Case) -> None:
    """Who gives no name is given one."""
    await _hello(case, {"user": {"name": {"re": r"^\S(.{0,30}\S)?$"}}})


@scenario("AUTH-12.unguessable", conns=4)
async def unguessable(case: Case) -> None:
    """A guest token is long enough for 128 random bits or a signature, and tells nothing of another one."""
    guests = [await _guest(case) for _ in range(4)]
    await case.must(Unguessable([client.name for client, _, _ in guests]), "no token gives another away", wait=0)


@scenario("AUTH-13.unknown", conns=6)
async def unknown_token(case: Case) -> None:
    """A guest token that is unknown or forged is closed 4101, and never makes another guest."""
    _, _, known = await _guest(case)
    changed = known[:-1] + ("A" if known[-1] != "A" else "B")
    for token in ("x", "", known + "x", changed, known.swapcase()):
        client = case.stranger()
        await client.connect()
        ask(client, type="hello", id="h1", auth={"scheme": "resume_guest", "token": token})
        await turned_away(case, client, error("token_expired", re="h1", fatal=True), 4101)
