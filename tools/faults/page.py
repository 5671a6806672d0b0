"""The page docs/results/faults.md from docs/results/faults.json: ``python -m tools.faults.page [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from statistics import median
from typing import Any

from tools.faults.faults import FAULTS
from tools.support.results import made

SUMS = ("acknowledged", "lost", "lost_unsaid", "duplicated", "named_twice", "out_of_order", "resets")


def page(figures: Mapping[str, Any]) -> str:
    """The page."""
    lines = [
        "# Faults of a service of several nodes",
        "",
        "<!-- Generated from faults.json by `python -m tools.faults.page`; do not edit. -->",
        "",
        f"Measured {figures['date'][:10]} on {figures['machine']}, by `make faults`.",
        "In each run a real redis-server, two server processes and clients that send all the time, each message with",
        "a `mid` that is repeated until it is acknowledged; the fault comes at a random moment. Every frame that a",
        "client saw is judged.",
        "",
        "- *healed*: seconds from the end of the fault (of a restart: from when the process listens again) until a",
        "  message that was acknowledged after it had reached every client; median and longest. A service that heals",
        "  while the fault lasts shows 0.",
        "- *lost*: acknowledged messages that a client in the room never saw; *unsaid*: of those, the ones of clients",
        "  that were not told (`reset`, or `recovered: false`) that something is missing.",
        "- *duplicated*: texts under more than one number; *named twice*: numbers that stood for two texts; *order*:",
        "  messages that came out of turn, or with a hole before them.",
        "",
        "| fault | runs | lasts (s) | healed (s) | acknowledged | lost | unsaid | duplicated | named twice | order "
        "| resets |",
        "|--|--|--|--|--|--|--|--|--|--|--|",
    ]
    for fault in FAULTS:
        runs = [run for run in figures["runs"] if run["fault"] == fault.name]
        if not runs:
            continue
        healed = [run["healed_s"] for run in runs if run["healed_s"] is not None]
        words = f"{median(healed):.1f}, {max(healed):.1f}" if len(healed) == len(runs) else "not always"
        lasts = sorted({fault.short if run["short"] else fault.hold for run in runs})
        sums = " | ".join(str(sum(run[name] for run in runs)) for name in SUMS)
        cells = f"{len(runs)} | {', '.join(f'{one:g}' for one in lasts)} | {words} | {sums}"
        lines.append(f"| `{fault.name}`: {fault.text} | {cells} |")
    lines += [
        "",
        "Timers of nodes were shortened (a look at all heads and a canary every second in place of every five,",
        "leases of 3 s in place of 15). Where Redis itself loses messages (`redis-empty`, `failover-tail`) members are",
        "told by `reset` and a new epoch, and what they saw before it is not in the history any more; elsewhere",
        "nothing may be lost at all.",
        "",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` only look; returns the exit code."""
    return made("faults", page, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
