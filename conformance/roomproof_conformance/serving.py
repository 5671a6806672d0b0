"""What a case does to the server itself, where the kit has started it: stop, kill, start again, a second node, faults.

Each deed stands in the transcript, so that judges and readers know of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .hooks import HookError, Process
from .judges.survival import ComesBack
from .target import Target, TargetError
from .verdicts import Finding

if TYPE_CHECKING:
    from .judges import Judge
    from .transcript import Record, RecordKind


class Serving:
    """The part of a case that scenarios with `own_server`, or hooks, use."""

    target: Target

    if TYPE_CHECKING:

        def note(self, conn: str, kind: RecordKind, /, **data: Any) -> Record: ...
        async def must(self, judge: Judge, says: str = "", *, wait: float | None = None) -> Finding: ...

    @property
    def server(self) -> Process:
        """The process of the server, which the kit has started for this scenario."""
        assert self.target.process is not None
        return self.target.process

    async def stop_server(self) -> int | None:
        """End it gracefully, by its stop signal; the exit code."""
        self.note("", "mark", name="the server is stopped", server="stop")
        return await self.server.stop(alone=True)

    def ask_to_stop(self) -> Record:
        """Send it its stop signal and go on while it ends; the record of it."""
        record = self.note("", "mark", name="the server is asked to stop", server="ask")
        self.server.send_signal(self.server.hooks.stop_signal)
        return record

    async def kill_server(self) -> None:
        """End it by SIGKILL."""
        self.note("", "mark", name="the server is killed", server="kill")
        await self.server.kill()

    async def start_server(self) -> None:
        """Start it again, on the same port with the same state: two clients must be able to talk."""
        begun = self.note("", "mark", name="the server is started again", server="start")
        trouble = ""
        try:
            await self.server.start()
            assert self.target.ready is not None
            await self.target.ready()
        except (HookError, TargetError) as error:
            trouble = str(error)
        self.note("", "mark", name=trouble or "two clients can talk again", server="gone" if trouble else "back")
        await self.must(ComesBack(begun.index), "the server comes back", wait=0)

    async def token(self, **claims: Any) -> str:
        """A token with these claims from the token hook."""
        token = await self.server.token(claims)
        self.note("", "local", action="token", claims=claims, token=token)
        return token

    @property
    def nodes(self) -> range:
        """The nodes of the service, counted from 0."""
        return range(len(self.target.nodes))

    async def fault(self, name: str, *, on: bool = True, node: int | None = None) -> Record:
        """Have a fault put into the service, or into one node of it, or taken out again; the record of it.

        Raises HookError when the hook file has no way to do it, or that fails.
        """
        assert self.target.faults is not None
        where = "" if node is None else f" of node {node + 1}"
        begun = self.note("", "mark", name=f"fault {name}{where}: {'on' if on else 'off'}", server="fault")
        await self.target.faults.put(name, on=on, node=node)
        done = self.note("", "mark", name=f"fault {name}{where} is {'in' if on else 'over'}", server="fault")
        return begun if on else done
