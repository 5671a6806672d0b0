"""The page of the runs under load, docs/results/soak.md, from docs/results/soak.json.

python -m tools.soak.page            # write it
python -m tools.soak.page --check    # exit 1 when it is not current
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tools.support.results import made

INTRODUCTION = """\
# The kit under load

What a loaded machine makes of the kit: full runs with short timers against the reference server, which must stay
green, and against liars, which must be caught for their reason all the same. `make soak` does it. The sum counts only
runs of one state of the sources, so that a bound and its false alarms belong together.
"""
ROWS = {
    "runs": "runs",
    "verdicts": "verdicts",
    "fail": "`fail`",
    "warn": "`warn`",
    "inconclusive": "`inconclusive`",
    "kit_error": "`kit-error`",
    "not_judged": "`not-judged`",
    "set_up_failed": "of them because the set-up failed",
    "without_result": "runs without a result",
}


def page(figures: Mapping[str, Any]) -> str:
    """The whole page."""
    busy, quarter, liars = figures["honest"]["busy"], figures["honest"]["quarter"], figures["liars"]
    rows = [f"| {title} | {busy[key]} | {quarter[key]} |" for key, title in ROWS.items()]
    share = f"| `inconclusive`, or set-up failed | {busy['unsettled_share']:.2%} | {quarter['unsettled_share']:.2%} |"
    times = f"| seconds of a run (median) | {busy['seconds']['median']:g} | {quarter['seconds']['median']:g} |"
    lags = f"| worst lag of the kit (s) | {busy['worst_lag']:.2f} | {quarter['worst_lag']:.2f} |"
    table = [
        f"| the reference server | {figures['busy_processes']} busy processes | a quarter of a CPU |",
        "|--|--|--|", *rows, share, times, lags, "",
    ]  # fmt: skip
    parts = [
        INTRODUCTION,
        *table,
        f"Of {liars['runs']} liars beside busy processes {liars['caught']} were caught, {liars['for_the_reason']} of "
        f"them for the stated requirement, with at most {liars['most_unrelated']} unrelated reds each.\n",
        "## False alarms\n",
        *([_red(red) for red in busy["reds"] + quarter["reds"]] or ["None."]),
        "\n## Most often inconclusive\n",
        *(_named(busy["inconclusive_by_check"], quarter["inconclusive_by_check"]) or ["None."]),
        "\n## Liars missed\n",
        *([f"- `{missed['target']}`" for missed in liars["missed"]] or ["None."]),
    ]
    return "\n".join(parts) + "\n"


def _red(red: Mapping[str, Any]) -> str:
    return f"- `{red['check']}` {red['verdict']}, lag {red['lag']} s: {red['statement']}; seen: {red['seen']}"


def _named(busy: Mapping[str, int], quarter: Mapping[str, int]) -> list[str]:
    names = sorted({*busy, *quarter}, key=lambda name: (-busy.get(name, 0) - quarter.get(name, 0), name))
    return [f"- `{name}`: {busy.get(name, 0)} and {quarter.get(name, 0)}" for name in names[:20]]


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    return made("soak", page, arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
