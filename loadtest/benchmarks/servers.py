"""Who is measured, how it is started, and why it is not here if it is not.

Every server prints where it listens as its first line. It must not know what is measured.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / ".work" / "bench"
NODE_PACKAGES = ROOT / ".work" / "npm"


@dataclass(frozen=True, slots=True)
class Server:
    """``needs`` are importable packages or, with a slash, files; ``dialect`` and ``path`` are for the generator."""

    name: str
    title: str
    command: Callable[[Path], list[str]]  # of an empty folder that it may write to
    needs: tuple[str, ...] = ()
    dialect: str = "plain"
    path: str = "/"

    @property
    def missing(self) -> str | None:
        """What has to be installed first, or None."""
        for need in self.needs:
            if not (Path(need).exists() if "/" in need else importlib.util.find_spec(need)):
                return f"{Path(need).name} is not installed"
        return None


def compiled(name: str) -> str | None:
    """The path of a program of `c/`, compiled now if need be; None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    source, target = HERE / "c" / f"{name}.c", WORK / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        if compiler is None:
            return None
        WORK.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-o", str(target), str(source)], check=True)
    return str(target)


def _own(*options: str) -> Callable[[Path], list[str]]:
    # As users run it; the refusals that a log at this level leaves out cost nothing here, there are none.
    command = [sys.executable, "-m", "roomproof_server.entry", "--port", "0", "--drain", "0", "--log-level", "warning"]
    return lambda folder: [*command, *(option.format(folder=folder) for option in options)]


def _peer(name: str) -> Callable[[Path], list[str]]:
    return lambda _: [sys.executable, str(HERE / "peers" / f"{name}.py")]


SERVERS = {
    server.name: server
    for server in (
        Server("floor", "floor: C, epoll, one send() each", lambda _: [str(WORK / "floor")], (str(WORK / "floor"),)),
        Server("roomproof", "**roomproof-server**, memory", _own("--store", "memory"), (), "roomproof", "/ws"),
        Server("roomproof-sqlite", "**roomproof-server**, SQLite", _own("--store", "{folder}/rooms.db"), (),
               "roomproof", "/ws"),
        Server("picows", "picows, uvloop", _peer("picows_peer"), ("picows", "uvloop")),
        Server("aiohttp", "aiohttp", _peer("aiohttp_peer"), ("aiohttp",)),
        Server("broadcast", "websockets, `broadcast()`", _peer("websockets_broadcast"), ("websockets",)),
        Server("naive", "websockets, `await send()` each", _peer("websockets_naive"), ("websockets",)),
        Server("node-ws", "Node `ws`",
               lambda _: ["node", str(HERE / "peers" / "ws_node.mjs"), str(NODE_PACKAGES)],
               (shutil.which("node") or "/node", str(NODE_PACKAGES / "node_modules" / "ws"))),
        Server("starlette", "Starlette, uvicorn, uvloop", _peer("starlette_peer"),
               ("starlette", "uvicorn", "uvloop", "websockets")),
        Server("tornado", "Tornado", _peer("tornado_peer"), ("tornado",)),
        Server("socketio", "python-socketio, uvicorn, uvloop", _peer("socketio_peer"),
               ("socketio", "uvicorn", "uvloop", "websockets"), "socketio", "/socket.io/?EIO=4&transport=websocket"),
    )
}  # fmt: skip


def ready() -> None:
    """Compile what there is a compiler for."""
    for name in ("floor", "load"):
        compiled(name)


def versions() -> dict[str, str]:
    """Of what the peers are made."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("websockets", "picows", "aiohttp", "starlette", "uvicorn", "tornado", "python-socketio", "uvloop",
                    "orjson", "jsonschema-rs"):  # fmt: skip
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if shutil.which("node"):
        found["node"] = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return found
