"""Pure judges: folds over the records of a transcript. They know no socket, no clock and no scenario."""

from __future__ import annotations

from .base import Judge, evaluate, judge_named
from .connection import Ends, Opens, Pings, Pongs, Silent, Stays
from .content import Absent, Arrives, History, Replied, Shows
from .rate import AtMost, BurstRefused, MustAdmit, Paced
from .stream import Contiguous, Order, SameView, Seam

__all__ = [
    "Absent",
    "Arrives",
    "AtMost",
    "BurstRefused",
    "Contiguous",
    "Ends",
    "History",
    "Judge",
    "MustAdmit",
    "Opens",
    "Order",
    "Paced",
    "Pings",
    "Pongs",
    "Replied",
    "SameView",
    "Seam",
    "Shows",
    "Silent",
    "Stays",
    "evaluate",
    "judge_named",
]
