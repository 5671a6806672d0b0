"""Pure judges: folds over the records of a transcript. They know no socket, no clock and no scenario."""

from __future__ import annotations

from .base import Judge, evaluate, judge_named
from .connection import Ends, Opens, Pings, Pongs, Silent, Stays, Uncompressed
from .content import Absent, Arrives, History, Replied, Shows
from .damage import Enters, Heard, Reacts, Recalls
from .rate import AtMost, BurstRefused, MustAdmit, Paced
from .sequence import First, InTurn, JoinedFirst
from .stream import Contiguous, Order, SameView, Seam
from .wording import CleanErrors, FramesWithin, OneReply, Valid

__all__ = [
    "Absent",
    "Arrives",
    "AtMost",
    "BurstRefused",
    "CleanErrors",
    "Contiguous",
    "Ends",
    "Enters",
    "First",
    "FramesWithin",
    "Heard",
    "History",
    "InTurn",
    "JoinedFirst",
    "Judge",
    "MustAdmit",
    "OneReply",
    "Opens",
    "Order",
    "Paced",
    "Pings",
    "Pongs",
    "Reacts",
    "Recalls",
    "Replied",
    "SameView",
    "Seam",
    "Shows",
    "Silent",
    "Stays",
    "Uncompressed",
    "Valid",
    "evaluate",
    "judge_named",
]
