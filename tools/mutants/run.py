"""Mutants of the server's rules and of its protocol package, judged by the kit alone: faults that nobody thought of.

    python -m tools.mutants.run                      # the long form; writes docs/results/mutants.json
    python -m tools.mutants.run --caught-before --count 10 --short --bar 1      # what CI runs
    python -m tools.mutants.run --id 5cca7b29cf      # one, and what becomes of it
    python -m tools.mutants.run --again              # those once more that were not caught

Each outcome is added to docs/results/mutants.jsonl at once: broken off and started again, it goes on. What no client
can see stands in tools/mutants/invisible.yaml with its reason. The figure is caught / (judged - invisible); the exit
code is 1 when it is below the bar.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools import RESULTS
from tools.mutants.operators import Mutant, sample
from tools.mutants.workshop import TARGETS, Outcome, Workshop, all_mutants, workshops
from tools.support.kit_process import append, interruptible, read_lines, source, stop_all
from tools.support.results import commit, write, write_options

INVISIBLE = Path(__file__).with_name("invisible.yaml")
CAUGHT = ("caught", "does not start")
KEYS = frozenset({"file", "function", "operator", "line", "becomes", "reason"})


class Stale(Exception):
    """An entry of the list of invisible mutants that says nothing any more, in one line."""


def read_invisible(path: Path, mutants: Sequence[Mutant]) -> dict[str, str]:
    """The reasons by mutant. Raises Stale for an entry that fits no mutant, or is not as it must be.

    An entry names a file and a reason, and as many of `function`, `operator`, `line` (its text) and `becomes` (the
    text it is changed into) as it needs to mean the right ones.
    """
    import yaml

    reasons: dict[str, str] = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["invisible"]:
        what = ", ".join(f"{key}: {entry[key]}" for key in entry if key != "reason")
        if not {"file", "reason"} <= entry.keys() or not entry.keys() <= KEYS or len(entry) < 3:
            raise Stale(f"{path.name}: {what}: expected file, reason, and at least one of {sorted(KEYS)}")
        meant = [mutant.id for mutant in mutants if _fits(entry, mutant)]
        if not meant:
            raise Stale(f"{path.name}: {what}: fits no mutant; the line has changed: look at it again, or remove it")
        reasons.update((identifier, entry["reason"]) for identifier in meant)
    return reasons


def _fits(entry: Mapping[str, str], mutant: Mutant) -> bool:
    facts = {
        "file": mutant.file, "operator": mutant.operator, "line": mutant.before, "becomes": mutant.after,
        "function": mutant.function,
    }  # fmt: skip
    return all(facts[key] == value for key, value in entry.items() if key != "reason")


def figures(
    chosen: Sequence[Mutant], records: Iterable[Mapping[str, Any]], reasons: Mapping[str, str]
) -> dict[str, Any]:
    """The sum over the chosen mutants that were judged, by the last record of each."""
    last = {record["id"]: record for record in records}
    judged = [mutant for mutant in chosen if mutant.id in last]
    outcomes = Counter(last[mutant.id]["outcome"] for mutant in judged)
    missed = [mutant for mutant in judged if last[mutant.id]["outcome"] not in CAUGHT]
    invisible = [mutant for mutant in missed if mutant.id in reasons]
    caught = len(judged) - len(missed)
    return {
        "judged": len(judged),
        "caught": caught,
        "caught_by_checks": outcomes["caught"],
        "caught_does_not_start": outcomes["does not start"],
        "does_not_start_because_the_import_fails": sum(
            last[m.id]["outcome"] == "does not start" and not last[m.id]["imported"] for m in judged
        ),
        "survived": outcomes["survived"],
        "timeout": outcomes["timeout"],
        "kit_error": outcomes["kit error"],
        "invisible": len(invisible),
        "share_of_visible": round(caught / max(1, len(judged) - len(invisible)), 4),
        "by_file": _parts(judged, last, reasons, "file"),
        "by_operator": _parts(judged, last, reasons, "operator"),
        "commits": sorted({str(last[mutant.id]["commit"]) for mutant in judged}),
        "not_caught": [_row(mutant, last[mutant.id], reasons) for mutant in missed],
        "listed_as_invisible_and_caught": [
            f"{m.id} {m.file}: {m.before}" for m in judged if m.id in reasons and m not in missed
        ],
    }


def _parts(
    judged: Sequence[Mutant], last: Mapping[str, Mapping[str, Any]], reasons: Mapping[str, str], by: str
) -> dict[str, Any]:
    parts: dict[str, Counter[str]] = {}
    for mutant in judged:
        part = parts.setdefault(str(getattr(mutant, by)), Counter(judged=0, caught=0, invisible=0))
        part["judged"] += 1
        caught = last[mutant.id]["outcome"] in CAUGHT
        part["caught"] += caught
        part["invisible"] += not caught and mutant.id in reasons
    return {name: dict(parts[name]) for name in sorted(parts)}


def _row(mutant: Mutant, record: Mapping[str, Any], reasons: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": mutant.id, "file": mutant.file, "function": mutant.function, "operator": mutant.operator,
        "line": mutant.before, "becomes": mutant.after, "outcome": record["outcome"],
        "invisible": reasons.get(mutant.id), "unsteady": record["unsteady"],
    }  # fmt: skip


def run(mutants: Sequence[Mutant], records: Path, *, jobs: int, seconds: float, limit: float, short: bool) -> None:
    """Judge these, several side by side, and add what became of each; begin none after `seconds`."""
    about = {"commit": commit(), "source": source()}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        free: queue.Queue[Workshop] = queue.Queue()
        shops = workshops(Path(folder), jobs, limit)
        _say("the server as it is ...")
        found = shops[0].control(short=short)
        _say(f"the server as it is: nothing red, {found.seconds:.0f} s; {len(TARGETS)} modules come from the copy")
        for shop in shops:
            free.put(shop)

        def judge(mutant: Mutant) -> tuple[Mutant, Outcome] | None:
            if time.monotonic() - begun > seconds:
                return None
            shop = free.get()
            try:
                return mutant, shop.judge(mutant)
            finally:
                free.put(shop)

        try:
            for number, done in enumerate(as_completed([pool.submit(judge, mutant) for mutant in mutants]), 1):
                if (result := done.result()) is None:
                    continue
                mutant, outcome = result
                what = {"file": mutant.file, "operator": mutant.operator, "line": mutant.before}
                record = {"id": mutant.id, **what, "becomes": mutant.after, **asdict(outcome), **about}
                append(records, record)
                _say(f"{number}/{len(mutants)} {described(mutant)}\n    {told(outcome)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise


def described(mutant: Mutant) -> str:
    """Where and what it is, for people."""
    place = f"{mutant.id} {mutant.file}:{mutant.line} {mutant.function} {mutant.operator}"
    return f"{place}\n    - {mutant.before}\n    + {mutant.after}"


def told(outcome: Outcome) -> str:
    """What became of it, for people."""
    names = ", ".join(outcome.checks[:4]) + (f" and {len(outcome.checks) - 4} more" if len(outcome.checks) > 4 else "")
    unsteady = f"; once and not again: {', '.join(outcome.unsteady)}" if outcome.unsteady else ""
    return f"{outcome.outcome} {names}{outcome.detail}{unsteady} ({outcome.seconds:.0f} s)"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 below the bar, 2 for a stale list, 3 when nothing can be judged."""
    options = _options(arguments)
    interruptible()
    everything = all_mutants()
    order = sample(everything, options.seed)
    try:
        reasons = read_invisible(INVISIBLE, everything)
    except Stale as stale:
        print(f"mutants: {stale}", file=sys.stderr)
        return 2
    if options.caught_before:
        last = {r["id"]: r["outcome"] for r in read_lines(options.records)}
        order = [mutant for mutant in order if last.get(mutant.id) == "caught"]
    chosen = [m for m in order if m.id in options.id] if options.id else order[: options.count]
    if not chosen:
        print(
            "mutants: there is no such mutant; an id must be that of a line as it is now, and --caught-before needs "
            f"records in {options.records.name}",
            file=sys.stderr,
        )
        return 2
    keeps = not (options.no_write or options.id or options.caught_before)
    with tempfile.TemporaryDirectory() as scratch:
        records = options.records if keeps else Path(scratch, "mutants.jsonl")
        done = {
            r["id"] for r in read_lines(records) if not options.again or r["outcome"] in CAUGHT or r["id"] in reasons
        }
        waiting = [mutant for mutant in chosen if mutant.id not in done]
        try:
            if waiting:
                run(
                    waiting,
                    records,
                    jobs=options.jobs,
                    seconds=options.seconds,
                    limit=options.limit,
                    short=options.short,
                )
        except RuntimeError as error:
            print(f"mutants: {error}", file=sys.stderr)
            return 3
        except KeyboardInterrupt:
            print("mutants: broken off; what was judged is kept", file=sys.stderr)
            return 130
        found = {"seed": options.seed, "possible": len(everything), "wanted": len(chosen)}
        found |= figures(chosen, read_lines(records), reasons)
    if keeps:
        write(options.write, found)
    print(json.dumps(found, indent=2))
    return 0 if found["share_of_visible"] >= options.bar else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="how many mutants, of all there are")
    parser.add_argument("--seed", type=int, default=1, help="which: longer samples begin with shorter ones")
    parser.add_argument("--jobs", type=int, default=2, help="how many side by side")
    parser.add_argument("--id", action="append", default=[], help="judge this one and write nothing")
    parser.add_argument(
        "--caught-before", action="store_true", help="choose from those that a check caught; write nothing"
    )
    parser.add_argument("--again", action="store_true", help="judge those again that were not caught")
    parser.add_argument("--short", action="store_true", help="look at the server as it is without long waits")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no other mutant after that")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds for one run of the kit")
    parser.add_argument("--bar", type=float, default=0.9, help="the least share of the visible ones")
    parser.add_argument("--records", type=Path, default=RESULTS / "mutants.jsonl", help="where each outcome goes")
    write_options(parser, "mutants")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
