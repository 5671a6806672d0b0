"""One node in the foreground until a signal ends it: what the command line and the kit's start hook share."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import signal
from collections.abc import Callable

from roomproof_protocol import ENDPOINT
from roomproof_server.engine.schema import StoreError
from roomproof_server.engine.stores import open_engine
from roomproof_server.settings import Settings
from roomproof_server.shell.server import Server, monotonic_ms, wall_ms

CANNOT_LISTEN = 3
CANNOT_STORE = 4


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None], complain: Callable[[str], None]) -> int:
    """Serve until SIGINT or SIGTERM and return the exit code: 0, 3 if it cannot listen, 4 without a store.

    ``say`` gets one line for each thing that is served, ``complain`` one about a failure. A second signal
    ends the process at once.
    """
    # uvloop saves some inbound work where it is installed; nothing depends on it.
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    factory = importlib.import_module("uvloop").new_event_loop if has_uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(settings, host, port, say, complain))


async def _serve(
    settings: Settings, host: str, port: int, say: Callable[[str], None], complain: Callable[[str], None]
) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    try:
        engine = open_engine(
            settings.store, settings.limits, now=monotonic_ms, wall=wall_ms, post=loop.call_soon_threadsafe
        )
    except StoreError as error:
        complain(str(error))
        return CANNOT_STORE
    server = Server(settings, engine)
    where = f"[{host}]" if ":" in host else host
    try:
        taken = await server.start(host, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        complain(f"cannot listen on {where}:{port}: {reason}; choose another with --host or --port")
        engine.close()
        return CANNOT_LISTEN
    say(f"socket  ws://{where}:{taken}{ENDPOINT}")
    say(f"page    http://{where}:{taken}/")
    if settings.store is not None:
        say(f"rooms   {settings.store}")
    await stop.wait()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(signum)
        signal.signal(signum, signal.SIG_DFL)  # Python's own for SIGINT would print a traceback
    await server.stop()
    engine.close()
    return 0
