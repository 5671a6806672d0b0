"""One run: the server (if it is ours), locust as a child process, lean listeners, what they say, and the end of all.

This process imports no locust and generates nothing, so what it measures of the server is not its own doing. Whatever
ends a run, there is a result. Knows no option and no report.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import __version__, result
from .parameters import PARAMETERS, PREFIX
from .scenarios import STANDS_FOR
from .service import CannotStart, Service, free_port, reachable, usage

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
AFTER = 45.0
"""Seconds beyond time and patience after which a generator that does not end is killed."""


@dataclass
class Plan:
    """What is to be run. `pid` is a server of this machine that somebody else started."""

    url: str | None
    scenario: str
    users: int
    seconds: float
    spawn_rate: float
    dialect: str = "native"
    parameters: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    path: str = "/ws"
    pid: int | None = None
    processes: int = 0
    web: int | None = None
    settings: str | None = None
    distribution: list[str] = field(default_factory=list)  # locust's own options for masters
    expect_workers: int = 0


class Failed(Exception):
    """The load could not be run: one line."""


class Run:
    """See the module. `tell` is called once a second with the newest samples."""

    def __init__(self, plan: Plan, tell: Callable[[Run], None], say: Callable[[str], None]) -> None:
        self.plan, self.tell, self.say = plan, tell, say
        self.folder = Path(tempfile.mkdtemp(prefix="roomproof-load-"))
        self.name = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(4))
        self.service: Service | None = None
        self.server: list[dict[str, Any]] = []
        self.died: dict[str, Any] | None = None
        self.interrupted = 0
        self.began = time.time()
        self.url = plan.url or ""
        self._children: list[subprocess.Popen[bytes]] = []
        self._lean: subprocess.Popen[bytes] | None = None
        self._last: tuple[float, float] | None = None
        self._down: list[list[float | None]] = []
        self._misses = 0
        self._restarted = plan.scenario != "resume-storm"

    # -- the whole ------------------------------------------------------------------------------------

    def __call__(self) -> dict[str, Any]:
        """Run it; the result. Raises Failed when it could not begin."""
        before = signal.signal(signal.SIGINT, self._interrupt)
        terminated = signal.signal(signal.SIGTERM, self._interrupt)
        load = result.machine()
        try:
            self._open()
            locust = self._start_locust()
            self._watch(locust)
            return self._result(locust, load)
        finally:
            signal.signal(signal.SIGINT, before)
            signal.signal(signal.SIGTERM, terminated)
            self._close()

    def _interrupt(self, *_: object) -> None:
        self.interrupted += 1
        if self.interrupted == 1:
            self.say("interrupted: waiting for what is on its way, then the report (once more ends it at once)")
        for child in self._children[:1]:
            if child.poll() is None:
                child.send_signal(signal.SIGINT if self.interrupted == 1 else signal.SIGKILL)

    def _open(self) -> None:
        plan = self.plan
        if plan.start is not None:
            settings = {"ROOMPROOF_SETTINGS": plan.settings} if plan.settings else {}
            self.service = Service(plan.start, settings)
            try:
                self.service.start()
            except CannotStart as error:
                raise Failed(str(error)) from None
            self.url = (plan.url or f"ws://127.0.0.1:{{port}}{plan.path}").replace("{port}", str(self.service.port))
        elif not reachable(self.url, 5.0):
            raise Failed(f"nobody takes connections at {self.url}; is the server running there?")

    def _environment(self) -> dict[str, str]:
        plan = self.plan
        given = {p.variable: str(plan.parameters[p.name]) for p in PARAMETERS if p.name in plan.parameters}
        own = {
            "SCENARIO": plan.scenario, "FOLDER": str(self.folder), "RUN": self.name, "DIALECT": plan.dialect,
            "USERS": str(plan.users), "TIME": str(plan.seconds),
        }  # fmt: skip
        return {**os.environ, **given, **{PREFIX + name: value for name, value in own.items()}}

    def _start_locust(self) -> subprocess.Popen[bytes]:
        plan = self.plan
        lean = plan.scenario == "hot-room" and plan.parameters["listeners"] == "lean"
        users = min(plan.users, plan.parameters["talkers"]) if lean else plan.users
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", self.url, "--only-summary"]
        command += ["--stop-timeout", "2", "--loglevel", "WARNING"]
        command += ["-t", f"{max(1, round(plan.seconds))}s"]
        if plan.scenario != "mixed-day":
            command += ["-u", str(users), "-r", str(plan.spawn_rate)]
        if plan.web is not None:
            command += ["--web-port", str(plan.web), "--web-host", "127.0.0.1", "--autostart", "--autoquit", "2"]
        else:
            command += ["--headless"]
        if plan.processes > 1:
            port = str(free_port())
            command += ["--processes", str(plan.processes), "--master-bind-port", port, "--master-port", port]
        command += plan.distribution
        environment = self._environment()
        with (self.folder / "locust.log").open("ab") as log:
            child = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                cwd=self.folder,
            )  # fmt: skip
            self._children.append(child)
            if lean and plan.users > users:
                arguments = ["-m", "roomproof_loadtest.lean", self.url, str(plan.users - users)]
                self._lean = subprocess.Popen(
                    [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
                self._children.append(self._lean)
        self.began = time.time()
        return child

    def _watch(self, locust: subprocess.Popen[bytes]) -> None:
        """Until locust has ended: measure the server, restart it if that is the scenario, see whether it lives."""
        plan = self.plan
        start = time.monotonic()
        wait = 60.0 if plan.expect_workers else 0.0
        limit = start + plan.seconds + plan.parameters["patience"] + AFTER + wait
        due = start
        while locust.poll() is None:
            time.sleep(0.1)
            now = time.monotonic()
            self._look(now - start)
            if now >= due:
                due += 1.0
                self._measure()
                self.tell(self)
            if not self._restarted and now - start >= self._restart_at():
                self._restarted = True
                self._restart()
            if now > limit:
                self.say("the generator did not end in time and was killed; the figures are those of its samples")
                locust.kill()
                break
        locust.wait()
        if self._lean is not None:
            self._lean.terminate()
            try:
                self._lean.wait(plan.parameters["patience"] + 15)
            except subprocess.TimeoutExpired:
                self._lean.kill()
        self.tell(self)

    # -- the server -----------------------------------------------------------------------------------

    def _measure(self) -> None:
        pid = self.service.pid if self.service is not None else self.plan.pid
        found = None if pid is None else usage(pid)
        now = time.time()
        if found is None:
            self._last = None
            return
        spent, memory = found
        cpu = None
        if self._last is not None and spent >= self._last[1]:
            cpu = round((spent - self._last[1]) / (now - self._last[0]) * 100, 1)
        self._last = (now, spent)
        self.server.append({"t": now, "cpu": cpu, "memory": memory})

    def _look(self, seconds: float) -> None:
        """Whether the server is still there; a death is a finding with its time, and ends the load."""
        if self.died is not None:
            return
        how = None
        if self.service is not None:
            code = self.service.ended
            if code is not None:
                ended = f"by signal {-code}" if code < 0 else f"with code {code}"
                how = f"its process ended {ended}: {self.service.last_words()}"
        elif self.plan.pid is not None:
            if not Path(f"/proc/{self.plan.pid}").exists():
                how = f"process {self.plan.pid} is gone"
        elif int(seconds * 10) % 10 == 0:
            self._misses = 0 if reachable(self.url) else self._misses + 1
            if self._misses >= 3:
                how = "it took no connection three times in a row"
        if how is not None:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.died = {"t": round(time.time() - self.began, 2), "at": at, "how": how}
            self._down.append([time.monotonic() - 3.0, None])
            self._tell_outages()
            self.say(f"the server died {self.died['t']:.1f} s after the beginning: {how}")
            for child in self._children[:1]:
                child.send_signal(signal.SIGINT)

    def _restart_at(self) -> float:
        return float(self.plan.parameters["restart_at"] or self.plan.seconds / 2)

    def _restart(self) -> None:
        """A restart of the server; of one that is not ours, every connection breaks off instead."""
        if self.service is None:
            self._tell_outages(cut=True)
            self.say("every user breaks its connection off (the server is not ours to restart)")
            return
        down: list[float | None] = [time.monotonic() - 0.2, None]
        self._down.append(down)
        self._tell_outages()
        self.say("restarting the server")
        began = time.monotonic()
        self.service.stop()
        try:
            self.service.start()
        except CannotStart as error:
            self.say(str(error))
            return
        self._last = None
        took = time.monotonic() - began
        down[1] = time.monotonic() + 3.0
        self._tell_outages()
        self.say(f"the server is back after {took:.2f} s")

    def _tell_outages(self, *, cut: bool = False) -> None:
        draft = self.folder / "outages.tmp"
        draft.write_text(json.dumps({"down": self._down, "cut": cut}))
        draft.rename(self.folder / "outages.json")

    # -- the end --------------------------------------------------------------------------------------

    def samples(self) -> list[dict[str, Any]]:
        """All samples so far."""
        return result.read_lines(sorted(self.folder.glob("samples-*.jsonl")))

    def _result(self, locust: subprocess.Popen[bytes], machine: Mapping[str, Any]) -> dict[str, Any]:
        finals: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob("final-*.json")):
            finals += json.loads(path.read_text())
        samples = self.samples()
        if not finals and not samples:
            raise Failed(f"the generator ended with code {locust.returncode}: {self._last_words()}")
        plan = self.plan
        head = {
            "tool": f"roomproof-load {__version__}",
            "date": datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds"),
            "scenario": plan.scenario,
            "stands_for": STANDS_FOR[plan.scenario],
            "target": self.url if self.service is None else f"{plan.start} (started for this run)",
            "dialect": plan.dialect,
            "users": plan.users,
            "seconds": plan.seconds,
            "parameters": dict(plan.parameters),
            "machine": dict(machine),
            "interrupted": bool(self.interrupted),
        }
        made = result.assemble(head, samples, finals, self.server, self.began, self.died)
        if not finals:
            made["notes"].append("the generator ended without its last words; figures are those of its samples")
        made["outages"] = [
            [round(b - time.monotonic() + time.time() - self.began, 1) if b is not None else None for b in down]
            for down in self._down
        ]
        return made

    def _last_words(self) -> str:
        lines = (self.folder / "locust.log").read_text("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def _close(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)  # workers and metronomes with it
            child.wait()
        if self.service is not None:
            self.service.remove()
        if not os.environ.get(PREFIX + "KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
