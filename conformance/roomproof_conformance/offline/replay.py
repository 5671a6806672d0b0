"""Repeats a conversation against a server: the same sends in the same order, each after what it had waited for.

Makes a transcript like any other, and judges nothing: who asked for it does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import Any

from roomproof_conformance import clock
from roomproof_conformance.actors import Client, Op
from roomproof_conformance.case import Case, Stop
from roomproof_conformance.checks import Check, Scenario
from roomproof_conformance.clock import Slots
from roomproof_conformance.dialects import DialectError
from roomproof_conformance.judges import Judge, judge_named
from roomproof_conformance.judging import load_judges
from roomproof_conformance.target import Names
from roomproof_conformance.transcript import Record, Transcript, payload_of
from roomproof_conformance.transport import Unreachable

from . import renaming
from .conversation import PING, Conversation, Step, said_by
from .place import Place
from .renaming import Renamer

BOUND = 1.0
"""Seconds that a step waits for what had come before it, beyond the time that it took in the file."""
SOON = 0.25
"""The same in a conversation that lacks steps."""
UNSURE = 0.06
"""The same in a conversation that lacks steps, for what may have been brought about by one of those."""
LONGEST_WAIT = 0.4
"""Seconds that a statement of such a conversation is waited for, where it does not name a longer time itself."""
_TIMES = ("within", "latest", "earliest", "timeout", "interval", "seconds", "quiet")

Key = tuple[str, ...]


class Unrepeatable(Exception):
    """A step cannot be repeated at this place: one clear line."""


@dataclass(frozen=True)
class Options:
    """How to repeat: `whole` with the leave-taking of the file, `patient` with all its waiting."""

    checks: tuple[str, ...]
    whole: bool = True
    patient: bool = True
    watch: Callable[[], Judge] | None = None  # what should be seen broken at the end
    later: int | None = None  # the same of a statement (its record in the file) that held when it was made


async def repeat(conversation: Conversation, place: Place, options: Options) -> Transcript:
    """The transcript of the conversation's repetition.

    Raises TargetError when there is no server, and Unrepeatable for what needs one that the kit starts.
    """
    load_judges()
    target = copy(await place.target())
    target.names = Names()
    checks = tuple(Check(check, "") for check in options.checks)
    case = Case(Scenario(_nothing, checks, conns=10**6, own_server=place.starts), target, Slots(10**6))
    replay = _Replay(conversation, case, options)
    place.lag.watch(case.watch, case.noise)
    try:
        await replay.run()
        if options.whole:
            await case.finish()
        return Transcript(list(case.transcript.records))
    finally:
        place.lag.unwatch(case.watch)
        for client in case.clients:
            if not client.ended:
                client.ignore_close()
        with suppress(OSError):
            await case.finish()


async def _nothing(case: Case) -> None:
    """The scenario of a repetition: the file says what to do."""


class _Over(Exception):
    """What a statement presupposes did not come about."""


class _Replay:
    def __init__(self, conversation: Conversation, case: Case, options: Options) -> None:
        self._steps = conversation.steps
        self._old = conversation.transcript.records
        self._case = case
        self._options = options
        self._clients: dict[str, Client] = {}
        self._ops: dict[int, Op] = {}
        self._at: dict[int, int] = {}  # record of the file, and of the new transcript
        self._names = Renamer(str(self._old[0].data.get("run", "")), case.target.names.run)
        self._answers = {r.data["event"]: r.data["op"] for r in self._old if r.kind == "reply"}
        self._answer_to = {op: event for event, op in self._answers.items() if event is not None}
        self._sources = said_by(Conversation.of(conversation.transcript))
        self._kept = {step.index for step in conversation.steps if step.kind in ("op", "frame")}
        self._conns = frozenset(conversation.conns)
        self._leaving = frozenset(step.conn for step in conversation.steps if step.leaves)
        self._wall = case.transcript.records[0].data["wall"] - self._old[0].data.get("wall", 0)
        self._seen: Counter[Key] = Counter()
        self._looked = 0
        self._wanted: Counter[Key] = Counter()
        self._users = _users(self._old)
        self._welcomes = _welcomes(self._old)
        self._learnt = 0
        self._missed: set[tuple[str, str]] = set()
        self._beside: list[asyncio.Task[object]] = []
        self._to_break: Judge | None = None

    async def run(self) -> None:
        with suppress(_Over, Stop):
            for step in self._steps:
                await self._come(step)
                self._learn()
                begins = len(self._case.transcript)
                await self._do(step)
                if step.kind != "pause" and len(self._case.transcript) > begins:
                    self._at[step.index] = begins
            await self._linger()
        if self._options.whole:
            gone = [self._clients[r.conn] for r in self._old if r.kind == "end" and r.conn in self._clients]
            await self._case.until(lambda: all(client.ended for client in gone), BOUND)
        for task in self._beside:
            if not self._options.whole:
                task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    # -- waiting ------------------------------------------------------------------------------------------

    async def _come(self, step: Step) -> None:
        """Wait for what had come before the step, as long as it can still come."""
        before = self._old[step.awaits[0].index - 1].t if step.awaits else 0.0
        for record in step.awaits:
            bound = self._expected(record)
            if bound is None:
                continue
            has_come, kind = self._has_come(record), (record.conn, record.kind)
            patience = 0.0 if kind in self._missed else bound + (0.0 if bound == UNSURE else record.t - before)
            if not await self._case.until(has_come, patience):
                self._missed.add(kind)  # of the rest no more is known than of this

    def _expected(self, record: Record) -> float | None:
        """How long (seconds) a record of the file is waited for beyond its time; None: it is not to be expected."""
        surely = BOUND if self._options.patient else SOON
        if record.conn not in self._conns or record.index in self._answers:
            return None
        if record.kind == "reply":
            return surely if record.data["op"] in self._ops else None
        if record.kind == "end":
            return surely if record.data["by"] == "server" or record.conn in self._leaving else None
        if record.kind == "received":
            pings = any(s.kind == "frame" and s.conn == record.conn and s.data["opcode"] == PING for s in self._steps)
            return surely if pings else None
        fields = record.data["fields"]
        if record.data["kind"] == "message":
            return surely if self._kept.intersection(self._sources.get(str(fields.get("text")), ())) else None
        sender = fields.get("from")
        if sender in self._users and not self._users[sender] & self._conns:
            return None
        return surely if self._options.whole else UNSURE

    def _has_come(self, record: Record) -> Callable[[], bool]:
        client = self._clients.get(record.conn)
        if client is None:
            return lambda: True
        if record.kind == "reply":
            op = self._ops[record.data["op"]]
            return lambda: op.finished or client.ended
        if record.kind == "end":
            return lambda: client.ended
        key = self._key(record)
        self._wanted[key] += 1
        count = self._wanted[key]
        return lambda: client.ended or self._count(key) >= count

    def _key(self, record: Record) -> Key:
        """What is counted of a record of the file."""
        if record.kind == "received":
            return (record.conn, str(record.data["opcode"]))
        fields = record.data["fields"]
        told = (fields.get("text"), fields.get("from"))
        return (record.conn, record.data["kind"], *(self._names.text(str(name)) for name in told))

    def _count(self, key: Key) -> int:
        records = self._case.transcript.records
        for record in records[self._looked :]:
            if record.kind == "received":
                self._seen[record.conn, str(record.data["opcode"])] += 1
            elif record.kind == "event":
                fields = record.data["fields"]
                self._seen[record.conn, record.data["kind"], str(fields.get("text")), str(fields.get("from"))] += 1
        self._looked = len(records)
        return self._seen[key]

    def _learn(self) -> None:
        """Take over what the server has given for what it gave in the file."""
        for index, op in list(self._ops.items()):
            if op.finished:
                del self._ops[index]
                answer = self._answer_to.get(index)
                if answer is not None and op.event is not None:
                    self._names.learn(self._old[answer].data["tree"], op.event.tree)
                    self._at[answer] = op.event_index or 0
        records = self._case.transcript.records
        for conn, trees in _welcomes(records[self._learnt :]).items():  # also where no operation asked for it
            for old, new in zip(self._welcomes.get(conn, ()), trees, strict=False):
                self._names.learn(old, new)
        self._learnt = len(records)

    # -- doing --------------------------------------------------------------------------------------------

    async def _do(self, step: Step) -> None:
        client = self._clients.get(step.conn)
        match step.kind:
            case "open":
                await self._open(step)
            case "pause":
                await self._pause(step.seconds)
            case "mark":
                self._case.note("", "mark", **{**step.data, "name": self._names.text(step.data["name"])})
            case "server":
                await self._server(step)
            case "token":
                await self._token(step)
            case "statement":
                await self._state(step)
            case _ if client is None:
                pass  # what it was said on was not opened
            case "op":
                with suppress(DialectError):  # a value that the server should have given is missing
                    self._ops[step.index] = client.begin(step.data["op"], **self._names.value(step.data["args"]))
            case "frame":
                self._frame(client, step)
            case "local":
                _behave(client, step)

    async def _pause(self, seconds: float) -> None:
        if "seconds" in self._case.transcript.records[-1].data:  # the mark of the file says so
            await clock.pause(seconds)
        else:
            await self._case.wait(seconds, "as in the file")

    async def _open(self, step: Step) -> None:
        client = self._clients.get(step.conn)
        if client is None:
            client = self._clients[step.conn] = self._client(step)
        data = step.data
        try:
            if "get" in data:
                await client.get(data["get"] or None)
            elif "begun" in data:
                begun = self._names.text(data["begun"]).encode("latin-1")
                await self._set_off(client.dawdle(begun, data["seconds"]))
            else:
                headers = [(str(name), self._names.text(value)) for name, value in data["headers"]]
                dialects = len(client.session.dialect.headers(client.session.variables))
                await client.connect(
                    headers=headers[dialects:],
                    subprotocols=data["subprotocols"],
                    receive_buffer=data.get("receive_buffer"),
                    url=self._elsewhere(data["url"]) if data.get("elsewhere") else None,
                    extensions=data.get("extensions"),
                )
        except Unreachable as error:
            self._case.mark(f"{step.conn}: {error}")

    def _client(self, step: Step) -> Client:
        known = self._names.value(step.data["variables"])
        nick, room = known.pop("nick"), step.data["room"]
        for name in ("room", "room_label"):
            known.pop(name, None)
        room = None if room is None else self._names.text(room)
        session = self._case.target.session(nick=nick, room=room, variables=known)
        client = Client(self._case, step.conn, step.data["user"], session, room)
        self._case.clients.append(client)
        return client

    def _elsewhere(self, url: str) -> str:
        """The path of the file at the server of today."""
        scheme, _, rest = self._case.target.base.partition("://")
        path = url.partition("://")[2].partition("/")[2]
        return f"{scheme}://{rest.partition('/')[0]}/{self._names.text(path)}"

    def _frame(self, client: Client, step: Step) -> None:
        data = step.data
        payload = self._names.octets(payload_of(data))
        if data["opcode"] is None:
            client.raw_bytes(payload)
        else:
            code = {"code": data["code"]} if "code" in data else {}
            client.frame(data["opcode"], payload, fin=data["fin"], rsv=data["rsv"], mask=data["masked"], **code)

    async def _server(self, step: Step) -> None:
        if self._case.target.process is None:
            raise Unrepeatable("the file stops and starts the server: name a hook file that can (--hooks FILE)")
        match step.data["server"]:
            case "stop":
                await self._set_off(self._case.stop_server())  # what a server says while it stops may be the point
            case "ask":
                self._case.ask_to_stop()
            case "kill":
                await self._case.kill_server()
            case "start":
                await asyncio.gather(*self._beside, return_exceptions=True)
                await self._case.start_server()
            case _:
                raise Unrepeatable(f"this version of the kit cannot repeat: {step.data['name']} (record {step.index})")

    async def _set_off(self, doing: Coroutine[Any, Any, object]) -> None:
        """Begin something that takes long, and go on when it stands in the transcript."""
        records = len(self._case.transcript)
        self._beside.append(asyncio.create_task(doing))
        await self._case.until(lambda: len(self._case.transcript) > records, BOUND)

    async def _token(self, step: Step) -> None:
        process = self._case.target.process
        if process is None or not process.hooks.token:
            raise Unrepeatable("the file uses tokens of its server: name a hook file that makes them (--hooks FILE)")
        claims = self._names.value(step.data["claims"])
        for name in ("exp", "nbf", "iat"):
            if isinstance(claims.get(name), int | float):
                claims[name] += self._wall
        self._names.learn(step.data["token"], await self._case.token(**claims))

    async def _state(self, step: Step) -> None:
        data = step.data
        params = self._params(step)
        if params is None:
            if data["role"] == "given":
                return
            raise _Over
        named = max((params[name] for name in _TIMES if isinstance(params.get(name), int | float)), default=0.0)
        wait = max(step.seconds, named) + BOUND
        if not self._options.patient:
            wait = named + min(step.seconds + UNSURE, LONGEST_WAIT)
        judge = judge_named(data["judge"], params)
        if step.index == self._options.later:
            self._to_break = judge_named(data["judge"], params)
        finding = await self._case.must(
            judge, self._names.text(data["says"]), check=data["check"], role=data["role"], wait=wait, go_on=True
        )
        if finding.outcome == "broken" and data["role"] == "given" and not self._options.whole:
            raise _Over

    def _params(self, step: Step) -> dict[str, Any] | None:
        gone = {text for text, sources in self._sources.items() if not self._kept.intersection(sources)}
        return renaming.statement(step.data["params"], self._names, self._exactly, self._since, gone, self._conns)

    def _exactly(self, index: int) -> int | None:
        """The new number of a record of the file; of an event, the one that came in its place."""
        if index in self._at:
            return self._at[index]
        old = self._old[index]
        if old.kind != "event":
            return None
        key = self._key(old)
        before = sum(r.kind == "event" and r.conn == old.conn and self._key(r) == key for r in self._old[:index])
        here = [
            r.index for r in self._case.transcript if r.kind == "event" and (r.conn, r.data["kind"], *_told(r)) == key
        ]
        return here[before] if before < len(here) else None

    def _since(self, index: int) -> int:
        """The new number for the moment of a record of the file."""
        exact = self._exactly(index)
        if exact is not None:
            return exact
        return max((new for old, new in self._at.items() if old <= index), default=0)

    async def _linger(self) -> None:
        """Stay until what should be broken is seen to be, for as long as the file went on."""
        judge, fed = self._options.watch() if self._options.watch else self._to_break, 0
        if judge is None:
            return

        def seen() -> bool:
            nonlocal fed
            records = self._case.transcript.records
            for record in records[fed:]:
                judge.feed(record)
            fed = len(records)
            return judge.end().outcome == "broken"

        last = self._steps[-1].index if self._steps else 0
        tail = self._old[-1].t - self._old[last].t + UNSURE
        await self._case.until(seen, tail + BOUND if self._options.patient else min(tail, LONGEST_WAIT))


def _told(record: Record) -> tuple[str, str]:
    fields = record.data["fields"]
    return str(fields.get("text")), str(fields.get("from"))


def _behave(client: Client, step: Step) -> None:
    """Bad manners and silence."""
    match step.data["action"]:
        case "mute":
            what = step.data["what"]
            client.mute(pongs="pongs" in what, reactions="reactions" in what, keepalive="keepalive" in what)
        case "freeze":
            client.freeze()
        case "thaw":
            client.thaw()
        case "reset":
            client.reset()
        case "half-close":
            client.half_close()
        case "ignore-close":
            client.ignore_close()
        case "slow":
            client.slow()
        case action:
            raise Unrepeatable(f"this version of the kit cannot repeat {action!r} (record {step.index})")


def _welcomes(records: Iterable[Record]) -> dict[str, list[Any]]:
    """What each connection was told about itself."""
    found: dict[str, list[Any]] = {}
    for record in records:
        if record.kind == "event" and record.data["kind"] == "welcome":
            found.setdefault(record.conn, []).append(record.data["tree"])
    return found


def _users(records: Iterable[Record]) -> dict[str, frozenset[str]]:
    """The connections on which the server said that the client is this user."""
    found: dict[str, frozenset[str]] = {}
    for record in records:
        if record.kind == "event" and record.data["kind"] == "welcome":
            who = record.data["fields"].get("who")
            if isinstance(who, str):
                found[who] = found.get(who, frozenset()) | {record.conn}
    return found
