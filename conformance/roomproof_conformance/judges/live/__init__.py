"""Judges of a service under load: folds of bounded memory that find a fault while it happens.

The kit's other judges look at one conversation of a few frames, and hold all of it. These look at a crowd for as long
as it lasts and remember only what is still open: what was accepted and may still be on its way, the last number of
each room on each connection, the admissions of one window. Time is an argument; they know no socket and no clock.
"""

from __future__ import annotations

from .crowd import Crowd, Member
from .rates import RateWatch
from .said import KINDS, Violation
from .tokens import Token, compose, parse

__all__ = ["KINDS", "Crowd", "Member", "RateWatch", "Token", "Violation", "compose", "parse"]
