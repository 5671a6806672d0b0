"""The kit judged by liars: servers that are right but for exactly one thing (`roomproof selftest`).

A table names, for each liar, the requirement that must turn red; a hook file starts it by its name.
"""

from __future__ import annotations

from .running import HONEST, RED, Row, hooks_for, judge, judge_liar, selftest
from .score import Bar, as_json, bars, lines
from .table import Liar, TableError, read_table

__all__ = [
    "HONEST",
    "RED",
    "Bar",
    "Liar",
    "Row",
    "TableError",
    "as_json",
    "bars",
    "hooks_for",
    "judge",
    "judge_liar",
    "lines",
    "read_table",
    "selftest",
]
