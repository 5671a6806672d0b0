"""The entry point of the pytest front end: `pytest --pyargs roomproof_conformance --target ws://…`.

pytest loads this module in every one of its runs where roomproof is installed, so it does nothing, and
imports nothing of the kit, unless the command names `roomproof_conformance`: no option of it is in anybody's way.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

import pytest

PACKAGE = "roomproof_conformance"


def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Add the options and the front end when the kit's package is what pytest is asked to run."""
    if asked_for(args):
        from . import front, options

        options.add(parser)
        early_config.pluginmanager.register(front.FrontEnd(), "roomproof-front-end")


def asked_for(args: Iterable[str]) -> bool:
    """Whether a command line of pytest names the kit's package."""
    return any(PurePath(arg.partition("::")[0]).name == PACKAGE for arg in args)
