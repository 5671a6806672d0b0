"""The kit judged by liars: servers that are right but for exactly one thing (`roomproof selftest`).

A table names, for each liar, the requirement that must turn red; a hook file starts it by its name. Liars
reach the kit over a socket like any other target: nothing here, and no check, knows what a liar does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from roomproof_protocol import requirements

from . import checks, hooks
from .dialects import Dialect, load
from .hooks import Hooks
from .results import RunResult
from .run import SHORT_TIMERS, Plan, Runner, TargetError
from .verdicts import Verdict

HONEST = "honest"
"""The name under which the hook starts the server without any fault: the control."""

RED = (Verdict.FAIL, Verdict.WARN)
_SCHEMA = Path(__file__).with_name("selftest.schema.json")


class TableError(Exception):
    """A table of liars cannot be used: one clear line (file, place, what was expected)."""


@dataclass(frozen=True)
class Liar:
    """One row of the table: `requirement` must turn red; `may_also` are others broken by the same fault, and why."""

    name: str
    requirement: str
    area: str
    how: str
    may_also: Mapping[str, str]

    @property
    def globs(self) -> tuple[str, ...]:
        """The checks that it is judged by: those of the requirement's group."""
        return (f"{self.requirement.rpartition('-')[0]}-*",)


@dataclass(frozen=True)
class Row:
    """What the kit found out about one liar."""

    liar: Liar
    result: RunResult | None  # None when the run was not possible
    trouble: str = ""  # why not, or errors of the kit itself

    @property
    def reds(self) -> tuple[str, ...]:
        """The requirements that turned red."""
        found = self.result.by_requirement() if self.result else {}
        return tuple(requirement for requirement, verdict in found.items() if verdict in RED)

    @property
    def caught(self) -> bool:
        """Something turned red."""
        return bool(self.reds)

    @property
    def for_the_reason(self) -> bool:
        """The stated requirement turned red."""
        return self.liar.requirement in self.reds

    @property
    def unrelated(self) -> tuple[str, ...]:
        """What turned red and is neither stated nor allowed for."""
        return tuple(r for r in self.reds if r != self.liar.requirement and r not in self.liar.may_also)

    @property
    def stated(self) -> str:
        """What became of the checks of the stated requirement, for people."""
        if self.result is None:
            return "not run"
        own = [r for r in self.result.results if r.requirement == self.liar.requirement]
        return ", ".join(f"{r.check}: {r.verdict}" for r in own) or "no check judges it"


def read_table(path: str | Path) -> list[Liar]:
    """The liars of a table: one YAML file, or all of a folder. Raises TableError."""
    path = Path(path)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise TableError(f"table of liars {path}: expected *.yaml in this folder, found none")
    known = {row.id for row in requirements()}
    liars: dict[str, Liar] = {}
    for file in files:
        for liar in _rows(file):
            where = f"{file}: {liar.name}"
            if liar.name in liars:
                raise TableError(f"{where}: stands twice; every liar has a name of its own")
            for requirement in (liar.requirement, *liar.may_also):
                if requirement not in known:
                    raise TableError(f"{where}: there is no requirement {requirement}; see `roomproof list`")
            if not liar.name.startswith(liar.requirement.lower() + "-"):
                raise TableError(f"{where}: the name must begin {liar.requirement.lower()}-")
            liars[liar.name] = liar
    return list(liars.values())


def _rows(path: Path) -> Iterator[Liar]:
    """The rows of one file of a table. Raises TableError."""
    import yaml
    from jsonschema import Draft202012Validator

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"table of liars {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise TableError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    for fault in Draft202012Validator(schema).iter_errors(data):
        raise TableError(f"{path}: {_place(data, fault.absolute_path)}: {fault.message}")
    for row in data["liars"]:
        may_also = {other["requirement"]: other["reason"] for other in row.get("may_also", ())}
        yield Liar(row["name"], row["requirement"], row["area"], row["how"], may_also)


def _place(data: Any, path: Iterable[str | int]) -> str:
    """Where a table is wrong: the liar's name where there is one, and the member."""
    parts = list(path)
    if (
        len(parts) >= 2
        and parts[0] == "liars"
        and isinstance(parts[1], int)
        and isinstance(data["liars"][parts[1]], dict)
    ):
        parts[:2] = [str(data["liars"][parts[1]].get("name", f"liar {parts[1] + 1}"))]
    return ".".join(map(str, parts)) or "the file"


def hooks_for(template: Hooks, name: str) -> Hooks:
    """The hook file with the liar's name in place of `{liar}`."""
    return replace(template, start=tuple(part.replace("{liar}", name) for part in template.start))


async def judge(
    name: str,
    template: Hooks,
    globs: Sequence[str],
    *,
    dialect: Dialect | None = None,
    settings: Mapping[str, Any] = SHORT_TIMERS,
    longest: float | None = None,
) -> RunResult:
    """Run the chosen checks, and all watches, against the server of that name.

    `longest` leaves out what must wait longer (seconds). Raises TargetError.
    """
    _, watches = checks.load()
    only = (*globs, *(watch.check.id for watch in watches))
    hooked = hooks_for(template, name)
    plan = Plan(dialect or load("native"), hooks=hooked, settings=settings, only=only, longest=longest)
    return await Runner(plan).run()


def judge_liar(liar: Liar, template: Hooks, longest: float | None = None) -> Row:
    """Judge one liar. What goes wrong is told in the row, which holds no transcripts."""
    try:
        result = asyncio.run(judge(liar.name, template, liar.globs, longest=longest))
    except TargetError as error:
        return Row(liar, None, str(error))
    except BaseExceptionGroup as group:  # from a server of a scenario's own, which runs in a task
        if group.split(TargetError)[1] is not None:
            raise
        return Row(liar, None, "; ".join(map(str, group.exceptions)))
    result.transcripts.clear()
    errors = [f"{r.check}: {r.conclusion.explanation}" for r in result.having(Verdict.KIT_ERROR)]
    return Row(liar, result, "; ".join(errors))


def selftest(
    liars: Iterable[Liar], hook_file: str | Path, *, jobs: int = 3, longest: float | None = None
) -> Iterator[Row]:
    """Judge the liars, `jobs` of them side by side, and give each row when it is there.

    Each run has a process of its own: in one event loop the end of one run, which folds watches over all
    transcripts, would stall the others longer than the shortest heartbeat. Raises `hooks.HookError`.
    """
    template = hooks.load(hook_file)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(judge_liar, liar, template, longest) for liar in liars]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def lines(rows: Sequence[Row]) -> list[str]:
    """The score as a table for people, one line for each liar and one for the sum."""
    width = max((len(row.liar.name) for row in rows), default=4)
    out = [f"{'liar':{width}}  caught  for the reason  unrelated reds"]
    for row in sorted(rows, key=lambda row: (row.liar.area, row.liar.name)):
        end = ", ".join(row.unrelated) or "none"
        if not row.for_the_reason:
            end += f"  ({row.trouble or row.stated})"
        caught, reason = ("yes" if yes else "NO" for yes in (row.caught, row.for_the_reason))
        out.append(f"{row.liar.name:{width}}  {caught:6}  {reason:14}  {end}")
    sums = sum(r.caught for r in rows), sum(r.for_the_reason for r in rows), sum(len(r.unrelated) for r in rows)
    score = f"{sums[0]} caught, {sums[1]} for the stated reason, {sums[2]} unrelated reds"
    return [*out, f"{len(rows)} liars: {score}"]
