"""The kit under load: false alarms against the honest server, and liars that must be caught all the same.

    python -m tools.soak.run                              # the long form, hours; writes docs/results/soak.json
    python -m tools.soak.run --seconds 3600               # an hour of it; started again, it goes on
    python -m tools.soak.run --sum                        # only the sum of what there is
    python -m tools.soak.run --runs 3 --quarter 0 --liars 2 --no-write    # what CI runs

Every run is a full one with short timers. Its record goes to docs/results/soak.jsonl at once; the sum counts the
records of the sources as they are now, for a bound and its false alarms belong together. Exit code 1 when a bar is
missed: no fail, no warn, no error of the kit, every run with a result, at most 1 % inconclusive or without a
set-up, and 95 % of the liars caught for their reason.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roomproof_conformance.selftest import HONEST, Liar, read_table
from tools import LIARS, RESULTS, ROOT
from tools.soak.load import busy, quarter
from tools.soak.sums import bars_missed, figures, lines
from tools.support.kit_process import RED, Kit, Run, append, hook_file, interruptible, read_lines, source
from tools.support.results import commit, keep, write_options
from tools.support.spread import spread

KEPT = ROOT / ".work" / "soak"
"""Where the conversations go that a false alarm rests on."""

READY = "60s"
"""How long a start may take: no bound of the protocol, but what a hook file says of the machine."""


@dataclass(frozen=True)
class Task:
    """One run: under which load, against whom."""

    load: str  # busy | quarter
    liar: Liar | None
    number: int

    @property
    def key(self) -> tuple[str, str, int]:
        """By which a record is known to be of this task."""
        return self.load, self.liar.name if self.liar else HONEST, self.number


def tasks(runs: int, quarters: int, liars: int, seed: int) -> list[Task]:
    """All runs in an order whose every beginning has its share of each kind."""
    table = spread(read_table(LIARS / "table"), lambda liar: liar.area, lambda liar: liar.name, seed)[:liars]
    kinds = (
        [Task("busy", None, number) for number in range(runs)],
        [Task("quarter", None, number) for number in range(quarters)],
        [Task("busy", liar, 0) for liar in table],
    )
    placed = [((n + 0.5) / len(kind), which, task) for which, kind in enumerate(kinds) for n, task in enumerate(kind)]
    return [task for _, _, task in sorted(placed, key=lambda entry: entry[:2])]


@contextmanager
def loaded(load: str, kit: Kit, processes: int) -> Generator[None]:
    """The machine as the task wants it, for the length of the block."""
    with ExitStack() as stack:
        if load == "busy":
            stack.enter_context(busy(processes))
        else:
            stack.enter_context(quarter(lambda: list(kit.started)))
        yield


def _hooks(task: Task, folder: Path) -> Path:
    """The hook file: that of the reference, with time to start; that of the liars made out for this one."""
    if task.liar is None:
        return hook_file(folder / "reference.yaml", ready=READY)
    text = (LIARS / "hooks.yaml").read_text(encoding="utf-8")
    path = folder / "hooks.yaml"
    path.write_text(text.replace("{here}", str(LIARS)).replace("{liar}", task.liar.name), encoding="utf-8")
    return path


def run_task(task: Task, folder: Path, processes: int, limit: float) -> dict[str, Any]:
    """One run under load; its record."""
    name = task.liar.name if task.liar else HONEST
    talks = folder / "transcripts"
    shutil.rmtree(talks, ignore_errors=True)
    kit = Kit(_hooks(task, folder), folder, limit)
    about = {"commit": commit(), "source": source()}
    with loaded(task.load, kit, processes):
        run = kit.run("--transcripts", str(talks))
    record = {"load": task.load, "target": name, "number": task.number, **about, **_facts(run, talks)}
    if task.liar:
        return record | _caught(task.liar, run)
    _keep(task, run, talks)
    return record


def _facts(run: Run, talks: Path) -> dict[str, Any]:
    report: Mapping[str, Any] = run.report or {}
    return {
        "seconds": round(run.seconds, 1),
        "exit_code": run.code,
        "timed_out": run.timed_out,
        "words": run.words[-400:] if run.report is None else "",
        "worst_lag": report.get("worst_lag_seconds"),
        "counts": report.get("counts", {}),
        "reds": [_finding(check, talks) for check in run.having(*RED)],
        "kit_errors": [_finding(check, talks) for check in run.having("kit-error")],
        "inconclusive": [_finding(check, talks) for check in run.having("inconclusive")],
        "not_judged": [
            {"check": check["check"], "reason": check["reason"], "explanation": check["explanation"][:300]}
            for check in run.having("not-judged")
        ],
    }


def _finding(check: Mapping[str, Any], talks: Path) -> dict[str, Any]:
    """A verdict with what a reader needs to find out whose fault it was; `lag` is the kit's own, in its case."""
    kept = ("check", "level", "verdict", "statement", "explanation", "expected", "seen", "case", "seconds", "tries")
    cut = {key: value[:500] if isinstance(value := check[key], str) else value for key in kept}
    return cut | {"lag": _lag(check["case"], talks)}


