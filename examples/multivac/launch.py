"""Run an unchanged script as `__main__`, but on 127.0.0.1 and a port of our choice.

    ROOMPROOF_PORT=8123 python launch.py chat_server.py

For servers whose address is fixed in their code. The only thing changed is what reaches `create_server` of
the event loop (asyncio's, and uvloop's where it is installed); each replacement is told on standard error. It
runs in an answer's environment, so it knows the standard library alone and nothing of this project. It is no
sandbox: a script that binds a socket by itself is refused only if it hands that socket to `create_server`.
"""

from __future__ import annotations

import asyncio.base_events
import functools
import importlib
import os
import runpy
import sys
from typing import Any

HOST = "127.0.0.1"


def force_address(loop_class: Any, port: int) -> None:
    """Make `loop_class.create_server` listen on 127.0.0.1 and `port` (TCP), whatever it is asked for."""
    original = loop_class.create_server

    @functools.wraps(original)
    async def create_server(
        loop: Any, protocol_factory: Any, host: Any = None, asked: Any = None, **options: Any
    ) -> Any:
        asked = options.pop("port", asked)
        if options.get("sock") is not None:
            raise SystemExit("launch: the script listens on a socket of its own, whose address cannot be forced")
        print(f"launch: {host!r} port {asked!r} replaced by {HOST!r} port {port}", file=sys.stderr, flush=True)
        return await original(loop, protocol_factory, HOST, port, **options)

    loop_class.create_server = create_server


def main(arguments: list[str]) -> int:
    """Run the script; returns 2 on bad usage, else as the script ends."""
    port = os.environ.get("ROOMPROOF_PORT", "")
    if len(arguments) != 1 or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        print(
            f"launch: expected one script and ROOMPROOF_PORT=1..65535, got {arguments} and {port!r}",
            file=sys.stderr,
        )
        return 2
    [script] = arguments
    force_address(asyncio.base_events.BaseEventLoop, int(port))
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        pass
    else:
        force_address(uvloop.Loop, int(port))
    sys.argv = [script]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
