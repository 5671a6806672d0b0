"""Shrink the conversation in which each liar is caught, and count what remains: frames sent, connections.

The stated requirement's own checks are run against the liar, the shortest conversation that breaks one of them is
reduced by replaying it against the liar, with the honest server as control. Figures go to docs/results/shrink.json.
`--liars N` takes every so many-th, for a short form; `--minutes M` ends in time, and what was not reached is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from roomproof_conformance import hooks, selftest
from roomproof_conformance.dialects import load
from roomproof_conformance.hooks import Hooks
from roomproof_conformance.offline.conversation import connections, frames_sent
from roomproof_conformance.offline.files import again
from roomproof_conformance.offline.place import Place
from roomproof_conformance.offline.rejudging import BROKEN, broken
from roomproof_conformance.offline.replay import Unrepeatable
from roomproof_conformance.offline.shrink import NotShrunk, Shrunk, shrink
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.selftest import Liar
from roomproof_conformance.target import TargetError
from roomproof_conformance.transcript import Transcript
from tools import LIARS, RESULTS
from tools.support.results import write

FRAMES, CONNECTIONS = 6, 3
"""The medians that must not be exceeded."""
LONGEST = 6.5
"""Seconds that a check may have to wait to be run first; where none of those is broken, all are run."""
TRIED = 3
"""How many broken conversations of a liar are tried, the shortest first."""


@dataclass(frozen=True)
class Figure:
    """What became of one liar's conversation: frames and connections before and after, or why there is nothing."""

    liar: str
    check: str = ""
    frames_before: int = 0
    connections_before: int = 0
    frames: int = 0
    connections: int = 0
    conversations_tried: int = 0
    seconds: float = 0.0
    why_not: str = ""

    @property
    def shrunk(self) -> bool:
        return not self.why_not


def measure(liar: Liar, template: Hooks, seconds: float) -> Figure:
    """Catch one liar and shrink the conversation, within about `seconds` after it was caught."""
    try:
        return asyncio.run(_measure(liar, template, seconds))
    except Exception as error:  # one liar's trouble must not lose the figures of the others
        return Figure(liar.name, why_not=f"{type(error).__name__}: {error}")


async def _measure(liar: Liar, template: Hooks, seconds: float) -> Figure:
    try:
        found = await _caught(liar, template)
    except TargetError as error:
        return Figure(liar.name, why_not=str(error))
    if not found:
        return Figure(liar.name, why_not="no check of the stated requirement is broken")
    why, began = "", time.monotonic()
    best: tuple[str, Shrunk] | None = None
    for check, transcript in found:
        left = seconds - (time.monotonic() - began)
        if left < seconds / 4:
            break
        try:
            small = await _shrunk(liar, template, check, transcript, left)
        except (NotShrunk, Unrepeatable, TargetError) as error:
            why = why or str(error)
            continue
        if check not in broken(again(small.transcript)):
            why = why or f"{check}: judged from its file, the smaller conversation does not break it"
            continue
        if best is None or (small.frames, small.connections) < (best[1].frames, best[1].connections):
            best = check, small
        if small.frames <= FRAMES and small.connections <= CONNECTIONS:
            break
    took = time.monotonic() - began
    if best is None:
        return Figure(liar.name, found[0][0], frames_sent(found[0][1]), connections(found[0][1]), why_not=why)
    check, small = best
    return Figure(liar.name, check, *small.before, small.frames, small.connections, small.tried, round(took, 1))


async def _caught(liar: Liar, template: Hooks) -> list[tuple[str, Transcript]]:
    """The broken checks of the stated requirement with their transcripts, the shortest first."""
    for globs, longest in (((f"{liar.requirement}.*",), LONGEST), (liar.globs, LONGEST), (liar.globs, None)):
        result = await selftest.judge(liar.name, template, globs, longest=longest)
        reds = [check for check in result.results if check.requirement == liar.requirement and check.verdict in BROKEN]
        if reds:
            return _shortest(reds, result)
    return []


