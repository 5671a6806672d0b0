"""One Redis server as a node sees it: a connection for commands, one for what is published, and whether both work.

Health is told by delivery and not by a connection that stands: the node publishes to a channel of its own and has to
hear it. It must not know rooms.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from roomproof_server.engine.cluster.address import Times
from roomproof_server.engine.cluster.bus import Bus
from roomproof_server.engine.cluster.link import Link, evalsha
from roomproof_server.engine.cluster.places import Dial

MISSES = 2  # of the canary until the bus is put up anew


class Shard:
    """``hear`` gets channel and data, ``whole`` is called when the bus was away and is back, ``up`` when the link is,
    ``check`` every now and then, ``elsewhere`` when the server says that it is not in charge.
    """

    def __init__(
        self,
        name: str,
        dial: Dial,
        times: Times,
        canary: str,
        *,
        now: Callable[[], float],
        hear: Callable[[str, bytes], None],
        whole: Callable[[Shard], None],
        up: Callable[[Shard], None],
        check: Callable[[Shard], None],
        elsewhere: Callable[[], None],
    ) -> None:
        self.name, self._times, self._now, self._canary, self._listen = name, times, now, canary, hear
        self._link_up, self._check = up, check
        self.run_id = ""  # of the server
        self.link = Link(name, dial, now=now, reply_ms=times.reply_ms, up=self._up, elsewhere=elsewhere)
        self.bus = Bus(name, dial, now=now, hear=self._hear, up=lambda: whole(self), reply_ms=times.reply_ms)
        self.bus.subscribe(canary)
        self._sung = self._heard = self._missed = 0
        self._heard_at = now()  # and the time before counts as if it had been heard
        self._next = now()

    @property
    def healthy(self) -> bool:
        """What is published is delivered, and was until lately."""
        return self._heard > 0 and self.silent_ms < self._times.red_ms

    @property
    def silent_ms(self) -> float:
        """How long ago the canary was heard."""
        return self._now() - self._heard_at

    @property
    def busy(self) -> bool:
        """An answer is owed, or something that was published has not come yet."""
        return self.link.busy or self.bus.busy or self._heard < self._sung

    def call(self, *command: Any, done: Callable[[Any], None]) -> None:
        """As `Link.call`."""
        self.link.call(*command, done=done)

    def run(self, script: str, keys: list[str], *arguments: Any, done: Callable[[Any], None]) -> None:
        """Have a script run."""
        self.link.call(*evalsha(script, keys, *arguments), done=done)

    def sing(self) -> None:
        """Send the canary."""
        self._sung += 1
        self.link.call("SPUBLISH", self._canary, self._sung, done=lambda _: None)

    def sweep(self) -> None:
        """Look at the clock."""
        self.link.sweep()
        now = self._now()
        if now < self._next:
            return
        self._next = now + self._times.check_ms * random.uniform(0.75, 1.0)
        if self._heard < self._sung:
            self._missed += 1
            if self._missed >= MISSES and not self.link.away_ms:
                self._missed = 0
                self.bus.renew()
        self.sing()
        self._check(self)

    def renew(self) -> None:
        """Put both connections up anew: another server may be in charge."""
        self.link.abort()
        self.bus.renew()

    def close(self) -> None:
        """End."""
        self.link.close()
        self.bus.close()

    def _up(self, about: dict[str, str]) -> None:
        self.run_id = about.get("run_id", "")
        self._link_up(self)

    def _hear(self, channel: str, data: bytes) -> None:
        if channel == self._canary:
            self._heard, self._missed, self._heard_at = int(data), 0, self._now()
        else:
            self._listen(channel, data)
