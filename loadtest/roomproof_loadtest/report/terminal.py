"""The result on the terminal, to stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from . import words

SHOWN = 5


def show(result: Mapping[str, Any]) -> None:
    """Print it; colours on a terminal only, and not with NO_COLOR."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    word, sentence = words.verdict(result)
    colour = ("\x1b[32m" if word == "held" else "\x1b[31m") if coloured else ""
    lines = [f"{result['scenario']}: {result['stands_for']}", ""]
    lines += [f"  {name:26} {value}" for name, value in words.facts(result)]
    header = ["latency, ms", "count", *(label for _, label in words.COLUMNS)]
    lines += ["", _row(header), *(_row(row) for row in words.latencies(result)), ""]
    lines += [f"  {line}" for line in words.own(result)]
    lines += [f"  {note}" for note in result["notes"]]
    for threshold in result["thresholds"]:
        lines.append(f"  {words.threshold(threshold)}")
    for violation in result["violations"]["shown"][:SHOWN]:
        lines.append("")
        lines.append(f"  {violation['kind']} at {violation['t']:.2f} s, {violation['conn']}, room {violation['room']}")
        lines.append(f"    expected: {violation['expected']}")
        lines.append(f"    seen:     {violation['seen']}")
    left = result["violations"]["total"] - min(SHOWN, len(result["violations"]["shown"]))
    if left > 0 and not result["died"]:
        lines += ["", f"  and {left:,} more (--html shows them with their transcripts)"]
    lines += ["", f"{colour}{sentence}{chr(27) + '[0m' if coloured else ''}"]
    text = "\n".join(lines)
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _row(cells: list[str]) -> str:
    return f"  {cells[0]:30}" + "".join(f"{cell:>10}" for cell in cells[1:])
