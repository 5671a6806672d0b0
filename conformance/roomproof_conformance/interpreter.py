"""How Python is set while the kit judges: for a prompt event loop, and for records that are kept to the end.

Process-wide, so it is put back afterwards. Knows nothing of servers and verdicts.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager

SWITCH = 0.0005
"""Seconds that the thread which judges may keep the interpreter from the loop (Python's own: ten times as many)."""
COLLECT = (100_000, 50, 1000)
"""`gc.set_threshold`: nearly all that a run makes stays (its transcripts); to look through it again and again with the
usual thresholds takes a third of its processor time, and stalls the event loop while it lasts."""


@contextmanager
def tuned() -> Generator[None]:
    """Set the interpreter for a run, and put it back as it was."""
    switch, collect = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH)
    gc.set_threshold(*COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*collect)
        sys.setswitchinterval(switch)