def _shortest(reds: Sequence[CheckResult], result: RunResult) -> list[tuple[str, Transcript]]:
    found = [(check.check, again(result.transcripts[check.case])) for check in reds if check.case is not None]
    return sorted(found, key=lambda pair: frames_sent(pair[1]))[:TRIED]


async def _shrunk(liar: Liar, template: Hooks, check: str, transcript: Transcript, seconds: float) -> Shrunk:
    settings = transcript.records[0].data["settings"] or {}
    native = load("native")
    lying, honest = (selftest.hooks_for(template, name) for name in (liar.name, selftest.HONEST))
    async with (
        Place(native, hooks=lying, settings=settings) as place,
        Place(native, hooks=honest, settings=settings) as control,
    ):
        return await shrink(transcript, place, check=check, control=control, seconds=seconds)


def measured(liars: Sequence[Liar], template: Hooks, *, jobs: int, seconds: float, until: float) -> Iterator[Figure]:
    """All liars, `jobs` side by side in processes of their own, until the clock (monotonic seconds) says `until`."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            works = {pool.submit(measure, liar, template, seconds): liar for liar in liars}
            for done in as_completed(works, timeout=max(0.0, until - time.monotonic())):
                yield done.result()
        except TimeoutError:
            print("the time is over; what was not reached is not in the figures", file=sys.stderr)
        finally:
            pool.shutdown(cancel_futures=True)


def summary(figures: Sequence[Figure], of: int) -> dict[str, object]:
    """The figures of all liars together."""
    shrunk = [figure for figure in figures if figure.shrunk]
    if not shrunk:
        return {"liars": of, "measured": len(figures), "shrunk": 0}
    frames, conns = [f.frames for f in shrunk], [f.connections for f in shrunk]
    return {
        "liars": of,
        "measured": len(figures),
        "shrunk": len(shrunk),
        "frames": {"median": statistics.median(frames), "max": max(frames)},
        "connections": {"median": statistics.median(conns), "max": max(conns)},
        "frames_before": {"median": statistics.median(f.frames_before for f in shrunk)},
        "connections_before": {"median": statistics.median(f.connections_before for f in shrunk)},
        "within_bar": sum(f.frames <= FRAMES and f.connections <= CONNECTIONS for f in shrunk),
        "seconds": {"median": statistics.median(f.seconds for f in shrunk)},
        "not_shrunk": {f.liar: f.why_not for f in figures if not f.shrunk},
    }


def line(figure: Figure) -> str:
    """One liar for people."""
    if not figure.shrunk:
        return f"{figure.liar:<40} not shrunk: {figure.why_not}"
    before = f"{figure.frames_before:>4} frames on {figure.connections_before:>2}"
    return f"{figure.liar:<40} {before} -> {figure.frames:>3} on {figure.connections:>2}  {figure.check}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liars", type=int, metavar="N", help="this many, spread over the table (default: all)")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these liars")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each liar (default: 20)")
    parser.add_argument("--minutes", type=float, default=60.0, help="for all of them (default: 60)")
    parser.add_argument("--jobs", type=int, default=2, help="side by side (default: 2)")
    parser.add_argument("--out", type=Path, help="default: docs/results/shrink.json, for all liars")
    options = parser.parse_args()
    table = selftest.read_table(LIARS / "table")
    liars = [liar for liar in table if not options.only or liar.name in options.only]
    if options.liars:
        liars = liars[:: max(1, len(liars) // options.liars)][: options.liars]
    template, until = hooks.load(LIARS / "hooks.yaml"), time.monotonic() + 60 * options.minutes
    figures = []
    for figure in measured(liars, template, jobs=options.jobs, seconds=options.seconds, until=until):
        figures.append(figure)
        print(line(figure), flush=True)
    total = summary(figures, len(table))
    print(total)
    out = options.out or (RESULTS / "shrink.json" if len(liars) == len(table) else None)
    if out is not None:
        rows = [asdict(figure) for figure in sorted(figures, key=lambda figure: figure.liar)]
        write(out, {"summary": total, "per_liar": rows})
    bar = [total.get("frames"), total.get("connections")]
    good = all(
        isinstance(one, dict) and one["median"] <= most for one, most in zip(bar, (FRAMES, CONNECTIONS), strict=True)
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
