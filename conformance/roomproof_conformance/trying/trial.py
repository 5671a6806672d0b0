"""A dialect tried on its server: two clients connect, say who they are, join and talk, and each frame is told.

It judges nothing: what a step wanted, what was sent, what came and which rule recognised it. Knows no terminal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.case import Case
from roomproof_conformance.checks import Check, Scenario
from roomproof_conformance.clock import Slots
from roomproof_conformance.dialects import DialectError
from roomproof_conformance.events import Event
from roomproof_conformance.report.escaping import payload, visible
from roomproof_conformance.target import Target
from roomproof_conformance.transcript import Record

from .advice import missing_rule, unanswered

SHOWN = 300
"""Characters of a frame that are shown."""
LULL = 0.3
"""Seconds in which what a server says beside its answers may still come."""
EXTRAS = ("history", "presence", "ping", "leave")
"""Actions that are tried when the dialect offers them; none of them keeps two clients from talking."""


async def _try(case: Case) -> None:
    """Two clients exchange a message, and a third reads the history."""


_SCENARIO = Scenario(_try, (Check("SANITY.try", "a dialect is tried"),), conns=3)


@dataclass
class Step:
    """One thing that was tried, and what came of it; `needed`: without it nothing can be judged."""

    title: str
    ok: bool = False
    trouble: str = ""
    needed: bool = True


@dataclass
class Findings:
    """What a trial found out."""

    steps: list[Step] = field(default_factory=list)
    unclassified: list[Event] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """Two clients talked both ways."""
        return all(step.ok for step in self.steps if step.needed)


class _Broken(Exception):
    """A step that the following ones need did not succeed."""


class Trial:
    """One trial; `tell` is given each line as soon as there is something to tell."""

    def __init__(self, target: Target, tell: Callable[[str], None]) -> None:
        self.findings = Findings()
        self._target, self._tell = target, tell
        self._case = Case(_SCENARIO, target, Slots(1))
        self._told = 0

    async def run(self) -> Findings:
        """Try everything. Raises `transport.Unreachable` when nothing answers at the address."""
        try:
            await self._talk()
        except _Broken:
            pass
        finally:
            await self._case.finish()
        self._frames()
        return self.findings

    async def _talk(self) -> None:
        case, room = self._case, self._case.room()
        first = await self._arrives("a", room)
        second = await self._arrives("b", room)
        texts = [await self._says(first, second, room), await self._says(second, first, room)]
        if self._target.claims.history is not None and self._target.claims.history.when in ("join", "both"):
            third = await self._arrives("c", room)
            step = self._begin("c is told what was said before", needed=False)
            read = await case.until(lambda: all(_remembered(third, text) for text in texts), case.patience)
            why = "" if read else "no event `history` (or `entries` of `joined`) holds both texts"
            await self._end(step, read, why)
        for action in EXTRAS:
            if first.offers(action):
                step = self._begin(f"a: {action}", needed=False)
                given = {"room": room} if first.session.dialect.accepts(action, "room") else {}
                await self._answered(step, first, action, **given)

    async def _arrives(self, name: str, room: str) -> Client:
        client = self._case.stranger(room)
        step = self._begin(f"{name} connects")
        accepted = await client.connect()
        status = client.handshake.status if client.handshake else 0
        refusal = f"HTTP {status} instead of 101: look at `connect` (path, subprotocols, headers)"
        await self._end(step, accepted, "" if accepted else refusal)
        for action, title in (("identify", "says who it is"), ("join", f"joins {room}")):
            if client.offers(action):
                step = self._begin(f"{name} {title}")
                await self._answered(step, client, action, **({"room": room} if action == "join" else {}))
        return client

    async def _says(self, sender: Client, listener: Client, room: str) -> str:
        step = self._begin(f"{sender.name} says something, {listener.name} hears it")
        op = await self._case.say(sender, room)
        heard = await self._case.until(lambda: op.text in listener.heard or sender.ended, self._case.patience)
        why = ""
        if not heard or op.text not in listener.heard:
            came = any(op.text in json.dumps(event.tree, default=str) for event in self._events(listener, op.index))
            why = (
                "the text came, but no rule `as: message` took it as `text`"
                if came
                else f"nothing with the text {op.text!r} came to {listener.name} in {self._case.patience:g} s"
            )
        await self._end(step, not why, why)
        if self._target.dialect.echo == "self":
            echo = self._begin(f"{sender.name} hears its own message (echo: self)", needed=False)
            own = await self._case.until(lambda: op.text in sender.heard, self._case.patience)
            await self._end(echo, own, "" if own else "it did not come: `echo: none`, perhaps")
        return op.text

    async def _answered(self, step: Step, client: Client, action: str, **args: str) -> None:
        begin = len(self._case.transcript)
        try:
            op = self._case.identify(client) if action == "identify" else client.begin(action, **args)
        except DialectError as error:
            await self._end(step, False, str(error))
            return
        await op
        await self._end(step, op.ok, "" if op.ok else unanswered(op.exchange, self._events(client, begin)))

    def _events(self, client: Client, since: int) -> list[Event]:
        records = self._case.transcript.records[since:]
        return [record.event for record in records if record.kind == "event" and record.conn == client.name]

    # -- telling ------------------------------------------------------------------------------------

    def _begin(self, title: str, *, needed: bool = True) -> Step:
        step = Step(title, needed=needed)
        self.findings.steps.append(step)
        self._tell(f"{title}")
        return step

    async def _end(self, step: Step, ok: bool, trouble: str) -> None:
        """Tell what went over the wire meanwhile, and what came of the step. Raises _Broken."""
        await self._case.wait(LULL, "what comes beside the answers")
        step.ok, step.trouble = ok, trouble
        self._frames()
        self._tell(f"  = {'works' if ok else 'DOES NOT WORK: ' + visible(trouble, 4 * SHOWN)}")
        if not ok:
            self.findings.advice.append(f"{step.title}: {trouble}")
            if step.needed:
                raise _Broken

    def _frames(self) -> None:
        records = self._case.transcript.records
        for record in records[self._told :]:
            for line in self._lines(record):
                self._tell(f"  {line}")
        self._told = len(records)

    def _lines(self, record: Record) -> Iterator[str]:
        conn, data = record.conn, record.data
        match record.kind:
            case "open":
                yield f"{conn} -> GET {data['url']}" + (
                    f" (subprotocols {', '.join(data['subprotocols'])})" if data["subprotocols"] else ""
                )
            case "handshake":
                chosen = f", subprotocol {data['subprotocol']}" if data["subprotocol"] else ""
                yield f"{conn} <- HTTP {data['status']}{chosen}"
                if data["status"] != 101 and data["body"]:
                    yield f"     {visible(data['body'], SHOWN)}"
            case "sent" if data["opcode"] in (1, 2):
                yield f"{conn} -> {_payload(data)}"
            case "received" if data["opcode"] in (0, 1, 2):
                yield f"{conn} <- {_payload(data)}"
            case "event":
                yield f"     {self._event(record.event)}"
            case "fault":
                yield f"{conn} <- a fault of framing, {data['name']}: {data['detail']}"
            case "end":
                code = f" {data['code']}" if data["code"] is not None else ""
                yield f"{conn} -- ended by the {data['by']}: {data['how']}{code} {visible(data['reason'], 80)}".rstrip()
            case _:
                return

    def _event(self, event: Event) -> str:
        if event.kind != "unclassified":
            fields = {name: value for name, value in event.fields.items() if name != "entries"}
            if "entries" in event.fields:
                fields["entries"] = len(event.entries)
            held = ", ".join(f"{name} {visible(json.dumps(value), 60)}" for name, value in fields.items())
            return f"{event.kind}" + (f": {held}" if held else "")
        if all(event.tree != known.tree for known in self.findings.unclassified):
            self.findings.unclassified.append(event)
            self.findings.advice.append(missing_rule(event))
        return "UNCLASSIFIED: no rule of `events` matches"


def _remembered(client: Client, text: str) -> bool:
    records = (r for r in client.case.transcript if r.kind == "event" and r.conn == client.name)
    return any(entry.get("text") == text for record in records for entry in record.event.entries)


def _payload(data: Mapping[str, Any]) -> str:
    return payload(data.get("text"), data.get("base64"), data["length"], SHOWN, cut="cut" in data)
