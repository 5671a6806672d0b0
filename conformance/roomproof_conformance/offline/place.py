"""Where a conversation is repeated: a server at a URL, or one that a hook file starts, and again when it died."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roomproof_conformance.clock import LagMeter
from roomproof_conformance.dialects import Dialect
from roomproof_conformance.hooks import Hooks
from roomproof_conformance.plan import Plan
from roomproof_conformance.starting import Starter
from roomproof_conformance.target import Target


class Place:
    """A server to talk to, as `async with`: what it started is ended on every way out."""

    def __init__(
        self, dialect: Dialect, *, url: str | None = None, hooks: Hooks | None = None, settings: Mapping[str, Any]
    ) -> None:
        """Either `url` or `hooks`; `settings` are asked of a server that is started."""
        self.starts = url is None
        self.settings = dict(settings)
        self.lag = LagMeter()
        self.restarts = 0
        self._starter = Starter(Plan(dialect, url, hooks))
        self._target: Target | None = None

    async def __aenter__(self) -> Place:
        await self.lag.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.lag.__aexit__(*exc)
        await self._starter.stop_all()

    async def target(self) -> Target:
        """The server, started when it is not there yet. Raises TargetError."""
        if self._target is None:
            self._target = await self._starter.target(self.settings)
        return self._target

    async def trouble(self) -> str:
        """What keeps two new clients from talking there; empty when nothing does."""
        return await self._starter.two_talk(await self.target())

    async def fresh(self) -> bool:
        """Start the server anew; False when it is not ours to start."""
        if not self.starts:
            return False
        if self._target is not None:
            assert self._target.process is not None
            await self._target.process.kill()
            self._target = None
            self.restarts += 1
        return True
