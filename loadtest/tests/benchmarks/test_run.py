"""The command: what it refuses, and one true measurement by the generator that needs no compiler."""

from __future__ import annotations

import pytest
from benchmarks import samples
from benchmarks.run import main
from benchmarks.scenarios import Scenario
from benchmarks.servers import SERVERS


def test_unknown_words_are_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--only", "z"])
    assert end.value.code == 2
    assert "'z' is not one of a, b, c" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["roomproof", "broadcast"])
def test_the_lean_generator_gets_every_message(name: str) -> None:
    found = samples.fan_out(SERVERS[name], Scenario("", "", 2, 3, 20), 0.3, lean=True)
    assert found["deliveries"] == 2 * 3 * 0.45 * 20 / 2
    assert (found["lost"], found["refused"]) == (0, 0)
    assert found["cpu_us"] > 0
