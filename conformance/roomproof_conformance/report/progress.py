"""What a run tells while it goes on, on stderr: a few live lines on a terminal, nothing but notes in a pipe.

Knows no result: that goes to stdout, and is the business of `terminal`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from roomproof_conformance.verdicts import Verdict

from .console import COLOURS, console_on
from .escaping import encodable, visible
from .ledger import by_care, duration
from .secrets import hide

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from roomproof_conformance.case import Case
    from roomproof_conformance.known import KnownChecks

SHOWN = 6
"""Running cases that are shown at once."""

WORTH_SAYING = 10.0
"""Seconds of waiting that are announced even in a pipe."""


@dataclass
class _Running:
    since: float
    until: float | None = None
    why: str = ""


class TerminalProgress:
    """A `target.Progress` for people: use it as a context manager around the run.

    `clock` gives seconds; the console is rich's, on stderr unless one is given; what is `known` to fail is not
    called out.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        known: KnownChecks | None = None,
    ) -> None:
        self._console = console or console_on("stderr")
        self._clock = clock
        self._known = known
        self._lock = threading.Lock()  # rich draws from a thread of its own
        self._live: Live | None = None
        self._cases = 0
        self._began = clock()
        self._end = self._began
        self._done = 0
        self._counts: Counter[Verdict] = Counter()
        self._red: list[str] = []
        self._running: dict[str, _Running] = {}

    def __enter__(self) -> TerminalProgress:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(
                get_renderable=self.view,
                console=self._console,
                refresh_per_second=4,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the live lines away; more than once does no harm."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    # -- what the run says -----------------------------------------------------------------------------

    def planned(self, cases: int, longest: float) -> None:
        with self._lock:
            self._cases = cases
            self._began = self._clock()
            self._end = self._began + longest
        if longest >= WORTH_SAYING and not self._console.is_terminal:
            self.note(f"{cases} cases; the longest must wait {duration(longest)} (less with --quick)")

    def started(self, case: Case) -> None:
        with self._lock:
            self._running[case.scenario.name] = _Running(self._clock())

    def waiting(self, case: Case, seconds: float, why: str) -> None:
        with self._lock:
            running = self._running.setdefault(case.scenario.name, _Running(self._clock()))
            running.until, running.why = self._clock() + seconds, why

    def finished(self, case: Case, verdicts: Mapping[str, str]) -> None:
        with self._lock:
            self._running.pop(case.scenario.name, None)
            self._done += 1
            self._counts.update(Verdict(verdict) for verdict in verdicts.values())
            self._red += [check for check, verdict in verdicts.items() if verdict == Verdict.FAIL and self._news(check)]

    def note(self, line: str) -> None:
        from rich.text import Text

        self._console.print(Text(self._safe(visible(hide(line), 1000))), soft_wrap=True)

    def _news(self, check: str) -> bool:
        return self._known is None or self._known.find(check) is None

    # -- what is drawn -----------------------------------------------------------------------------------

    def view(self) -> Text:
        """The live lines as they are now."""
        from rich.text import Text

        now = self._clock()
        with self._lock:
            running = sorted(self._running.items(), key=lambda item: -(item[1].until or 0.0))
            counts = by_care(self._counts.elements())
            done, red, left = self._done, list(self._red), self._end - now
        lines = [Text(f"{done} of {self._cases} cases" if self._cases else "looking for the server", style="bold")]
        lines[0].append(f"  {duration(now - self._began)}", style="dim")
        if left > 1 and done < self._cases:
            lines[0].append(f", about {duration(left)} still", style="dim")
        if self._cases:
            lines.append(self._bar(done, left))
        if counts:
            tally = [Text(f"{count} {state}", style=COLOURS[state]) for state, count in counts.items()]
            lines.append(Text("  ").join([Text(""), *tally]))
        if red:
            more = f" and {len(red) - 3} before" if len(red) > 3 else ""
            lines.append(Text(f"  fail: {', '.join(red[-3:])}{more}", style=COLOURS[Verdict.FAIL]))
        shown = max(1, min(SHOWN, self._console.height - 4))
        for name, state in running[:shown]:
            lines.append(Text(f"  {name}  "))
            if state.until is not None and state.until > now:
                lines[-1].append(f"{duration(state.until - now)} still: {visible(state.why, 120)}", style="cyan")
            else:
                lines[-1].append(f"running for {duration(now - state.since)}", style="dim")
        if len(running) > shown:
            lines.append(Text(f"  and {len(running) - shown} more", style="dim"))
        for line in lines:
            line.plain = self._safe(line.plain)
            line.truncate(self._console.width - 1, overflow="ellipsis" if self._safe("…") == "…" else "crop")
        return Text("\n").join(lines)

    def _bar(self, done: int, left: float) -> Text:
        """Cases that are done; where only waiting is left, time is what counts."""
        from rich.text import Text

        width = min(60, self._console.width - 4)
        planned = self._end - self._began
        waited = 1.0 if planned <= 0 else min(1.0, max(0.0, 1 - left / planned))
        share = min(done / self._cases, waited) if done < self._cases else 1.0
        full = int(share * width)
        bar = Text("  ")
        bar.append("━" * full, style="green" if not self._red else COLOURS[Verdict.FAIL])
        bar.append("─" * (width - full), style="dim")
        return bar

    def _safe(self, text: str) -> str:
        return encodable(text, self._console.encoding)
