"""Talks to a server that nothing is known of, and finds out by experiment how two clients can talk on it.

Frames are tried that hold all common names at once (servers pass over members that they do not know); once a text
gets from one client to the other, what the server does not need is left away again, member by member. What is sent is
what any client might send: a few joins and messages, at a pace that no rate limit minds. Knows no dialect.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from roomproof_conformance import clock
from roomproof_conformance.dialects.templates import Template
from roomproof_conformance.frames import Fault, Frame, Message, MessageAssembler
from roomproof_conformance.transport import Connection, End, Handshake, open_connection

PATIENCE: Final = 0.6
"""Seconds in which a server on this side of the world answers."""
PACE: Final = 0.25
"""Seconds between messages of one client: four a second."""
LONGEST: Final = 90.0
"""Seconds after which nothing new is tried."""

WORDS: Final = ("type", "action", "event", "op", "cmd")
IDENTIFY: Final = ("identify", "login", "auth", "register", "hello", "set_username", "nick")
JOIN: Final = ("join", "join_room", "joinRoom", "subscribe", "enter")
SEND: Final = ("message", "chat", "send", "msg", "send_message", "chat_message", "publish")
ROOMS: Final = ("room", "room_id", "channel")
PEOPLE: Final = ("name", "username", "user", "nick")
TEXTS: Final = ("text", "content", "message", "body")
SUBPROTOCOLS: Final[Mapping[str, str]] = {"text.ircv3.net": "irc", "xmpp": "xml"}

Shape = dict[str, str]
"""A JSON frame as a template: `{nick}`, `{room}` and `{text}` stand for what they name."""


@dataclass
class Known:
    """What is known of a server so far. Frames are as they came; `heard` is the one in which a text reached another."""

    url: str
    status: int = 0
    subprotocol: str | None = None
    origin: bool = False  # it wants an Origin header
    codec: str = ""
    greeting: list[str] = field(default_factory=list)  # what it said before it was asked anything
    identify: Shape | None = None
    join: Shape | None = None
    send: Shape | str | None = None
    room: str = ""
    nick: str = ""  # of who said it
    token: str = ""
    heard: str | None = None
    echo: bool = False
    beside: list[str] = field(default_factory=list)  # other frames
    later: list[str] = field(default_factory=list)  # what a newcomer was told
    errors: dict[str, str] = field(default_factory=dict)  # what was wrong, and the answer or how the connection ended
    pings: list[float] = field(default_factory=list)  # seconds at which its Pings came


class _Peer:
    """One connection, and the messages that came on it."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.pings: list[float] = []
        self.end: End | None = None
        self.connection: Connection | None = None
        self.handshake: Handshake | None = None
        self._assembler = MessageAssembler()
        self._watch = clock.Stopwatch()

    def frame(self, frame: Frame) -> None:
        if frame.opcode == 9:
            self.pings.append(self._watch.now())
        message = self._assembler.feed(frame)
        if isinstance(message, Message):
            self.messages.append(message.payload.decode("utf-8", "backslashreplace"))

    def fault(self, fault: Fault) -> None:
        """A fault of framing is the kit's business later."""

    def ended(self, end: End) -> None:
        self.end = end

    def say(self, what: Shape | str, **values: str) -> None:
        if self.connection is not None and self.end is None:
            shape = Template(what).render(values)
            self.connection.text(shape if isinstance(shape, str) else json.dumps(shape))

    async def heard(self, text: str, seconds: float = PATIENCE) -> str | None:
        """The first message in which the text stands, waiting for it; None when it does not come."""
        watch = clock.Stopwatch()

        def found() -> str | None:
            return next((message for message in self.messages if text in message), None)

        await clock.every(0.02, lambda: found() is None and self.end is None and watch.now() < seconds)
        return found()


async def explore(url: str, tell: Callable[[str], None]) -> Known:
    """Find out what can be found out; `tell` is given a line now and then.

    Raises `transport.Unreachable` when nothing answers at the address.
    """
    explorer = _Explorer(url, tell)
    try:
        await explorer.run()
    finally:
        await explorer.leave()
    return explorer.known


