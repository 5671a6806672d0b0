"""Faults in the service under judgement: the kit tells, a command of the hook file does.

A node that the kit has started itself is killed and stopped by signals where no command is given for it.
Knows no scenario and no verdict.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from .hooks import HookError, Hooks, Process, run_hook

BY_SIGNAL = frozenset({"node-kill", "node-stop"})
"""What the kit can do to its own nodes without a command."""


class Faults:
    """Puts faults into one service and takes them out again."""

    def __init__(self, hooks: Hooks, urls: Sequence[str], process: Process | None = None) -> None:
        """`urls` are those of the nodes, `process` the first of them where the kit has started them."""
        self._hooks, self._urls, self._process = hooks, urls, process
        self.present: dict[tuple[str, int | None], None] = {}  # in the order in which they were put in

    async def put(self, name: str, *, on: bool, node: int | None = None) -> None:
        """Put the fault in, or take it out, in one node (counted from 0) or in all; done when it is so.

        Raises HookError when that cannot be done.
        """
        if on:
            self.present[name, node] = None
        if name in self._hooks.faults:
            await self._by_command(name, on, node)
        elif name in BY_SIGNAL and self._process is not None and node is not None:
            await self._by_signal(name, on, self._process.all_nodes[node])
        else:
            raise HookError(f"{self._hooks.path}: has no fault `{name}`")
        if not on:
            self.present.pop((name, node), None)

    async def take_out(self) -> None:
        """Take out what is still in, the last first. Raises HookError."""
        for name, node in reversed(list(self.present)):
            await self.put(name, on=False, node=node)

    async def _by_command(self, name: str, on: bool, node: int | None) -> None:
        environment = {"ROOMPROOF_FAULT": "on" if on else "off", "ROOMPROOF_URLS": " ".join(self._urls)}
        if node is not None:
            environment |= {"ROOMPROOF_NODE": str(node + 1), "ROOMPROOF_URL": self._urls[node]}
        folder = None
        if self._process is not None:
            process = self._process if node is None else self._process.all_nodes[node]
            environment = {**self._process.environment, **environment, "ROOMPROOF_PID": str(process.pid)}
            folder = self._process.folder
        await run_hook(self._hooks, name, self._hooks.faults[name], environment=environment, folder=folder)

    async def _by_signal(self, name: str, on: bool, node: Process) -> None:
        if name == "node-stop":
            node.send_signal(signal.SIGSTOP if on else signal.SIGCONT)
        elif on:
            await node.kill()
        else:
            await node.start()
            await node.until_it_listens()
