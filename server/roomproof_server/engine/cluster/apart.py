"""To publish where the quota of a user is on another server than the room: look for a retry, ask the quota, keep.

Three round trips in place of one. Of two equal messages at the same time on two nodes both may pay, and one is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from roomproof_protocol import Window
from roomproof_server.engine.base import Conflict, Done, Limited, Stored, Unavailable
from roomproof_server.engine.cluster.scripts import ADMIT
from roomproof_server.engine.cluster.shard import Shard


class Apart:
    """One message. ``owners`` are the logs with their windows, ``names`` the keys m, s and d of the room, ``keep`` is
    called when the message may be kept.
    """

    def __init__(
        self,
        shard: Callable[[str], Shard],
        owners: Sequence[tuple[str, Window]],
        names: Sequence[str],
        digest: str,
        keep: Callable[[list[str]], None],
        done: Done[Stored | Conflict | Limited | Unavailable],
        *,
        retry: bool,
    ) -> None:
        self._shard, self._owners, self._digest, self._keep, self._done = shard, list(owners), digest, keep, done
        self._seen: Any = None
        if retry:
            shard(names[2]).call("GET", names[2], done=self._found)
            shard(names[0]).call("HGET", names[0], "e", done=self._looked)
        else:
            self._admit(0)

    def _found(self, reply: Any) -> None:
        self._seen = reply

    def _looked(self, epoch: Any) -> None:
        if self._seen is None:
            self._admit(0)
        elif not isinstance(self._seen, bytes):
            self._done(Unavailable())
        else:
            kept, seq, ts, digest = self._seen.decode().split(" ")
            if epoch is None or kept != epoch.decode():
                self._admit(0)
            elif digest != self._digest:
                self._done(Conflict())
            else:
                self._done(Stored(kept, int(seq), int(ts), duplicate=True))

    def _admit(self, number: int) -> None:
        if number == len(self._owners):
            self._keep([])
            return
        log, window = self._owners[number]

        def answer(reply: Any) -> None:
            if not isinstance(reply, list):
                self._done(Unavailable())
            elif reply[0]:
                self._done(Limited(max(1, reply[0]), "address" if number else "user"))
            else:
                self._admit(number + 1)

        self._shard(log).run(ADMIT, [log], window.count, window.window_ms, done=answer)
