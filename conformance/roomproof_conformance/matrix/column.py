"""One server of a matrix, judged in a process of its own: `python -m roomproof_conformance.matrix.column JOB`.

JOB is a JSON document (`Job`). The process tells how far it is in JSON lines on stdout, and leaves in its folder the
server's own report, its transcripts, its output, and `column.json`: what the matrix shows of it. So one server that
floods, or a fault of the kit, takes no other column with it. Knows no other server.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roomproof_conformance import known
from roomproof_conformance.checks import all_checks
from roomproof_conformance.dialects import load as load_dialect
from roomproof_conformance.hooks import HookError, Hooks
from roomproof_conformance.hooks import load as load_hooks
from roomproof_conformance.interruption import interruptible
from roomproof_conformance.report import write_html, write_json, write_transcripts
from roomproof_conformance.report.escaping import visible
from roomproof_conformance.report.evidence import FOUND, sent
from roomproof_conformance.report.files import write
from roomproof_conformance.report.ledger import Row, ledger, notes
from roomproof_conformance.report.secrets import conceal, hide
from roomproof_conformance.results import RunResult
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner
from roomproof_conformance.target import StartError, TargetError
from roomproof_conformance.verdicts import Verdict

from .environments import EnvironmentFault, ensure, versions
from .program import program
from .servers import Server, load

if TYPE_CHECKING:
    from roomproof_conformance.case import Case

ENDED = "ended"
"""How the state of a server begins that has ended by itself (`StartError`)."""
EXCEPTION = re.compile(r"^[\w.]*(?:Error|Exception|Exit|Fault|Interrupt|panic)\b.*", re.MULTILINE)
TRACEBACK = re.compile(
    r"^([ \t|+]*)Traceback \(most recent call last\):\n((?:\1[ \t]+.*\n|[ \t|+]*\n)+)\1(\S.*)", re.MULTILINE
)
PLACE = re.compile(r'File "([^"\n]*)", line (\d+)')
_PR_SET_CHILD_SUBREAPER = 36
DEPTH = 20
"""How often to look for orphans: each that dies may leave its own."""
LONGEST = 300
"""Letters of an exception."""


@dataclass(frozen=True)
class Job:
    """What a column is to be made of: the same for all servers of a matrix but for `server` and `folder`."""

    file: str
    server: str
    folder: str  # where it leaves what it found
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    longest: float | None = None
    quick: bool = False
    scale: float = 1.0

    def as_text(self) -> str:
        return json.dumps(asdict(self))


def empty(server: Server, state: str = "not-tried", why: str = "") -> dict[str, Any]:
    """The column of a server of which nothing is known yet."""
    return {
        "name": server.name, "title": server.title, "set": server.set, "remark": server.remark,
        "dialect": load_dialect(server.dialect).name,
        "state": state, "why": why, "exception": None, "python": None, "packages": [],
        "wall_seconds": 0.0, "starts": 0, "killers": [], "notes": [], "headline": "", "exit_code": 3,
        "interrupted": False, "counts": {}, "checks": 0, "files": {}, "rows": {},
    }  # fmt: skip


class Telling:
    """Progress as JSON lines on stdout."""

    def __init__(self) -> None:
        self._done = 0
        self._red = 0

    def planned(self, cases: int, longest: float) -> None:
        self._tell(planned=cases, longest=longest)

    def started(self, case: Case) -> None: ...
    def waiting(self, case: Case, seconds: float, why: str) -> None: ...
    def note(self, line: str) -> None: ...

    def finished(self, case: Case, verdicts: Mapping[str, str]) -> None:
        self._done += 1
        self._red += sum(verdict == Verdict.FAIL for verdict in verdicts.values())
        self._tell(done=self._done, red=self._red)

    def _tell(self, **said: object) -> None:
        print(json.dumps(said), flush=True)


def judge(job: Job) -> dict[str, Any]:
    """Judge the server and write what there is to keep; the column."""
    server = next(s for s in load(job.file).servers if s.name == job.server)
    column = empty(server)
    began = time.monotonic()
    try:
        hooks = _hooks(server, column)
    except (EnvironmentFault, HookError) as error:
        return column | {"state": "not-set-up", "why": hide(str(error)), "wall_seconds": time.monotonic() - began}
    except KeyboardInterrupt:
        return column | {"interrupted": True, "exit_code": 130, "why": "interrupted"}
    runner = Runner(_plan(server, hooks, job))
    trouble: TargetError | None = None
    try:
        asyncio.run(interruptible(runner))
    except TargetError as error:
        trouble = error
    result = runner.result
    _excuse(server, result)
    column["files"] = _keep(runner, Path(job.folder))
    result.files = write_transcripts(result, Path(job.folder) / "transcripts") if result.transcripts else {}
    column |= _told(result, job)
    column["starts"], column["wall_seconds"] = len(runner.processes), round(time.monotonic() - began, 3)
    if trouble is None and result.interrupted and not result.transcripts:
        return column | {"why": "interrupted", "rows": {}, "counts": {}}
    if trouble is None or result.transcripts:  # a server that was judged in part is judged
        column["notes"] += [visible(hide(str(trouble)), FOUND)] if trouble else []
        write_html(result, Path(job.folder) / "report.html")
        write_json(result, Path(job.folder) / "report.json")
        column["files"] |= {"report": "report.html", "json": "report.json", "transcripts": "transcripts"}
        return column | {"state": "judged"}
    return column | _not_judged(server, trouble, runner) | {"rows": {}, "counts": {}, "checks": 0, "exit_code": 3}


def _hooks(server: Server, column: dict[str, Any]) -> Hooks | None:
    """How the server is started, its environment made. Raises EnvironmentFault and HookError."""
    if server.hooks is not None:
        return load_hooks(server.hooks)
    if not server.command:
        return None
    python = None
    if any("{python}" in word for word in server.command):
        column["python"] = ".".join(map(str, sys.version_info[:3]))
    if server.pins is not None:
        print(json.dumps({"making": "its environment"}), flush=True)
        python = ensure(server.pins)
        column["packages"] = versions(python)
    return program(server, python)


def _plan(server: Server, hooks: Hooks | None, job: Job) -> Plan:
    repeat = ["roomproof", "matrix", job.file, "--server", server.name]
    return Plan(
        load_dialect(server.dialect),
        url=server.url,
        hooks=hooks,
        settings=dict(SHORT_TIMERS) if server.timers == "short" else {},
        only=tuple(job.only),
        skip=tuple(job.skip),
        longest=job.longest,
        quick=job.quick,
        scale=job.scale,
        repeat=shlex.join(repeat),
        progress=Telling(),
    )


def _excuse(server: Server, result: RunResult) -> None:
    if server.known_failing or server.known_flaky:
        known.load(server.known_failing, server.known_flaky, (check.id for check in all_checks())).mark(result)


def _keep(runner: Runner, folder: Path) -> dict[str, str]:
    """Write what the server printed, all its starts one after the other."""
    if not runner.processes:
        return {}
    parts = [
        f"=== start {number}, port {process.port}, exit code {process.exit_code}\n{process.output()}"
        for number, process in enumerate(runner.processes, 1)
    ]
    write(folder / "output.txt", lambda file: file.write("\n".join(parts) + "\n"))
    return {"output": "output.txt"}


def _not_judged(server: Server, trouble: TargetError, runner: Runner) -> dict[str, Any]:
    """Why a server was not judged: it ended, or runs and lets nobody talk."""
    output = runner.processes[0].output() if runner.processes else ""
    if isinstance(trouble, StartError):
        state = "not-started" if trouble.state.startswith(ENDED) else "lets-nobody-in"
        return {"state": state, "why": visible(hide(trouble.state), FOUND), "exception": exception(output)}
    state = "not-reached" if server.url else "not-set-up"
    return {"state": state, "why": visible(hide(str(trouble)), FOUND), "exception": exception(output)}


def exception(output: str) -> str | None:
    """The last exception of a server's output, and where it arose: named after a traceback, or in a line alone."""
    tracebacks = list(TRACEBACK.finditer(output))
    if tracebacks:
        last = tracebacks[-1]
        places = PLACE.findall(last[2])
        where = f" ({Path(places[-1][0]).name}, line {places[-1][1]})" if places else ""
        return visible(hide(last[3].strip()), LONGEST) + visible(where)
    named = EXCEPTION.findall(output)
    return visible(hide(named[-1].strip()), LONGEST) if named else None


