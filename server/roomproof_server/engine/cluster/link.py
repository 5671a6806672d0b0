"""One connection to one Redis for commands: pipelined, put up again when it breaks, answers by callback.

Commands go out in the order given, all of one turn of the loop in one write; answers come in that order. A command
whose connection broke before the answer is sent again: all of them may be repeated. One that is not answered in time
is told `Lost`, and so is every new one while the server has been away for that long. It must not know rooms.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from roomproof_server.engine.cluster.scripts import SCRIPTS, sha

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

logger = logging.getLogger("roomproof.server")

AGAIN_S = (0.05, 1.0)  # between two attempts to connect: at first, at most


class Lost:
    """In place of an answer: nobody knows whether the command was carried out."""


LOST = Lost()
# Answers that mean "not here, or not now" and that another connection may answer better.
ELSEWHERE = (
    AskError, ClusterDownError, MasterDownError, MovedError, NoScriptError, ReadOnlyError, TryAgainError,
)  # fmt: skip
SHORT_MS = 1_000  # a connection that lived shorter did not work: the next one waits


@dataclass(slots=True, eq=False)
class _Call:
    command: tuple[Any, ...]
    done: Callable[[Any], None] | None  # None once it was told
    until: float


class Link:
    """``dial`` opens a connection to the right server; ``up`` is called with what the server said of itself in
    `INFO`, before the first command goes out, ``elsewhere`` when it says that it is not in charge. ``now`` gives ms,
    ``reply_ms`` is what a server may take.
    """

    def __init__(
        self,
        name: str,
        dial: Callable[[], Awaitable[AbstractConnection]],
        *,
        now: Callable[[], float],
        reply_ms: float,
        up: Callable[[dict[str, str]], None] = lambda _: None,
        elsewhere: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._dial, self._now, self._reply_ms, self._up = dial, now, reply_ms, up
        self._elsewhere = elsewhere
        self._queue: deque[_Call] = deque()  # not sent yet
        self._sent: deque[_Call] = deque()  # on their way, the oldest first
        self._wanted = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._down_since: float | None = now()
        self._failing = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def away_ms(self) -> float:
        """For how long no connection works; 0 while one does."""
        return 0.0 if self._down_since is None else self._now() - self._down_since

    @property
    def busy(self) -> bool:
        """An answer is owed."""
        return bool(self._queue or self._sent)

    def call(self, *command: Any, done: Callable[[Any], None]) -> None:
        """Send a command; ``done`` is called once with the answer, a `ResponseError` or `LOST`."""
        if self.away_ms > self._reply_ms:
            done(LOST)
            return
        self._queue.append(_Call(command, done, self._now() + self._reply_ms))
        self._wanted.set()

    def sweep(self) -> None:
        """Tell who waited too long, and give a silent connection up."""
        now = self._now()
        overdue = [call for call in self._sent if call.until <= now]
        if overdue:
            self.abort()
        for call in [*overdue, *(call for call in self._queue if call.until <= now)]:
            _tell(call, LOST)
        while self._queue and self._queue[0].done is None:
            self._queue.popleft()

    def abort(self) -> None:
        """Break the connection: what is on its way is sent again on the next one."""
        if self._connection is not None:
            _cut(self._connection)

    def close(self) -> None:
        """End; whoever still waits is told `LOST`."""
        self._task.cancel()
        self.abort()
        self._down_since = -math.inf
        for call in [*self._sent, *self._queue]:
            _tell(call, LOST)

    # The task

    async def _run(self) -> None:
        least, most = AGAIN_S
        pause = least
        while True:
            try:
                connection, about = await self._open()
            except (RedisError, OSError, TimeoutError, ValueError) as error:
                self._note(error)
                await asyncio.sleep(random.uniform(pause / 2, pause))
                pause = min(2 * pause, most)
                continue
            began = self._now()
            self._connection, self._down_since = connection, None
            self._up(about)
            if self._failing:
                self._failing = False
                logger.warning("%s answers again", self.name)
            writer = asyncio.get_running_loop().create_task(self._write(connection))
            try:
                await self._read(connection)
            except (RedisError, OSError) as error:
                self._note(error)
            finally:
                self._connection, self._down_since = None, self._now()
                writer.cancel()
                _cut(connection)
                # Before what came later, in the same order; who was told already has no need of an answer.
                self._queue.extendleft(call for call in reversed(self._sent) if call.done is not None)
                self._sent.clear()
                self._wanted.set()
            if self._now() - began >= SHORT_MS:
                pause = least
            else:
                await asyncio.sleep(random.uniform(pause / 2, pause))
                pause = min(2 * pause, most)

    async def _open(self) -> tuple[AbstractConnection, dict[str, str]]:
        """A connection to a server that answers, has the scripts, and whose word counts."""
        async with asyncio.timeout(self._reply_ms / 1000):
            connection = await self._dial()
            try:
                about = _parsed(await ask(connection, "INFO"))
                if about.get("role") != "master":
                    raise ReadOnlyError("the server is a replica")
                for script in SCRIPTS:
                    await ask(connection, "SCRIPT", "LOAD", script)
            except BaseException:
                _cut(connection)
                raise
        return connection, about

    async def _write(self, connection: AbstractConnection) -> None:
        with suppress(RedisError, OSError):  # which the reader meets, too
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                packed: list[bytes] = []
                while self._queue:
                    call = self._queue.popleft()
                    if call.done is not None:
                        self._sent.append(call)
                        packed += connection.pack_command(*call.command)
                if packed:
                    await connection.send_packed_command(packed, check_health=False)

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            answer: Any
            try:
                answer = await connection.read_response(disable_decoding=True)
            except ResponseError as error:
                if isinstance(error, ELSEWHERE):
                    self._elsewhere()
                    raise
                logger.error("%s refuses: %s", self.name, error)
                answer = error
            _tell(self._sent.popleft(), answer)

    def _note(self, error: Exception) -> None:
        """Say it once, not for every attempt."""
        if not self._failing:
            self._failing = True
            logger.error("%s does not answer, until it does clients are told unavailable: %s", self.name, _words(error))


async def ask(connection: AbstractConnection, *command: Any) -> Any:
    """One command and its answer, on a connection that nobody else uses yet. Raises `RedisError`."""
    await connection.send_command(*command, check_health=False)
    return await connection.read_response(disable_decoding=True)


def evalsha(script: str, keys: list[str], *arguments: Any) -> tuple[Any, ...]:
    """The command that runs a script of `SCRIPTS`."""
    return ("EVALSHA", _NAMES[script], len(keys), *keys, *arguments)


_NAMES = {script: sha(script) for script in SCRIPTS}


def _tell(call: _Call, answer: Any) -> None:
    done, call.done = call.done, None
    if done is None:
        return
    try:
        done(answer)
    except Exception:  # the connection has to live
        logger.exception("what an answer of Redis led to failed")


def _cut(connection: AbstractConnection) -> None:
    """End a connection at once, without a wait; its reader sees the end."""
    writer = connection._writer  # there is no public way that does not wait
    if writer is not None:
        writer.transport.abort()


def _parsed(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def _words(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
