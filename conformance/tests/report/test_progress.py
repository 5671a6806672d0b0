from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from roomproof_conformance.known import Entry, KnownChecks
from roomproof_conformance.report.progress import TerminalProgress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def console(*, terminal: bool, encoding: str = "utf-8", width: int = 100) -> tuple[Console, io.TextIOWrapper]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    return Console(file=file, force_terminal=terminal, width=width, height=30, _environ={"TERM": "xterm"}), file


def written(file: io.TextIOWrapper) -> str:
    file.flush()
    buffer: Any = file.buffer
    return buffer.getvalue().decode(file.encoding)


def case(name: str) -> Any:
    return SimpleNamespace(scenario=SimpleNamespace(name=name))


def busy(progress: TerminalProgress, clock: Clock) -> None:
    progress.planned(40, 36.0)
    for name in ("BEAT-5.silent", "MSG-1.echo", "ROOM-5.leak"):
        progress.started(case(name))
    progress.waiting(case("BEAT-5.silent"), 36.0, "a client that never answers")
    progress.waiting(case("MSG-1.echo"), 2.0, "within the claimed rate limit")
    clock.now += 5
    progress.finished(case("ROOM-5.leak"), {"ROOM-5.leak": "fail", "ROOM-6.other": "pass"})


def test_the_live_lines_say_what_runs_and_for_how_long_still() -> None:
    clock = Clock()
    progress = TerminalProgress(console(terminal=True)[0], clock=clock)
    assert progress.view().plain == "looking for the server  0 s"
    busy(progress, clock)
    assert progress.view().plain.splitlines() == [
        "1 of 40 cases  5.0 s, about 31.0 s still",
        "  " + "━" + "─" * 59,
        "  1 fail  1 pass",
        "  fail: ROOM-5.leak",
        "  BEAT-5.silent  31.0 s still: a client that never answers",
        "  MSG-1.echo  running for 5.0 s",
    ]


def test_what_is_known_to_fail_is_not_called_out() -> None:
    clock = Clock()
    known = KnownChecks((Entry("failing", "ROOM-5.*", "being rewritten", "known.yaml:3"),))
    progress = TerminalProgress(console(terminal=True)[0], clock=clock, known=known)
    busy(progress, clock)
    assert "  1 fail  1 pass" in progress.view().plain
    assert "ROOM-5.leak" not in progress.view().plain


def test_the_bar_follows_time_where_only_waiting_is_left_and_ends_full() -> None:
    clock = Clock()
    progress = TerminalProgress(console(terminal=True)[0], clock=clock)
    progress.planned(4, 100.0)
    for number in range(3):
        progress.finished(case(f"MSG-{number}.x"), {})
    assert progress.view().plain.splitlines()[1].count("━") == 0
    clock.now += 50
    assert progress.view().plain.splitlines()[1].count("━") == 30
    progress.finished(case("BEAT-1.x"), {})
    assert progress.view().plain.splitlines()[1].count("━") == 60


def test_many_running_cases_are_counted() -> None:
    progress = TerminalProgress(console(terminal=True)[0], clock=Clock())
    for number in range(20):
        progress.started(case(f"MSG-{number}.x"))
    assert progress.view().plain.splitlines()[-1] == "  and 14 more"


def test_live_lines_fit_and_are_plain_where_they_must_be() -> None:
    clock = Clock()
    progress = TerminalProgress(console(terminal=True, encoding="ascii", width=40)[0], clock=clock)
    busy(progress, clock)
    progress.waiting(case("MSG-1.x"), 9.0, "…\x1b[31m" * 30)
    lines = progress.view().plain.splitlines()
    assert max(map(len, lines)) <= 39
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_a_pipe_gets_notes_only() -> None:
    clock = Clock()
    target, file = console(terminal=False)
    with TerminalProgress(target, clock=clock) as progress:
        busy(progress, clock)
        progress.note("after ERR-9.nesting the server is \x1b[31mgone [bold] ?token=0123456789ab")
    assert (
        written(file) == "40 cases; the longest must wait 36.0 s (less with --quick)\n"
        "after ERR-9.nesting the server is "
        "\\x1b[31mgone [bold] ?token=0123… (12 characters)\n"
    )


def test_short_runs_are_silent_in_a_pipe() -> None:
    target, file = console(terminal=False)
    with TerminalProgress(target) as progress:
        progress.planned(40, 4.0)
    assert written(file) == ""


def test_a_terminal_is_left_clean_however_often_it_is_stopped() -> None:
    target, file = console(terminal=True)
    with TerminalProgress(target) as progress:
        progress.planned(40, 4.0)
        progress.stop()
        progress.stop()
    assert written(file).rstrip().endswith(("\x1b[?25h", "\x1b[2K"))
