"""A run that Ctrl-C or SIGTERM ends in order: what was reached is kept, and nothing is left running."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Runner


async def interruptible(runner: Runner) -> None:
    """The run; Ctrl-C or SIGTERM ends it and keeps what was reached in `runner.result`."""
    task = asyncio.create_task(runner.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:  # cancelled before it could begin
        runner.result.interrupted = True
    finally:
        await asyncio.shield(runner.stop_all())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
