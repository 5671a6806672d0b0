"""What locust loads: one scenario, its parameters, the judges, and the report to whoever started it.

`roomproof-load` starts `locust -f` this file as a child process; it can be given to locust by hand as well. Everything
comes by the environment: ROOMPROOF_LOAD_SCENARIO, _DIALECT, _FOLDER (where samples and results go), _RUN, _TIME,
_USERS, and one variable for each parameter. Importing it imports locust, which patches the sockets of its process.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.runners import MasterRunner, WorkerRunner

from roomproof_conformance.judges.live import Violation
from roomproof_loadtest import parameters, scenarios, stage
from roomproof_loadtest.feeding import feed, violation_as_failure
from roomproof_loadtest.heartbeat import Metronome

NAME = os.environ.get(parameters.PREFIX + "SCENARIO", "steady-chat")
FOLDER = Path(os.environ.get(parameters.PREFIX + "FOLDER") or ".")
WHOLE = 30.0
"""Seconds that the master waits for what its workers have to say at the end."""

# Locust takes every user class among the names of this module, each under one name only.
globals()[scenarios.SCENARIOS[NAME][1]] = scenarios.find(NAME)
if NAME == "mixed-day":
    from roomproof_loadtest.scenarios import day

    globals()["DayShape"] = day.DayShape


class Process:
    """This process of the load: local, worker or master."""

    def __init__(self, environment: Any) -> None:
        self.environment, self.runner = environment, environment.runner
        self.stage: stage.Stage | None = None
        self.finals: dict[str, Any] = {}
        self.told = False
        self.metronome: Metronome | None = None
        self._out = None
        if not isinstance(self.runner, WorkerRunner):
            self._out = (FOLDER / "samples-locust.jsonl").open("a", buffering=1)
        if isinstance(self.runner, MasterRunner):
            self.runner.register_message("load_sample", self._from_worker)
            self.runner.register_message("load_final", self._worker_is_done)

    # -- the generating side --------------------------------------------------------------------------

    def begin(self) -> None:
        """The load starts; on the master nothing is generated."""
        if isinstance(self.runner, MasterRunner):
            return
        found = parameters.defaults() | parameters.from_environment(os.environ)
        made = stage.make(
            self.environment.host or "ws://127.0.0.1:8765",
            os.environ.get(parameters.PREFIX + "DIALECT") or "native",
            found,
            os.environ.get(parameters.PREFIX + "RUN") or f"{int(time.time()) % 46656:x}",
            self._violated,
        )
        made.worker = chr(ord("a") + max(0, getattr(self.runner, "worker_index", 0)) % 26)
        scenarios.find(NAME).stage = made
        self.stage = made
        self.metronome = Metronome()
        gevent.spawn(self.metronome.listen, lambda lag: made.board.now.took("own lag", lag * 1000.0))
        gevent.spawn(self._every_second)
        gevent.spawn(self._outages)

    def _violated(self, violation: Violation) -> None:
        violation_as_failure(self.environment, violation)

    def _every_second(self) -> None:
        due = time.monotonic()
        while not self.told:
            due = max(due + 1.0, time.monotonic())
            gevent.sleep(max(0.0, due - time.monotonic()))
            if self.stage is not None and not self.told:
                self.stage.board.crowd.sweep(time.monotonic())
                self._sample()

    def _sample(self) -> None:
        assert self.stage is not None
        sheet = self.stage.board.now
        feed(self.runner.stats, sheet)
        sample = self.stage.board.sample(self.runner.user_count)
        if isinstance(self.runner, WorkerRunner):
            self.runner.send_message("load_sample", sample)
        else:
            self._write(sample)

    def _outages(self) -> None:
        """Whoever restarts the server says so in a file, before it does; without one every user is cut off."""
        place, seen = FOLDER / "outages.json", ""
        while self.stage is not None and not self.told:
            gevent.sleep(0.1)
            try:
                text = place.read_text()
            except OSError:
                continue
            if text == seen:
                continue
            seen = text
            said = json.loads(text)
            self.stage.board.forgive = [(begin, end or 1e18) for begin, end in said["down"]]
            if said.get("cut"):
                for user in list(self.stage.here):
                    user.break_off()

    def stopping(self) -> None:
        """Before users go: wait for what is on its way."""
        if self.stage is not None:
            self.stage.fence(self.stage.parameters["patience"])

    def stopped(self) -> None:
        """All users are gone: the last word of this process."""
        if self.stage is None or self.told:
            return
        self._sample()
        self.told = True
        if self.metronome is not None:
            self.metronome.stop()
        final = self.stage.board.final()
        if isinstance(self.runner, WorkerRunner):
            self.runner.send_message("load_final", final)
        else:
            self.finals["local"] = final
            self._write_final()

    # -- the collecting side --------------------------------------------------------------------------

    def _from_worker(self, environment: Any, msg: Any, **kwargs: Any) -> None:
        self._write({**msg.data, "worker": msg.node_id})

    def _worker_is_done(self, environment: Any, msg: Any, **kwargs: Any) -> None:
        self.finals[msg.node_id] = msg.data

    def _write(self, sample: dict[str, Any]) -> None:
        if self._out is not None:
            self._out.write(json.dumps(sample) + "\n")

    def _write_final(self) -> None:
        draft = FOLDER / "final-locust.tmp"
        draft.write_text(json.dumps(list(self.finals.values())))
        draft.rename(FOLDER / "final-locust.json")

    def quitting(self) -> None:
        """The end: on the master when all workers have spoken."""
        if not isinstance(self.runner, MasterRunner):
            if self.stage is not None and not self.told:
                self.runner.stop()
                self.stopped()
            return
        expected = len(self.runner.clients)
        self.runner.stop()
        until = time.monotonic() + WHOLE
        while len(self.finals) < expected and time.monotonic() < until:
            gevent.sleep(0.1)
        self._write_final()


def _init(environment: Any, **kwargs: Any) -> None:
    process = Process(environment)
    environment.events.test_start.add_listener(lambda **_: process.begin())
    environment.events.test_stopping.add_listener(lambda **_: process.stopping())
    environment.events.test_stop.add_listener(lambda **_: process.stopped())
    environment.events.quitting.add_listener(lambda **_: process.quitting())


events.init.add_listener(_init)
