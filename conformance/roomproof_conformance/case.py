"""What a scenario works with: clients in rooms of their own, and statements about what must follow.

Each statement is judged at once by the same pure judge that judges it again at the end of the case
and offline; a scenario stops at the first one that does not hold. Knows no socket and no wire syntax.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from zlib import crc32

from . import bounds, clock
from .actors import Client, Op
from .bounds import Allowance
from .clock import LATE, Bell, Slots, Stopwatch
from .judges import Absent, Arrives, Ends, History, Judge, Opens, Order, Replied, Stays
from .judges.base import shown
from .serving import Serving
from .transcript import FORMAT, Record, RecordKind, Transcript
from .transport import Unreachable
from .verdicts import Finding, Role

if TYPE_CHECKING:
    from .checks import Scenario
    from .dialects import Claims
    from .target import Target


SLOWNESS = 10
"""Seconds that the kit waits longer for each second that it was late itself."""


class Stop(Exception):
    """A statement does not hold, so the scenario ends here; the transcript says why."""


class Case(Serving):
    """One run of one scenario against one target."""

    def __init__(
        self, scenario: Scenario, target: Target, slots: Slots, *, number: int = 1, most: int = bounds.CASE
    ) -> None:
        """`most` is in bytes: how much is kept of what the target writes."""
        self.scenario = scenario
        self.target = target
        self.number = number
        self.watch = Stopwatch()
        self.transcript = Transcript()
        self.bell = Bell()
        self.clients: list[Client] = []
        self.patience = target.patience
        self.allowance = Allowance(most, target.kept)
        self._slots = slots
        self._users: dict[str, str] = {}  # label of a user, and the nick
        self._credentials: dict[str, dict[str, Any]] = {}
        self._said: dict[str, deque[float]] = defaultdict(deque)
        self._main = scenario.checks[0].id
        self._home = crc32(self._main.encode()) % len(target.nodes)
        self._places: dict[str, int] = {}  # of each user, the node of its latest connection
        checks = [c.id for c in scenario.checks]
        self.note("", "case", format=FORMAT, checks=checks, **target.facts(own=scenario.own_server))

    # -- what the target promises -----------------------------------------------------------------

    @property
    def claims(self) -> Claims:
        """The target's claims, with the numbers that it advertised."""
        return self.target.claims

    @property
    def advertised(self) -> Mapping[str, Any]:
        """What a first client was told when it identified itself (dialect captures); empty where nothing is told."""
        return self.target.advertised

    # -- names ---------------------------------------------------------------------------------------

    def room(self) -> str:
        """A room that nobody else uses."""
        return self.target.names.room()

    def text(self, hint: str = "t") -> str:
        """A text that occurs once in the whole run, short enough for any server."""
        return self.target.names.text(hint)

    # -- clients -----------------------------------------------------------------------------------

    def stranger(
        self, room: str | None = None, *, user: str | None = None, node: int | None = None, **variables: Any
    ) -> Client:
        """A client that has not connected yet: `await stranger.connect()`, then `identify`; `node` counts from 0."""
        user = user or f"user{len(self._users) + 1}"
        self._users.setdefault(user, self.target.names.nick())
        open_now = sum(1 for c in self.clients if c.connection is not None and not c.ended)
        if open_now >= self.scenario.conns:
            raise RuntimeError(f"{self._main} declares conns={self.scenario.conns} and wants one more")
        name = _letters(len(self.clients))
        session = self.target.session(nick=self._users[user], room=room, variables=variables)
        place = self._places[user] = self._place(user) if node is None else node
        client = Client(self, name, user, session, room, place)
        self.clients.append(client)
        return client

    def _place(self, user: str) -> int:
        """The node for a user's next connection.

        Where clients are to be spread, users are put on the nodes in turn, and who comes again is put on the next one;
        otherwise all of them are on one, which another scenario need not have.
        """
        count = len(self.target.nodes)
        if self.scenario.nodes == 1:
            return self._home
        return (self._places[user] + 1 if user in self._places else len(self._places)) % count

    async def client(self, room: str | None = None, *, user: str | None = None, **options: Any) -> Client:
        """A connected client that has said who it is. The same `user` label is the same identity again."""
        connect = {k: options.pop(k) for k in ("headers", "receive_buffer") if k in options}
        return await self._arrive(self.stranger(room, user=user, **options), **connect)

    async def _arrive(self, client: Client, **connect: Any) -> Client:
        """Connect and say who it is: presupposed, not judged."""
        try:
            accepted = await client.connect(**connect)
        except Unreachable as error:
            self._state(Opens(client.name), f"a client can connect ({error})", self._main, "given")
            raise
        if not accepted:
            self._state(Opens(client.name), "a client can connect", self._main, "given")
            raise Stop("handshake refused")
        if client.offers("identify"):
            await self.given(Replied(self.identify(client).index, ok=True), f"{client.name} can identify")
        return client

    async def reachable(self, client: Client) -> bool:
        """Connect; False when nobody listens at all. What the handshake said is in the transcript."""
        try:
            await client.connect()
        except Unreachable:
            self.mark(f"{client.name}: nobody listens")
            return False
        return True

    def identify(self, client: Client, **args: Any) -> Op:
        """Say who the client is, with the credential of its user where an earlier connection was given one."""
        known = client.credentials or self._credentials.get(client.user, {})
        op = client.begin("identify", **{**known, **args})
        op.then(lambda: self._credentials.setdefault(client.user, self.target.credentials(client.session)))
        return op

    async def member(self, room: str, *, user: str | None = None, **options: Any) -> Client:
        """A client that has joined `room`."""
        return await self._joined(await self.client(room, user=user, **options), room)

    async def _joined(self, client: Client, room: str) -> Client:
        if client.offers("join"):
            await self.given_join(client, room)
        return client

    async def given_join(self, client: Client, room: str, **args: Any) -> Op:
        """The client joins `room`: presupposed, not judged."""
        op = client.join(room, **args)
        await self.given(Replied(op.index, ok=True), f"{client.name} can join {room}")
        return op

    async def settled(self, op: Op) -> None:
        """A leave has taken effect: its answer came where one is promised; else a moment passes."""
        if op.event is None and not op.client.ended:
            await self.wait(0.3, "an operation without an answer takes effect")

    async def members(self, room: str, count: int) -> list[Client]:
        """`count` clients of different users in `room`, in the order of their names.

        They connect at the same time (some servers take a second for each) and join one after another.
        """
        clients = [self.stranger(room) for _ in range(count)]
        if self.target.dialect.room_in_url:  # to connect is to join
            return [await self._joined(await self._arrive(client), room) for client in clients]
        await self.together(*(self._arrive(client) for client in clients))
        return [await self._joined(client, room) for client in clients]

    # -- talking within the limit --------------------------------------------------------------------

    async def say(self, client: Client, room: str, text: str | None = None, **args: Any) -> Op:
        """Send a message, waiting first if the target's claimed rate limit asks for it."""
        limit = self.claims.pace
        if limit is not None and limit.allow and limit.per:
            key = {"room": room, "address": "", "connection": client.name}.get(limit.scope, client.user)
            said, window, now = self._said[key], limit.per + 0.05, self.watch.now()
            while said and said[0] <= now - window:
                said.popleft()
            if len(said) >= limit.allow:
                await self.wait(said.popleft() + window - now, "within the claimed rate limit")
            said.append(self.watch.now())
        return client.send(room, text, **args)

    async def fill(self, room: str, count: int, *, watcher: Client) -> list[str]:
        """Put `count` messages into `room` in a known order and return their texts, oldest first.

        One sender after another joins and says as many as its limit allows, so the limit is never met;
        `watcher`, a member, has seen each message before the next is sent. Needs one more connection.
        """
        limit = self.claims.pace
        each = limit.allow if limit is not None and limit.allow and limit.scope in ("user", "connection") else count
        texts: list[str] = []
        begin = self.mark(f"{count} messages are sent to {room}")
        while len(texts) < count:
            sender = await self.member(room)
            for _ in range(min(each, count - len(texts))):
                text = self.text(f"h{len(texts) + 1}")
                await self.say(sender, room, text)
                texts.append(text)
                if not await self.until(lambda: texts[-1] in watcher.heard or watcher.ended, self.patience):
                    break
            await sender.close()
            if texts[-1] not in watcher.heard:
                break
        says = f"{count} messages reach {watcher.name} in the order sent"
        await self.given(Order(watcher.name, room, texts, begin.index), says, wait=0)
        return texts

    def wall(self) -> int:
        """Seconds since 1970, for tokens."""
        return clock.wall()

    async def together(self, *doing: Coroutine[Any, Any, object]) -> None:
        """Do several things at the same time; a statement that does not hold in one of them ends them all."""
        try:
            async with asyncio.TaskGroup() as group:
                for one in doing:
                    group.create_task(one)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    # -- time ----------------------------------------------------------------------------------------

    async def wait(self, seconds: float, why: str) -> Record:
        """Let `seconds` pass without judging anything, leaving this case's place to others."""
        mark = self.note("", "mark", name=f"waiting {seconds:.2f} s: {why}", seconds=seconds)
        async with self.parked(seconds, why):
            await clock.pause(seconds)
        return mark

    @asynccontextmanager
    async def parked(self, seconds: float, why: str) -> AsyncGenerator[None]:
        """A stretch in which this case only waits, for up to `seconds`: others take its place."""
        self.target.progress.waiting(self, seconds, why)
        async with self._slots.parked():
            yield

    def mark(self, name: str) -> Record:
        """A moment that statements can refer to by its index."""
        return self.note("", "mark", name=name)

    async def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition` holds, looking again whenever anything happens; False after `timeout` seconds.

        Where the kit itself is late everything takes longer, so it waits longer for what may still come.
        """
        deadline = self.watch.now() + timeout
        while not condition():
            left = deadline + SLOWNESS * max(0.0, self.watch.worst - LATE) - self.watch.now()
            if left <= 0:
                return False
            await self.bell.wait(left)
        return True

    # -- statements ------------------------------------------------------------------------------------

    async def must(
        self,
        judge: Judge,
        says: str = "",
        *,
        check: str | None = None,
        role: Role = "must",
        wait: float | None = None,
        go_on: bool = False,
    ) -> Finding:
        """State that `judge` finds its sentence kept, waiting up to `wait` seconds (default: the patience) for it.

        Raises Stop when it does not hold, unless `go_on`.
        """
        deadline = self.patience if wait is None else wait
        fed = judge.starts()
        finding: Finding | None = None

        def holds() -> bool:
            nonlocal fed, finding
            records = self.transcript.records
            for record in records[fed:]:
                judge.feed(record)
            fed = len(records)
            finding = judge.end()
            return finding.outcome in ("holds", "tolerated") or judge.settled() or self._hopeless(judge)

        if deadline > 2 * self.patience:
            async with self.parked(deadline, says):
                await self.until(holds, deadline)
        else:
            await self.until(holds, deadline)
        assert finding is not None
        self._state(judge, says, check or self._main, role)
        if finding.outcome in ("broken", "unclear") and not go_on:
            raise Stop(says)
        return finding

    async def should(self, judge: Judge, says: str = "", **options: Any) -> Finding:
        """The same for what only SHOULD hold although the row is a MUST; the scenario goes on when it does not."""
        return await self.must(judge, says, role="should", go_on=True, **options)

    async def given(self, judge: Judge, says: str = "", **options: Any) -> Finding:
        """The same for what the sentence presupposes: if it fails, the check is not judged."""
        return await self.must(judge, says, role="given", **options)

    def stated(self, judge: Judge, says: str = "", *, check: str | None = None, role: Role = "must") -> None:
        """State something without waiting: absences, orders and views that are judged over the whole transcript."""
        self._state(judge, says, check or self._main, role)

    def _state(self, judge: Judge, says: str, check: str, role: Role) -> None:
        check = self.scenario.judged_as.get(check, check)
        self.note("", "statement", check=check, role=role, judge=judge.kind, params=judge.params(), says=says)

    def _hopeless(self, judge: Judge) -> bool:
        """The connection that the judge listens to is gone: what has not come will not come."""
        if isinstance(judge, Ends):
            return any(c.ended for c in self.clients if c.name == judge.conn)
        if isinstance(judge, Replied):
            began = self.transcript.records[judge.op]
            return any(c.ended for c in self.clients if c.name == began.conn)
        ears = {getattr(judge, "conn", None), getattr(judge, "listener", None)}
        return any(c.ended for c in self.clients if c.name in ears)

    # -- the statements used most ---------------------------------------------------------------------

    async def delivered(
        self, sent: Op | str, to: Iterable[Client], *, check: str | None = None, role: Role = "must"
    ) -> None:
        """The message reaches each of `to` exactly once."""
        text, after = (sent, 0) if isinstance(sent, str) else (sent.text, sent.index)
        for client in list(to):
            judge = Arrives(client.name, {"kind": "message", "text": {"eq": text}}, after)
            await self.must(judge, f"{shown(text, 40)} reaches {client.name} once", check=check, role=role)

    async def answered(
        self, op: Op, where: Any = None, *, check: str | None = None, role: Role = "must", says: str = ""
    ) -> Op:
        """The operation succeeds, with an answer that matches `where`."""
        await self.must(
            Replied(op.index, where, ok=True),
            says or f"{op.record.data['op']} succeeds",
            check=check,
            role=role,
        )
        return op

    async def refused(
        self, op: Op, where: Any = None, *, check: str | None = None, role: Role = "must", says: str = ""
    ) -> Op:
        """The operation is refused, with an error that matches `where`."""
        await self.must(
            Replied(op.index, where, ok=False),
            says or f"{op.record.data['op']} is refused",
            check=check,
            role=role,
        )
        return op

    async def told(
        self, client: Client, where: Any, *, after: Record | Op | None = None, says: str = "", **options: Any
    ) -> None:
        """An event that matches `where` comes to `client` exactly once."""
        judge = Arrives(client.name, where, after=after.index if after else 0, within=options.pop("within", None))
        await self.must(judge, says, **options)

    async def fence(self, client: Client, room: str) -> Op:
        """A message in `room` that reaches `client`: what was on its way to it before has arrived by then."""
        speaker = client if self.target.dialect.echo == "self" else await self.member(room)
        op = await self.say(speaker, room)
        await self.delivered(op, [client], role="given")
        return op

    def never(
        self,
        client: Client,
        where: Any,
        *,
        fence: Op | str | Any,
        after: Record | Op | None = None,
        until: Record | None = None,
        says: str = "",
        check: str | None = None,
    ) -> None:
        """No event that matches `where` comes to `client`; `fence` (a message that came to it later) proves it."""
        if isinstance(fence, Op | str):
            fence = {"kind": "message", "text": fence if isinstance(fence, str) else fence.text}
        judge = Absent(client.name, where, after.index if after else 0, until.index if until else None, fence)
        self.stated(judge, says, check=check)

    async def quiet(
        self, client: Client, where: Any, seconds: float, *, says: str = "", check: str | None = None
    ) -> None:
        """No event that matches `where` comes to `client` for `seconds`: only where no order is promised."""
        begin = await self.wait(seconds, says)
        self.stated(Absent(client.name, where, begin.index, quiet=seconds), says, check=check)

    async def usable(
        self, client: Client, room: str, observer: Client, *, check: str | None = None, role: Role = "must"
    ) -> None:
        """`client` can still be heard by `observer` in `room`, and hears it."""
        for speaker, listener in ((client, observer), (observer, client)):
            op = await self.say(speaker, room)
            judge = Arrives(listener.name, {"kind": "message", "text": op.text}, op.index)
            await self.must(judge, f"{speaker.name} is heard by {listener.name}", check=check, role=role)

    async def ended(
        self,
        client: Client,
        *,
        codes: Iterable[int] = (),
        after: Record | None = None,
        says: str = "",
        **options: Any,
    ) -> None:
        """The server ends the connection of `client`; keyword arguments of `judges.Ends` and of `must` are taken."""
        own = {k: options.pop(k) for k in ("tcp", "earliest", "latest", "clean") if k in options}
        judge = Ends(client.name, after.index if after else 0, list(codes), **own)
        await self.must(judge, says or f"{client.name} is closed", **options)

    def still_open(self, client: Client, *, check: str | None = None, role: Role = "must") -> None:
        """The server has not ended the connection so far."""
        self.stated(
            Stays(client.name, self.mark(f"{client.name} still open?").index),
            f"{client.name} stays open",
            check=check,
            role=role,
        )

    async def in_order(
        self, client: Client, room: str, texts: list[str], *, after: Record | Op | None = None, **options: Any
    ) -> None:
        """`client` receives exactly these messages, in this order."""
        await self.must(Order(client.name, room, texts, after.index if after else 0), "all in order", **options)

    async def remembers(self, op: Op, texts: list[str], **options: Any) -> None:
        """The history that answers the join or request `op` is exactly `texts` (oldest first)."""
        await self.given(Replied(op.index, ok=True), f"{op.client.name} is answered")
        history = self.claims.history
        newest_first = history is not None and history.order == "newest-first"
        loose = history is not None and history.counts != "messages"
        judge = History(
            op.client.name,
            str(op.args["room"]),
            texts,
            after=self._since(op),
            newest_of=loose,
            bound=history.bound if history is not None and loose else None,
            newest_first=newest_first,
        )
        await self.must(judge, f"{op.client.name} is given the last {len(texts)} messages", **options)

    def _since(self, op: Op) -> int:
        """Where the answers to an operation can begin: a server may push history right after the handshake."""
        opened = [r.index for r in self.transcript if r.conn == op.client.name and r.kind == "open"]
        early = op.event_index is not None and op.event_index < op.index
        return opened[-1] if early and opened else op.index

    # -- inner --------------------------------------------------------------------------------------------

    def note(self, conn: str, kind: RecordKind, /, **data: Any) -> Record:
        record = self.transcript.add(self.watch.now(), conn, kind, **data)
        self.bell.ring()
        return record

    def noise(self, seconds: float) -> None:
        """The kit's own lag has grown: judges call smaller deviations unclear."""
        self.note("", "noise", seconds=seconds)

    async def finish(self) -> None:
        """Let the clients go, politely and one after another: a server must not trip over our manners.

        Raises HookError when a fault that is still in the service cannot be taken out.
        """
        for client in self.clients:
            await client.close()
        if self.scenario.disturbs and self.target.faults is not None:
            await self.target.faults.take_out()


def _letters(number: int) -> str:
    """a, b, … z, aa, ab, …: connection names that are easy to speak of."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