def _transcript(case: str | None, talks: Path) -> Path | None:
    """The file of a case: named after it where that is a safe name, as the names of checks are."""
    path = talks / f"{case}.jsonl"
    return path if case and path.exists() else None


def _lag(case: str | None, talks: Path) -> float | None:
    """The worst lag (seconds) of the kit during a case, None where its transcript is not there."""
    path = _transcript(case, talks)
    if path is None:
        return None
    records = read_lines(path)
    return round(max((r["data"]["seconds"] for r in records if r.get("kind") == "noise"), default=0.0), 3)


def _caught(liar: Liar, run: Run) -> dict[str, Any]:
    red = {check["requirement"] for check in run.having(*RED)}
    allowed = {liar.requirement, *liar.may_also}
    own = [check for check in run.checks if check["requirement"] == liar.requirement]
    return {
        "requirement": liar.requirement,
        "caught": bool(red),
        "for_the_reason": liar.requirement in red,
        "unrelated": sorted(red - allowed),
        "stated": {check["check"]: check["verdict"] for check in own},
    }


def _keep(task: Task, run: Run, talks: Path) -> None:
    """Keep the conversations of false alarms."""
    for check in run.having(*RED, "kit-error"):
        path = _transcript(check["case"], talks)
        if path is not None:
            KEPT.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, KEPT / f"{task.load}-{task.number}-{check['check']}.jsonl")


def soak(waiting: Sequence[Task], records: Path, options: argparse.Namespace) -> None:
    """Run what is left, one after the other, and add each record; begin none after `options.seconds`."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        for number, task in enumerate(waiting, 1):
            if time.monotonic() - begun > options.seconds:
                return
            record = run_task(task, Path(scratch), options.busy, options.limit)
            append(records, record)
            print(f"{number}/{len(waiting)} {_told(record)}", file=sys.stderr, flush=True)


def _told(record: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(record["counts"].items()))
    what = f"{record['load']} {record['target']}: {counts or record['words']} ({record['seconds']:.0f} s)"
    if "caught" in record:
        word = "for the reason" if record["for_the_reason"] else "caught" if record["caught"] else "NOT CAUGHT"
        return f"{what}; {word}, unrelated: {', '.join(record['unrelated']) or 'none'}"
    reds = (
        f"\n    {r['check']} {r['verdict']}, lag {r['lag']} s: {r['statement']}: {r['seen']}" for r in record["reds"]
    )
    return f"{what}, lag {record['worst_lag']} s{''.join(reds)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 when a bar is missed."""
    options = _options(arguments)
    interruptible()
    wanted = tasks(options.runs, options.quarter, options.liars, options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        records = Path(scratch, "soak.jsonl") if options.no_write else options.records
        current = source()
        done = {
            (r["load"], r["target"], r["number"]) for r in read_lines(records) if current == r["source"]
        }  # fmt: skip
        try:
            if not options.sum:
                soak([task for task in wanted if task.key not in done], records, options)
        except KeyboardInterrupt:
            print("soak: broken off; what was run is kept", file=sys.stderr)
            return 130
        found = figures(read_lines(records), None if options.any_source else current)
    found["wanted"] = {"busy": options.runs, "quarter": options.quarter, "liars": options.liars}
    found["busy_processes"] = options.busy
    keep(options, found)
    print("\n".join(lines(found)))
    missed = bars_missed(found)
    for line in missed:
        print(f"soak: {line}", file=sys.stderr)
    return int(bool(missed))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="full runs while other processes are busy")
    parser.add_argument("--quarter", type=int, default=20, help="full runs under a quarter of one CPU")
    parser.add_argument("--liars", type=int, default=20, help="liars judged while other processes are busy")
    parser.add_argument("--busy", type=int, default=8, help="how many processes are busy")
    parser.add_argument("--seed", type=int, default=1, help="which liars: more of them begin with the fewer")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no other run after that")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one run")
    parser.add_argument("--records", type=Path, default=RESULTS / "soak.jsonl", help="where each record goes")
    write_options(parser, "soak")
    parser.add_argument("--sum", action="store_true", help="run nothing, sum up")
    parser.add_argument("--any-source", action="store_true", help="count the runs of other sources, too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
