"""The registry, and the rules of the house for scenarios."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from roomproof_conformance import checks, scenarios
from roomproof_conformance.target import DETAILS
from roomproof_protocol import capabilities, requirements

ROWS = {row.id: row for row in requirements()}


def test_every_check_judges_an_observable_row_and_needs_known_capabilities() -> None:
    registered, watches = checks.load()
    for check in [c for s in registered for c in s.checks] + [w.check for w in watches]:
        row = ROWS[check.requirement]
        assert row.observable, check.id
        assert not row.reserved, check.id
        assert check.needs <= set(capabilities()) | set(DETAILS), check.id
        assert check.title, check.id


def test_at_least_sixty_requirements_over_all_groups_are_checked() -> None:
    checked = {check.requirement for check in checks.all_checks()}
    assert len(checked) >= 60
    groups = {ROWS[identifier].group for identifier in checked}
    assert {"ROOM", "HIST", "RATE", "BEAT", "ERR", "MSG", "DISC", "CONN", "RESUME", "PRES"} <= groups


def test_the_five_areas_of_the_mission_have_portable_checks() -> None:
    portable = {
        s.checks[0].requirement
        for s in checks.load()[0]
        if "native" not in s.needs and "native" not in ROWS[s.checks[0].requirement].needs
    }
    for group in ("ROOM", "HIST", "RATE", "BEAT", "ERR", "DISC"):
        assert any(ROWS[identifier].group == group for identifier in portable), group


def modules() -> list[Path]:
    return sorted(Path(inspect.getfile(scenarios)).parent.glob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.stem)
def test_no_scenario_sleeps_or_keeps_time_by_itself(path: Path) -> None:
    """Only the clock module lets time pass; scenarios say what they wait for."""
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"asyncio", "time", "clock"}


def test_only_the_clock_sleeps() -> None:
    """No fixed sleep in a scenario, nor anywhere else in the kit: what waits asks the clock module, which is scaled."""
    package = Path(inspect.getfile(checks)).parent
    sleepers = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == "sleep")
        or (isinstance(node, ast.alias) and node.name.rpartition(".")[2] == "sleep")
        or (isinstance(node, ast.Name) and node.id == "sleep")
    ]
    assert {sleeper.partition(":")[0] for sleeper in sleepers} == {"clock.py"}, sleepers


def test_a_check_is_defined_once_and_names_its_situation() -> None:
    async def run(case: object) -> None:
        """Something."""

    known = checks.all_checks()[0].id
    with pytest.raises(ValueError, match="twice"):
        checks.scenario(known)(run)  # type: ignore[arg-type]  # never run
    with pytest.raises(ValueError, match="situation"):
        checks.scenario("ROOM-3")(run)  # type: ignore[arg-type]  # never run


def is_portable(scenario: checks.Scenario) -> bool:
    """No native capability is needed, by the scenario or by any of its rows."""
    return "native" not in scenario.needs and all("native" not in ROWS[c.requirement].needs for c in scenario.checks)


@pytest.mark.parametrize("scenario", [s for s in checks.load()[0] if is_portable(s)], ids=lambda s: s.name)
def test_no_portable_scenario_names_a_native_message(scenario: checks.Scenario) -> None:
    """Portable scenarios read canonical events and claims only: no decoded frame, nothing that a welcome says."""
    source = inspect.getsource(scenario.run)
    assert '"tree"' not in source
    assert "advertised" not in source
