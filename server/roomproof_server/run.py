"""One node in the foreground until a signal ends it: what the command line and the kit's start hook share."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import signal
from collections.abc import Callable

from roomproof_protocol import ENDPOINT
from roomproof_server.engine.base import Engine
from roomproof_server.engine.schema import StoreError
from roomproof_server.engine.stores import open_engine
from roomproof_server.settings import Settings
from roomproof_server.shell import log
from roomproof_server.shell.listen import raise_file_limit, tls_context
from roomproof_server.shell.server import Server, monotonic_ms, wall_ms

MISTAKE = 2
CANNOT_LISTEN = 3
CANNOT_STORE = 4


def serve(
    settings: Settings,
    host: str,
    port: int,
    say: Callable[[str], None],
    complain: Callable[[str], None],
    attend: Callable[[Engine], None] = lambda _: None,
    *,
    reuse_port: bool = False,
) -> int:
    """Serve until SIGINT or SIGTERM and return the exit code: 0, 2 where the key for tokens cannot be used, 3 if
    it cannot listen, 4 without a store.

    ``say`` gets one line for each thing that is served, ``complain`` one about a failure, ``attend`` the engine, on
    the loop, once it is open. A second signal ends the process at once.
    """
    # uvloop saves some inbound work where it is installed; nothing depends on it.
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    factory = importlib.import_module("uvloop").new_event_loop if has_uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(settings, host, port, say, complain, attend, reuse_port))


async def _serve(
    settings: Settings,
    host: str,
    port: int,
    say: Callable[[str], None],
    complain: Callable[[str], None],
    attend: Callable[[Engine], None],
    reuse_port: bool,
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log.loop_trouble)
    log.configure(settings.log_format, settings.log_level)
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
    try:
        server = Server(settings, engine)
    except ValueError as error:  # the key for tokens
        complain(str(error))
        engine.close()
        return MISTAKE
    attend(engine)
    where = f"[{host}]" if ":" in host else host
    place, choose = f"{where}:{port}", "--host or --port"
    try:
        tls = tls_context(settings.certificate, settings.key) if settings.certificate and settings.key else None
        taken = await server.start(host, port, tls, reuse_port=reuse_port)
        if settings.unix is not None:
            place, choose = str(settings.unix), "--unix"
            await server.start_unix(settings.unix, settings.unix_mode)
    except (OSError, ValueError) as error:
        complain(f"cannot listen on {place}: {_reason(error)}; choose another with {choose}")
        await server.stop()
        engine.close()
        return CANNOT_LISTEN
    fit = raise_file_limit(settings.max_connections)
    if fit < settings.max_connections:
        log.tell(logging.WARNING, "few open files allowed", connections=fit, max_connections=settings.max_connections)
    secure = "s" if tls else ""
    say(f"socket  ws{secure}://{where}:{taken}{ENDPOINT}")
    say(f"page    http{secure}://{where}:{taken}/")
    if settings.unix is not None:
        say(f"unix    {settings.unix}")
    if settings.store is not None:
        say(f"rooms   {settings.store}")
    await stop.wait()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(signum)
        signal.signal(signum, signal.SIG_DFL)  # Python's own for SIGINT would print a traceback
    await server.drain()
    engine.close()
    return 0


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    # Names that do not resolve have numbers of their own, below zero.
    known = error.errno is not None and error.errno > 0 and not error.filename
    return os.strerror(error.errno or 0) if known else error.strerror or str(error)