def _told(result: RunResult, job: Job) -> dict[str, Any]:
    """What the matrix shows of a run."""
    shown = conceal(result)
    book = ledger(shown)
    return {
        "killers": [visible(name, 120) for name in result.killers],
        "notes": [visible(note, 500) for note in notes(shown)[:100]],
        "headline": book.headline,
        "exit_code": result.exit_code,
        "interrupted": result.interrupted,
        "counts": dict(book.counts),
        "checks": len(result.results),
        "rows": {row.id: _cell(shown, row, Path(job.folder)) for row in book.rows if row.checks},
    }


def _cell(result: RunResult, row: Row, folder: Path) -> dict[str, Any]:
    """What decides a row, in words that are safe to show."""
    worst = row.worst
    judged = worst.conclusion.judged
    lines, before = sent(result, worst) if worst.verdict is not Verdict.PASS else ([], 0)
    case = result.files.get(worst.case or "")
    words = [f"{visible(line.conn, 12)} at {line.t:.3f} s: {line.label} {line.text(300)}".rstrip() for line in lines]
    return {
        "state": worst.state,
        "check": worst.check,
        "title": worst.title,
        "reason": worst.conclusion.reason.value if worst.conclusion.reason else None,
        "explanation": visible(worst.conclusion.explanation, FOUND),
        "statement": visible(judged.sentence, 300) if judged else None,
        "expected": visible(judged.finding.expected, FOUND) if judged else None,
        "seen": visible(judged.finding.seen, FOUND) if judged else None,
        "sent": [*([f"… {before} before"] if before else []), *words],
        "repeat": worst.repeat,
        "transcript": str(case.resolve().relative_to(folder.resolve())) if case else None,
        "checks": {check.check: check.state for check in row.checks},
    }


def adopt() -> None:
    """Become the parent of whatever a server leaves behind, where the system offers it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_orphans() -> None:
    """Kill what has left its server's process group and is now ours, and what that had started in its turn."""
    for _ in range(DEPTH):
        try:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        except OSError:
            return
        if not children:
            return
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
                os.kill(int(child), signal.SIGKILL)
                os.waitpid(int(child), 0)


def main(arguments: list[str]) -> int:
    """Make the column of the job, whatever happens to its server; the exit code of its run."""
    job = Job(**json.loads(arguments[0]))
    adopt()
    try:
        column = judge(job)
    finally:
        end_orphans()
    write(Path(job.folder) / "column.json", lambda file: json.dump(column, file))
    exit_code: int = column["exit_code"]
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
