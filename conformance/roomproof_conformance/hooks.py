"""The hook file: commands that the kit runs for what a plain client cannot do (`start`, `stop`).

The kit owns the processes it starts: a group, a scratch folder, kept output, and an end on every way
out, its own crash included. Knows no dialect and no scenario.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .clock import pause
from .output import Output

SHIPPED = Path(__file__).parent / "shipped_hooks"
_PR_SET_PDEATHSIG = 1
TOKENS = 2
"""How many tokens are made at the same time: more would starve the cases that are under way."""
POLL = 0.1
"""Seconds between two looks whether a further node listens."""


class HookError(Exception):
    """A hook file cannot be used, or a hook did not do what it must: one clear line."""


@dataclass(frozen=True)
class Hooks:
    """A read hook file; every command line is optional. `ready`: seconds until two clients must be able to talk."""

    path: Path
    start: tuple[str, ...] = ()
    token: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    engine: tuple[str, ...] = ()
    nodes: int = 1  # how many a run starts unless told otherwise
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ready: float = 15.0
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 5.0
    path_of_url: str = "/"

    def process(self, port: int, folder: Path, settings: Mapping[str, Any]) -> Process:
        """A server that these hooks start, in a scratch folder of its own. Raises HookError."""
        (folder / "state").mkdir()
        return Process(self, port, folder, settings)

    @property
    def given(self) -> frozenset[str]:
        """The names of the hooks that there are, as scenarios ask for them."""
        commands = {
            "start": self.start,
            "token": self.token,
            "node": self.node,
            "engine": self.engine,
            **self.faults,
        }
        return frozenset(name for name, command in commands.items() if command)


def load(name: str | Path) -> Hooks:
    """Read a hook file, or one that ships with the kit (`reference`).

    Raises HookError with file and member for anything that is not as the schema says.
    """
    import yaml

    path = Path(name)
    if not path.exists() and (SHIPPED / f"{name}.yaml").exists():
        path = SHIPPED / f"{name}.yaml"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        shipped = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
        raise HookError(
            f"hook file {name}: {error.strerror}; name a file, or one that ships with the kit: {shipped}"
        ) from None
    except yaml.YAMLError as error:
        raise HookError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return _checked(data, path)


def _checked(data: Any, path: Path) -> Hooks:
    import difflib

    from jsonschema import Draft202012Validator

    schema = json.loads((SHIPPED / "hooks.schema.json").read_text())
    for error in Draft202012Validator(schema).iter_errors(data):
        place = ".".join(map(str, error.absolute_path)) or "the file"
        message = error.message
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            known = list(error.schema["properties"])
            extra = next(key for key in error.instance if key not in known)
            near = difflib.get_close_matches(str(extra), known, 1)
            message = f"unknown hook {extra!r}" + (
                f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
            )
        raise HookError(f"{path}: {place}: {message}")
    return Hooks(
        path,
        tuple(data.get("start", ())),
        tuple(data.get("token", ())),
        tuple(data.get("node", ())),
        tuple(data.get("engine", ())),
        data.get("nodes", 1),
        {name: tuple(command) for name, command in data.get("faults", {}).items()},
        seconds(data.get("ready", "15s")),
        signal.Signals[data.get("stop_signal", "SIGTERM")],
        seconds(data.get("grace", "5s")),
        data.get("path", "/"),
    )


def seconds(text: str) -> float:
    """A duration such as `500ms`, `30s` or `2m` in seconds (the schema has checked its form)."""
    number = text.rstrip("msh")
    return float(number) * {"ms": 0.001, "s": 1, "m": 60}[text[len(number) :]]


def free_port() -> int:
    """A port of the loopback address that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent() -> None:
    """For a child process of the kit, where the system offers it: end when the kit does, however it ended."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Process:
    """A server that the kit starts, and may start again on the same port with the same state."""

    hooks: Hooks
    port: int
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    first: int | None = None  # of a further node: the port of the one that was started first
    number: int = 1  # of a node, as the hooks count them
    engine: Process | None = field(default=None, repr=False)  # what the nodes share, where there is a hook for it
    nodes: list[Process] = field(default_factory=list, repr=False)  # the further ones
    _output: Output = field(default_factory=Output, repr=False)
    _child: asyncio.subprocess.Process | None = field(default=None, repr=False)
    _tokens: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TOKENS), repr=False)

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def exit_code(self) -> int | None:
        """The exit code of a server that has ended, negative for a signal; None while it runs."""
        return self._child.returncode if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    @property
    def command(self) -> list[str]:
        """The words of the command that runs it."""
        return _filled(self.hooks, self.hooks.start)

    @property
    def workplace(self) -> Path:
        """The folder that it runs in."""
        return self.folder

    def in_child(self) -> None:
        """What its process does before it becomes the server."""
        die_with_parent()

    @property
    def environment(self) -> dict[str, str]:
        """What the commands of the hook file are told."""
        return {
            **os.environ,
            "ROOMPROOF_PORT": str(self.port),
            "ROOMPROOF_STATE": str(self.folder / "state"),
            "ROOMPROOF_SETTINGS": json.dumps(self.settings),
            "ROOMPROOF_NODE": str(self.number),
            **({"ROOMPROOF_FIRST_PORT": str(self.first)} if self.first is not None else {}),
            **({"ROOMPROOF_ENGINE_PORT": str(self.engine.port)} if self.engine is not None else {}),
        }

    @property
    def all_nodes(self) -> list[Process]:
        """This one and the further ones, as the hooks count them."""
        return [self, *self.nodes]

    async def start(self) -> None:
        """Run the start hook. Raises HookError when there is none or its command cannot be run."""
        if not self.hooks.start:
            raise HookError(f"{self.hooks.path}: has no hook `start`, so the kit cannot start a server")
        command, output = self.command, self._output.pipe()
        try:
            self._child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self.workplace,
                env=self.environment,
                start_new_session=True,
                preexec_fn=self.in_child,
            )
        except OSError as error:
            raise HookError(f"{self.hooks.path}: start: cannot run {command[0]!r}: {error.strerror}") from None
        finally:
            os.close(output)

    async def token(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims from the token hook. Raises HookError when it gives none."""
        async with self._tokens:
            given = json.dumps(claims).encode()
            command, environment = self.hooks.token, self.environment
            token = await run_hook(
                self.hooks, "token", command, given=given, environment=environment, folder=self.folder
            )
            token = token.strip()
        if not token:
            raise HookError(f"{self.hooks.path}: token: it printed nothing")
        return token

    async def another_node(self) -> Process:
        """Start one more node beside this one, with the same state; it ends with this one. Raises HookError."""
        hooks = replace(self.hooks, start=self.hooks.node)
        if not hooks.start:
            raise HookError(f"{self.hooks.path}: has no hook `node`, so the kit cannot start a second node")
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        number = len(self.nodes) + 2
        node = Process(hooks, free_port(), folder, self.settings, self.port, number, self.engine)
        (node.folder / "state").symlink_to(self.folder / "state")
        self.nodes.append(node)
        await node.start()
        await node.until_it_listens("node")
        return node

    async def until_it_listens(self, what: str = "node") -> None:
        """Wait until somebody accepts connections on the port. Raises HookError."""
        for _ in range(int(self.hooks.ready / POLL)):
            if self.listens():
                return
            if not self.running:
                break
            await pause(POLL)
        words = self.last_words() or "none"
        raise HookError(
            f"{self.hooks.path}: {what}: nobody listens after {self.hooks.ready:g} s; its last words: {words}"
        )

    def listens(self) -> bool:
        """Whether somebody accepts connections on the port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{self.hooks.path_of_url}"

    def cannot_set(self) -> frozenset[str]:
        """Settings that the server named on its first line of output as beyond it."""
        first = self.output()[:65536].partition("\n")[0]
        with contextlib.suppress(ValueError, AttributeError):
            return frozenset(json.loads(first).get("cannot_set", ()))
        return frozenset()

    def last_words(self, lines: int = 3) -> str:
        """The end of the server's output, for messages to people."""
        last = self.output()[-4096:].splitlines()[-lines:]
        return " | ".join(line.strip() for line in last if line.strip())

    def output(self) -> str:
        """What the server has printed so far, both streams; of very much the beginning and the end."""
        return self._output.text()

    async def stop(self, *, alone: bool = False) -> int | None:
        """End it by its stop signal, then by SIGKILL to the whole group; its exit code. What the nodes share ends with
        it, unless it ends `alone`."""
        for node in self.nodes:
            await node.kill()
        code = None
        if self._child is not None:
            self.send_signal(self.hooks.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), self.hooks.grace)
            code = await self.kill()
        if self.engine is not None and not alone:
            await self.engine.stop()
        return code

    async def kill(self) -> int | None:
        """SIGKILL to the group, whether or not the leader still lives; its exit code."""
        if self._child is None:
            return None
        self._to_group(signal.SIGKILL)
        code = await self._child.wait()
        await self._output.settled()
        return code

    def kill_now(self) -> None:
        """The same without waiting, further nodes too, and no folder is left: for a way out that cannot wait."""
        for other in (*self.nodes, *([self.engine] if self.engine else [])):
            other.kill_now()
        self._to_group(signal.SIGKILL)
        self.discard()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's group, if it runs."""
        if self.running:
            self._to_group(number)

    def discard(self) -> None:
        """Remove the scratch folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _to_group(self, number: signal.Signals) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, number)


async def start(hooks: Hooks, settings: Mapping[str, Any]) -> Process:
    """Run the start hook with a free port, a scratch folder and the wanted settings (JSON), after the hook for the
    engine where there is one.

    Raises HookError when there is none, or its command cannot be run at all. Readiness is the caller's question.
    """
    folder = Path(tempfile.mkdtemp(prefix="roomproof-"))
    process: Process | None = None
    try:
        process = hooks.process(free_port(), folder, settings)
        if hooks.engine:
            shared = folder / "engine"
            shared.mkdir()
            (shared / "state").symlink_to(folder / "state")
            process.engine = Process(replace(hooks, start=hooks.engine), free_port(), shared, settings)
            await process.engine.start()
            await process.engine.until_it_listens("engine")
        await process.start()
    except BaseException:  # cancelled, too: nobody else knows of the folder
        if process is not None:
            process.kill_now()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return process


async def run_hook(
    hooks: Hooks,
    name: str,
    command: tuple[str, ...],
    *,
    environment: Mapping[str, str],
    given: bytes = b"",
    folder: Path | None = None,
) -> str:
    """Run a hook that ends, for at most `ready` and `grace` together; what it printed. Raises HookError."""
    where = f"{hooks.path}: {name}"
    try:
        child = await asyncio.create_subprocess_exec(
            *_filled(hooks, command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env={**os.environ, **environment},
            preexec_fn=die_with_parent,
        )
    except (OSError, IndexError) as error:
        raise HookError(f"{where}: cannot be run: {error}") from None
    limit = hooks.ready + hooks.grace
    try:
        out, err = await asyncio.wait_for(child.communicate(given), limit)
    except TimeoutError:
        child.kill()
        raise HookError(f"{where}: not done after {limit:g} s") from None
    if child.returncode != 0:
        words = err.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise HookError(f"{where}: exit code {child.returncode}: {words[0]}")
    return out.decode(errors="replace")


def _filled(hooks: Hooks, command: tuple[str, ...]) -> list[str]:
    names = {"{python}": sys.executable, "{here}": str(hooks.path.parent.resolve())}
    filled = []
    for part in command:
        for name, value in names.items():
            part = part.replace(name, value)
        filled.append(part)
    return filled
