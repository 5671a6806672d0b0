"""Load that judges: locust scenarios for any server that a dialect of the kit describes."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("roomproof")
