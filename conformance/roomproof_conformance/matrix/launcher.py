"""Runs a Python program as it is, but on 127.0.0.1 and a port of our choice: for one whose address stands in its code.

    ROOMPROOF_PORT=8123 python launcher.py [--from PORT] SCRIPT|-m MODULE [ARGUMENT]...

What is changed is the address that reaches `bind` of a stream socket or `create_server` of an event loop (asyncio's,
and uvloop's where it is installed); each change is told on standard error. With `--from` only that port becomes ours,
and others become free ones. It runs in the program's environment, so it knows the standard library alone and nothing
of the kit. It is no sandbox: code that calls the C library by itself listens where it likes.
"""

from __future__ import annotations

import asyncio.base_events
import functools
import importlib
import os
import runpy
import socket
import sys
from typing import Any

HOST = "127.0.0.1"
USAGE = "expected [--from PORT] SCRIPT or -m MODULE, and ROOMPROOF_PORT=1..65535"


def tell(host: object, asked: object, port: int) -> None:
    print(f"launcher: {host!r} port {asked!r} replaced by {HOST!r} port {port}", file=sys.stderr, flush=True)


def force_loop(loop_class: Any, port: int, from_port: int | None) -> None:
    """Make `loop_class.create_server` listen on 127.0.0.1 and `port` (TCP), whatever it is asked for."""
    original = loop_class.create_server

    @functools.wraps(original)
    async def create_server(
        loop: Any, protocol_factory: Any, host: Any = None, asked: Any = None, **options: Any
    ) -> Any:
        asked = options.pop("port", asked)
        if options.get("sock") is not None:  # its `bind` was forced
            return await original(loop, protocol_factory, host, asked, **options)
        ours = port if from_port in (None, asked) else 0
        if (host, asked) != (HOST, ours):
            tell(host, asked, ours)
        return await original(loop, protocol_factory, HOST, ours, **options)

    loop_class.create_server = create_server


def force_sockets(port: int, from_port: int | None) -> None:
    """Make every stream socket of the internet families that is bound to a port listen on loopback and `port`."""
    original = socket.socket.bind

    def bind(self: socket.socket, address: Any) -> None:
        internet = self.family in (socket.AF_INET, socket.AF_INET6) and self.type & socket.SOCK_STREAM
        if not internet or not isinstance(address, tuple):
            return original(self, address)
        host, asked = address[:2]
        ours = port if asked and (from_port is None or asked in (from_port, port)) else 0
        if (host, asked) == (HOST, ours):
            return original(self, address)
        tell(host, asked, ours)
        if self.family == socket.AF_INET:
            return original(self, (HOST, ours))
        both = not self.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        return original(self, (f"::ffff:{HOST}" if both else "::1", ours, 0, 0))

    setattr(socket.socket, "bind", bind)  # noqa: B010  # an assignment is one that type checkers refuse


def words(arguments: list[str]) -> tuple[int | None, bool, list[str]]:
    """The port to replace, whether a module is run, and the program's own words. Raises ValueError."""
    from_port = None
    if arguments[:1] == ["--from"]:
        from_port, arguments = int(arguments[1]), arguments[2:]
    module = arguments[:1] == ["-m"]
    arguments = arguments[1:] if module else arguments
    if not arguments or arguments[0].startswith("-"):
        raise ValueError
    return from_port, module, arguments


def main(arguments: list[str]) -> int:
    """Run the program; returns 2 on bad usage, else as the program ends."""
    port = os.environ.get("ROOMPROOF_PORT", "")
    try:
        from_port, module, program = words(arguments)
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError
    except (ValueError, IndexError):
        print(f"launcher: {USAGE}; got {arguments} and {port!r}", file=sys.stderr)
        return 2
    force_sockets(int(port), from_port)
    force_loop(asyncio.base_events.BaseEventLoop, int(port), from_port)
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        pass
    else:
        force_loop(uvloop.Loop, int(port), from_port)
    sys.argv = program
    if module:
        sys.path[0] = os.getcwd()
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(program[0]))
        runpy.run_path(program[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
