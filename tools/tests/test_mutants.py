"""The list of invisible mutants, the sum, and one mutant judged by the kit in a scratch copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.mutants import workshop as workshop_module
from tools.mutants.operators import Module, Mutant
from tools.mutants.page import page
from tools.mutants.run import INVISIBLE, Stale, figures, read_invisible
from tools.mutants.workshop import Workshop, all_mutants

SOURCE = b"def f(a, b):\n    if a < b:\n        return 5\n    return a == b\n"


@pytest.fixture
def some() -> list[Mutant]:
    return Module("roomproof_server/hub.py", SOURCE).mutants()


def record(mutant: Mutant, outcome: str, **more: Any) -> dict[str, Any]:
    return {"id": mutant.id, "outcome": outcome, "imported": True, "unsteady": [], "commit": "c", **more}


def test_the_list_fits_the_sources() -> None:
    everything = all_mutants()
    assert len(everything) > 500
    assert len({mutant.id for mutant in everything}) == len(everything)
    assert all(read_invisible(INVISIBLE, everything).values())


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("{file: roomproof_server/hub.py, line: 'if a > b:', reason: r}", "fits no mutant"),
        ("{file: roomproof_server/hub.py, reason: r}", "expected file, reason, and at least one"),
        ("{file: roomproof_server/hub.py, lines: 'if a < b:', reason: r}", "expected file, reason"),
    ],
)
def test_an_entry_that_says_nothing_is_an_error(tmp_path: Path, some: list[Mutant], entry: str, complaint: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(f"invisible:\n  - {entry}\n")
    with pytest.raises(Stale, match=complaint):
        read_invisible(path, some)


def test_an_entry_means_what_all_its_members_say(tmp_path: Path, some: list[Mutant]) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(
        "invisible:\n  - {file: roomproof_server/hub.py, line: 'if a < b:', becomes: 'if a <= b:', reason: r}\n"
    )
    (meant,) = read_invisible(path, some)
    assert next(mutant for mutant in some if mutant.id == meant).after == "if a <= b:"


def test_the_sum(some: list[Mutant]) -> None:
    one, two, three, four, *_ = some
    records = [
        record(one, "survived"),
        record(one, "caught"),  # the last one counts
        record(two, "does not start", imported=False),
        record(three, "survived"),
        record(four, "timeout"),
    ]
    found = figures(some, records, {three.id: "nobody can see it", one.id: "wrong"})
    assert (found["judged"], found["caught"], found["invisible"]) == (4, 2, 1)
    assert found["share_of_visible"] == round(2 / 3, 4)
    assert found["does_not_start_because_the_import_fails"] == 1
    assert [row["id"] for row in found["not_caught"]] == [three.id, four.id]
    assert len(found["listed_as_invisible_and_caught"]) == 1
    text = page(found | {"possible": 5, "seed": 1})
    assert "2 of 3 visible ones caught: 66.7%" in text
    assert four.before in text


def test_a_mutant_reaches_the_server_and_not_the_kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes NaN is caught by the check of just that, whatever the machine has to do."""
    monkeypatch.setattr(workshop_module, "LIKELY", {"codec": ("ERR-2.nan",)})
    monkeypatch.setattr(workshop_module, "_watches", list)
    (mutant,) = (m for m in all_mutants() if (m.function, m.operator) == ("_constant", "statement-deletion"))
    workshop = Workshop(tmp_path / "workshop")
    outcome = workshop.judge(mutant)
    assert (outcome.outcome, outcome.checks, outcome.imported) == ("caught", ["ERR-2.nan"], True)
    kept = tmp_path / "workshop" / "copy" / mutant.file
    assert kept.read_bytes() == workshop_module.path_of(mutant.file).read_bytes()
