"""The version is written out where a start must be quick; it is the same everywhere."""

from __future__ import annotations

from importlib.metadata import version

import roomproof_conformance
import roomproof_server


def test_one_version() -> None:
    assert roomproof_conformance.__version__ == roomproof_server.__version__ == version("roomproof")