class _Explorer:
    def __init__(self, url: str, tell: Callable[[str], None]) -> None:
        self.known = Known(url)
        self._tell = tell
        self._open: list[_Peer] = []
        self._watch = clock.Stopwatch()
        self._run = secrets.token_hex(3)
        self._serial = 0

    async def run(self) -> None:
        known = self.known
        peer = await self._knock()
        if peer is None:
            self._tell(f"HTTP {known.status} instead of 101: the draft leaves the address to you")
            return
        await clock.pause(PATIENCE)
        known.greeting = list(peer.messages)
        known.codec = SUBPROTOCOLS.get(known.subprotocol or "", "") or codec_of(known.greeting)
        self._tell(f"connected; {len(known.greeting)} messages unasked; codec: {known.codec or 'not known yet'}")
        if known.codec in ("", "json", "text"):
            await self._talk()
        if known.heard is not None:
            await self._newcomer()
        await self._errors()

    async def leave(self) -> None:
        """Let everything go."""
        await self._drop(*self._open)

    # -- connections ---------------------------------------------------------------------------------

    async def _knock(self) -> _Peer | None:
        """The first connection: plainly, then with what servers ask for that refuse it."""
        host = self.known.url.split("/")[2]
        for subprotocol in ("", *SUBPROTOCOLS):
            for origin in (False, True):
                self.known.subprotocol, self.known.origin = subprotocol or None, origin
                peer = await self._peer(f"http://{host}")
                if peer.connection is not None:
                    return peer
        return None

    async def _peer(self, origin: str = "") -> _Peer:
        peer, known = _Peer(), self.known
        origin = origin or f"http://{known.url.split('/')[2]}"
        peer.handshake, peer.connection = await open_connection(
            known.url,
            peer,
            subprotocols=[known.subprotocol] if known.subprotocol else [],
            headers=[("Origin", origin)] if known.origin else [],
            timeout=5,
        )
        known.status = peer.handshake.status
        self._open.append(peer)
        return peer

    def _name(self, what: str) -> str:
        self._serial += 1
        return f"{what}{self._run}{self._serial}"

    async def _pair(self, before: Sequence[Shape], room: str) -> tuple[_Peer, _Peer, str]:
        """Two clients that have said what comes before talking; the name of the first."""
        peers = []
        for name in (first := self._name("u"), self._name("u")):
            peer = await self._peer()
            for shape in before:
                peer.say(shape, room=room, nick=name)
            peers.append(peer)
        await clock.pause(PATIENCE)
        return peers[0], peers[1], first

    async def _drop(self, *peers: _Peer) -> None:
        """Let connections go, politely where the server lets us: its log should not fill with our manners."""
        for peer in peers:
            self.known.pings += peer.pings
            self._open.remove(peer)
            if peer.connection is not None and peer.end is None:
                peer.connection.close(1000)
        for connection in [peer.connection for peer in peers if peer.connection is not None]:
            await connection.wait_ended(PATIENCE)
            connection.abort()

    # -- how two clients talk ------------------------------------------------------------------------

    async def _talk(self) -> None:
        """Find what lets a text through, then what of it is needed."""
        hellos = [shotgun(word, PEOPLE, "{nick}") for word in IDENTIFY]
        joins = [shotgun(word, ROOMS, "{room}") | dict.fromkeys(PEOPLE, "{nick}") for word in JOIN]
        for before in ([], *([join] for join in joins), *([*hellos, join] for join in joins)):
            if self._watch.now() > LONGEST:
                break
            if (found := await self._first_send(before)) is not None:
                self._tell("a text of one client reached the other; now leaving away what is not needed")
                await self._least(before, found)
                return
        self._tell("no common way to join and talk was understood; the draft holds what the server said")

    async def _first_send(self, before: Sequence[Shape]) -> Shape | str | None:
        sends: list[Shape | str] = [
            shotgun(word, ROOMS, "{room}") | dict.fromkeys(TEXTS, "{text}") | dict.fromkeys(PEOPLE, "{nick}")
            for word in SEND
        ]
        if not before:
            sends.append("{text}")
        while sends:
            room = self._name("r")
            one, two, name = await self._pair(before, room)
            texts: dict[str, Shape | str] = {}
            while sends and one.end is None and two.end is None:
                send = sends.pop(0)
                texts[text := self._name("t")] = send
                one.say(send, room=room, nick=name, text=text)
                await clock.pause(PACE)
            await clock.pause(PATIENCE)
            self.known.beside += one.messages + two.messages
            found = next((s for text, s in texts.items() if any(_said(m, text) for m in two.messages)), None)
            ended_at_once = not texts
            await self._drop(one, two)
            if found is not None or ended_at_once:
                return found
        return None

    async def _works(self, before: Sequence[Shape], send: Shape | str) -> bool:
        """Whether a text gets through this way; what came of it is kept."""
        room, text = self._name("r"), self._name("t")
        one, two, name = await self._pair(before, room)
        one.say(send, room=room, nick=name, text=text)
        heard = await two.heard(text)
        if heard is not None:
            known = self.known
            await clock.pause(0.1)
            known.room, known.nick, known.token, known.heard = room, name, text, heard
            known.echo = any(_said(message, text) for message in one.messages)
            known.beside += [m for m in (*one.messages, *two.messages) if text not in m]
        await self._drop(one, two)
        return heard is not None

    async def _least(self, before: Sequence[Shape], send: Shape | str) -> None:
        """Leave away frames, then members, as long as the text still gets through."""
        before = list(before)
        for shape in list(before):
            if await self._works(rest := [s for s in before if s is not shape], send):
                before = rest
        if isinstance(send, dict):
            for name in list(send):
                less = {key: value for key, value in send.items() if key != name}
                if less and await self._works(before, less):
                    send = less
        for place, shape in enumerate(before):
            for name in list(shape):
                less = {key: value for key, value in before[place].items() if key != name}
                tried = [*before[:place], less, *before[place + 1 :]]
                if less and await self._works(tried, send):
                    before = tried
        if not await self._works(before, send):
            self._tell("what worked before does not any more: is there a limit on connections or messages?")
        known = self.known
        known.send = send
        known.join = next((s for s in before if "{room}" in s.values() or s is before[-1]), None)
        known.identify = next((s for s in before if s is not known.join), None)
        known.codec = "text" if isinstance(send, str) else "json"
        if isinstance(send, dict) and "{room}" not in send.values() and known.join is None:
            self._tell("everybody hears everybody: if there are rooms, their place is in the address")

    async def _newcomer(self) -> None:
        """What somebody is told who comes into the room later."""
        known = self.known
        peer = await self._peer()
        for shape in (known.identify, known.join):
            if shape is not None:
                peer.say(shape, room=known.room, nick=self._name("u"))
        await clock.pause(PATIENCE)
        known.later = list(peer.messages)

    async def _errors(self) -> None:
        """What malformed messages get, each on a connection of its own."""
        if self.known.codec != "json":
            return
        for what, frame in (("not_json", "{not json"), ("unknown_type", json.dumps(dict.fromkeys(WORDS, "no_such")))):
            peer = await self._peer()
            for shape in (self.known.identify, self.known.join):
                if shape is not None:
                    peer.say(shape, room=self._name("r"), nick=self._name("u"))
            await clock.pause(PATIENCE)
            before = len(peer.messages)
            if peer.connection is not None and peer.end is None:
                peer.connection.text(frame)
            await clock.pause(PATIENCE)
            if len(peer.messages) > before:
                self.known.errors[what] = peer.messages[before]
            elif peer.end is not None:
                code = peer.end.code
                self.known.errors[what] = f"close {code}" if code is not None else "tcp-close"


def shotgun(word: str, names: Sequence[str], value: str) -> Shape:
    """A frame that says the word under every common name, and the value likewise."""
    return dict.fromkeys(WORDS, word) | dict.fromkeys(names, value)


def codec_of(messages: Sequence[str]) -> str:
    """The codec that the first messages of a server speak of; empty when there are none."""
    if not messages:
        return ""
    first = messages[0]
    if first.startswith("0{"):
        return "socketio"
    if first.startswith("<"):
        return "xml"
    if first.startswith((":", "NOTICE ", "PING ")):
        return "irc"
    return "json" if any(True for _ in trees([first])) else "text"


def trees(messages: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The messages that are JSON objects."""
    for message in messages:
        try:
            value = json.loads(message)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _said(message: str, text: str) -> bool:
    """Whether a message passes the text on, and is no error that quotes what it did not understand."""
    return text in message and not any("error" in json.dumps(tree).lower() for tree in trees([message]))
