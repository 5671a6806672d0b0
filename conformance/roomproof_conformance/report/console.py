"""The terminal as all that is printed there shares it: its settings and its colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from roomproof_conformance.verdicts import Verdict

if TYPE_CHECKING:
    from rich.console import Console

COLOURS: Mapping[str, str] = {
    "stale": "bold red",
    "known-failing": "blue",
    "known-flaky": "blue",
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.WARN: "yellow",
    Verdict.TOLERATED: "cyan",
    Verdict.INFO: "cyan",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.NOT_JUDGED: "none",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.KIT_ERROR: "bold magenta",
}


def console_on(stream: Literal["stdout", "stderr"]) -> Console:
    """A console as the reports want it. NO_COLOR and the like are honoured by rich."""
    from rich.console import Console

    return Console(stderr=stream == "stderr", highlight=False, markup=False, emoji=False)
