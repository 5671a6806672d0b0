"""Progress while a load runs, on stderr: one line that changes on a terminal, one each ten seconds when piped."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from roomproof_loadtest.figures import Histogram, Sheet

if TYPE_CHECKING:
    from roomproof_loadtest.running import Plan, Run

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """NO_COLOR is honoured: without it a violation is red on a terminal."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._red = ("\x1b[31m", "\x1b[0m") if self._live and "NO_COLOR" not in os.environ else ("", "")
        self._said = time.monotonic()
        self._width = 0
        self._print(f"{plan.scenario}: {plan.users} users for {plan.seconds:g} s")

    def tell(self, run: Run) -> None:
        """The newest second of all processes."""
        if not self._live and time.monotonic() - self._said < EVERY:
            return
        self._said = time.monotonic()
        samples = run.samples()
        if not samples:
            return
        line = self._line(samples, time.time() - run.began, run.server[-1] if run.server else None)
        if self._live:
            sys.stderr.write("\r" + line.ljust(self._width))
            sys.stderr.flush()
            self._width = len(line)
        else:
            self._print(line)

    def _line(self, samples: list[dict[str, Any]], gone: float, server: dict[str, Any] | None) -> str:
        last = max(sample["t"] for sample in samples)
        sheet, users, bad = Sheet(), 0, 0
        newest: dict[Any, dict[str, Any]] = {}
        for sample in samples:
            counts = sample["counts"]
            bad += sum(n for name, n in counts.items() if name.startswith("violation:"))
            if sample["t"] > last - 1.1:
                newest[sample.get("worker")] = sample
        for sample in newest.values():
            sheet.merge(Sheet.from_json(sample))
            users += sample["connections"]
        delivery = sheet.latency.get("delivery", Histogram())
        red, plain = self._red if bad else ("", "")
        parts = [
            f"{min(gone, 9999):4.0f}/{self._plan.seconds:g} s", f"{users} connections",
            f"{sheet.counts['deliveries']:,} deliveries/s",
        ]  # fmt: skip
        if delivery.count:
            parts.append(f"p50 {delivery.percentile(50):.1f} p99 {delivery.percentile(99):.1f} ms")
        if server is not None and server["cpu"] is not None:
            parts.append(f"server {server['cpu']:.0f} % {server['memory'] / 2**20:.0f} MiB")
        parts.append(f"{red}{bad} violations{plain}")
        return ", ".join(parts)

    def say(self, line: str) -> None:
        """Something happened."""
        if self._live and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
        self._print(line)

    def end(self) -> None:
        if self._live and self._width:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
