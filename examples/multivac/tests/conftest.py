"""Makes the example's modules importable, and says what happens where the evaluation's data is missing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from unpack import DEFAULT_RESULTS, Answer, load_results  # importable only from here on


@pytest.fixture(scope="session")
def results_file() -> Path:
    """The shared results file; a machine without it skips, CI must have it."""
    if not DEFAULT_RESULTS.is_file():
        reason = f"data-missing: {DEFAULT_RESULTS.name} is not there (see examples/multivac/README.md)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return DEFAULT_RESULTS


@pytest.fixture(scope="session")
def answers(results_file: Path) -> dict[str, Answer]:
    return load_results(results_file)
