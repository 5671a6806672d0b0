"""Which nodes live: leases, the sweep after a dead one, and who has spoken since Redis was another run.

After a restart or a failover Redis may lack numbers that members have seen. A node that heard them shows it by its
fence; until every node that was alive has done so nobody may number on. So each node reads its rooms, signs the roll
of the new run, and holds what is to be sent until all have signed, for ``barrier_ms`` at most: then nobody is sure,
and each room in which somebody speaks gets a new epoch. It must not know rooms or messages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from roomproof_server.engine.base import Done, Unavailable
from roomproof_server.engine.cluster.address import Times
from roomproof_server.engine.cluster.scripts import LEASE
from roomproof_server.engine.cluster.shard import Shard

LOOK_MS = 150  # between two looks at the roll
ROLL_MS = 30 * 86_400_000


class RollCall:
    """``sweep`` is called with a dead node and what to call when it is swept, ``swept`` when this one was."""

    def __init__(
        self,
        node: str,
        key: str,
        shard: Callable[[], Shard],
        times: Times,
        *,
        now: Callable[[], float],
        sweep: Callable[[str, Callable[[], None]], None],
        swept: Callable[..., None],
    ) -> None:
        self._node, self._key, self._shard, self._times, self._now = node, key, shard, times, now
        self._sweep_node, self._swept = sweep, swept
        self._registered = False
        self._run_ids: dict[str, str] = {}  # of each server by its name, as last heard of
        self._runs: dict[str, bool] = {}  # whose roll is awaited, and whether we have signed it
        self._until = self._looked = 0.0
        self._peers: set[str] = set()
        self.sure = True
        # While the roll is awaited: since when, how and for whom messages wait.
        self.held: list[tuple[float, Callable[[], None], Done[Any]]] | None = None

    def renew(self) -> None:
        """Renew the lease, and see who has none any more."""
        self._shard().run(LEASE, [self._key], self._node, self._times.lease_ms, done=self._leases)

    def begin(self, shard: Shard) -> None:
        """A server answers after a break; where it is another run of it, numbers wait."""
        last = self._run_ids.get(shard.name)
        known = bool(self._run_ids)
        other = last != shard.run_id
        self._run_ids[shard.name] = shard.run_id
        if shard is self._shard():
            # Members were told nothing where it is Redis that forgot.
            done = partial(self._leases, quiet=known and other)
            self._shard().run(LEASE, [self._key], self._node, self._times.lease_ms, done=done)
        if other and shard.run_id not in self._runs:
            self._runs[shard.run_id] = False
            self._until = self._now() + self._times.barrier_ms
            self.held = self.held or []

    def fenced(self, shard: Shard) -> None:
        """All that was heard of the server's rooms stands against what it has: sign."""
        if self._runs.get(shard.run_id) is False:
            self._runs[shard.run_id] = True
            roll = f"{self._key}{shard.run_id}"
            self._shard().call("SADD", roll, self._node, done=lambda _: None)
            self._shard().call("PEXPIRE", roll, ROLL_MS, done=lambda _: None)
            self._look(shard.run_id)

    def sweep(self) -> None:
        """Look at the clock."""
        now = self._now()
        if self.held is None:
            return
        late = [item for item in self.held if now - item[0] >= self._times.reply_ms]
        self.held = [item for item in self.held if now - item[0] < self._times.reply_ms]
        for _, _, done in late:
            done(Unavailable())
        if now >= self._until:
            self._go_on(sure=False)
        elif now - self._looked >= LOOK_MS:
            self._looked = now
            for run, signed in self._runs.items():
                if signed:
                    self._look(run)

    def _look(self, run: str) -> None:
        self._shard().call("SMEMBERS", f"{self._key}{run}", done=partial(self._roll, run))

    def _roll(self, run: str, reply: Any) -> None:
        if not isinstance(reply, list) or run not in self._runs:
            return
        if self._peers <= {name.decode() for name in reply}:
            del self._runs[run]
            if not self._runs:
                self._go_on(sure=True)

    def _go_on(self, *, sure: bool) -> None:
        held, self.held = self.held or [], None
        self._runs.clear()
        self.sure = sure
        for _, publish, _ in held:
            publish()

    def _leases(self, reply: Any, quiet: bool = False) -> None:
        if not isinstance(reply, list):
            return
        had, *rest = reply
        if self._registered and not had:
            self._swept(loud=not quiet)
        self._registered = True
        nodes = {name.decode(): over for name, over in zip(rest[::2], rest[1::2], strict=True)}
        # Who was away for that long has sent its clients elsewhere.
        awaited = {node for node, over in nodes.items() if over < self._times.isolated_ms}
        self._peers = awaited | self._peers if self.held is not None else awaited
        for node, over in nodes.items():
            if over >= 0 and node != self._node and self.held is None:
                self._sweep_node(node, partial(self._strike, node))

    def _strike(self, node: str) -> None:
        self._shard().call("ZREM", self._key, node, done=lambda _: None)
