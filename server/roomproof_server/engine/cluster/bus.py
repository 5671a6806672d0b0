"""One connection to one Redis for what is published: channels come and go, and the canary sings.

What comes is a wake-up and may be lost: whoever listens must be able to read it elsewhere. A channel counts as heard
once Redis has confirmed it; after a break all of them have to be confirmed again, and then ``up`` is called, for what
was missed in between. It must not know rooms.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from roomproof_server.engine.cluster.link import AGAIN_S, _cut

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

logger = logging.getLogger("roomproof.server")


class Bus:
    """``hear`` gets channel and data of what is published; ``up`` is called when all channels are heard again."""

    def __init__(
        self,
        name: str,
        dial: Callable[[], Awaitable[AbstractConnection]],
        *,
        now: Callable[[], float],
        hear: Callable[[str, bytes], None],
        up: Callable[[], None],
        reply_ms: float,
    ) -> None:
        self.name = name
        self._dial, self._now, self._hear, self._up, self._reply_ms = dial, now, hear, up, reply_ms
        self._channels: dict[str, list[Callable[[], None]]] = {}  # and who waits for each to be confirmed
        self._confirmed: set[str] = set()
        self._due: Counter[str] = Counter()  # confirmations to come: an older one does not count
        self._out: list[tuple[str, ...]] = []
        self._wanted = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._restoring = False
        self._failing = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def busy(self) -> bool:
        """Not everything that is wanted is heard yet."""
        return len(self._confirmed) < len(self._channels)

    def hears(self, channel: str) -> bool:
        """Whether what is published on it now would come."""
        return channel in self._confirmed

    def subscribe(self, channel: str) -> None:
        """Hear a channel from now on."""
        if channel not in self._channels:
            self._channels[channel] = []
            self._due[channel] += 1
            self._send("SSUBSCRIBE", channel)

    def unsubscribe(self, channel: str) -> None:
        """Hear it no more; who waits for it is not told."""
        if self._channels.pop(channel, None) is not None:
            self._confirmed.discard(channel)
            self._send("SUNSUBSCRIBE", channel)

    def when_heard(self, channel: str, then: Callable[[], None]) -> None:
        """Call back once it is heard, now if it is."""
        if channel in self._confirmed:
            then()
        else:
            self._channels[channel].append(then)

    def renew(self) -> None:
        """Give the connection up and put it up again: it does not bring what it should."""
        if self._connection is not None:
            _cut(self._connection)

    def close(self) -> None:
        """End."""
        self._task.cancel()
        self.renew()

    def _send(self, *command: str) -> None:
        if self._connection is not None:
            self._out.append(command)
            self._wanted.set()

    async def _run(self) -> None:
        least, most = AGAIN_S
        pause = least
        while True:
            try:
                async with asyncio.timeout(self._reply_ms / 1000):
                    connection = await self._dial()
            except (RedisError, OSError, TimeoutError, ValueError):  # the link says why
                await asyncio.sleep(random.uniform(pause / 2, pause))
                pause = min(2 * pause, most)
                continue
            self._connection = connection
            self._out = [("SSUBSCRIBE", channel) for channel in self._channels]
            self._due = Counter(self._channels.keys())
            self._restoring = True
            self._wanted.set()
            self._whole()
            writer = asyncio.get_running_loop().create_task(self._write(connection))
            try:
                while True:
                    self._came(await connection.read_response(disable_decoding=True))
                    pause = least
            except (RedisError, OSError) as error:
                logger.info("%s: the subscription broke: %s", self.name, error)
            finally:
                self._connection = None
                self._confirmed.clear()
                writer.cancel()
                _cut(connection)

    async def _write(self, connection: AbstractConnection) -> None:
        with suppress(RedisError, OSError):  # which the reader meets, too
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                commands, self._out = self._out, []
                packed = [part for command in commands for part in connection.pack_command(*command)]
                if packed:
                    await connection.send_packed_command(packed, check_health=False)

    def _came(self, push: Any) -> None:
        kind, name = push[0], push[1].decode()
        if kind == b"smessage":
            if name in self._channels:
                try:
                    self._hear(name, push[2])
                except Exception:  # the connection has to live
                    logger.exception("what came on %s failed", name)
        elif kind == b"ssubscribe":
            self._due[name] -= 1
            if self._due[name] > 0 or name not in self._channels:
                return
            del self._due[name]
            self._confirmed.add(name)
            waiting, self._channels[name] = self._channels[name], []
            self._call(waiting)
            self._whole()

    def _whole(self) -> None:
        if self._restoring and not self.busy:
            self._restoring = False
            self._call([self._up])

    def _call(self, waiting: Iterable[Callable[[], None]]) -> None:
        for then in waiting:
            try:
                then()
            except Exception:
                logger.exception("%s: what a subscription led to failed", self.name)
