"""Variants across nodes: which checks have one, whose they are, and where their clients go."""

from __future__ import annotations

from roomproof_conformance import across, checks
from roomproof_conformance.case import Case
from roomproof_conformance.checks import ACROSS, Scenario
from roomproof_conformance.clock import Slots
from roomproof_conformance.dialects import load
from roomproof_conformance.plan import Plan
from roomproof_conformance.target import Target
from roomproof_protocol import requirements


def found() -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in across.variants(checks.load()[0])}


def test_a_variant_names_its_check_and_the_row_that_it_judges() -> None:
    names = found()
    assert {
        "ROOM-3.other-room@nodes",
        "CL-1.HIST-1.few@nodes",
        "CL-2.MSG-12.race@nodes",
        "CL-3.RES-1.gap@nodes",
    } <= set(names)
    rows = {row.id for row in requirements()}
    for name, scenario in names.items():
        assert name.endswith(ACROSS)
        assert {check.requirement for check in scenario.checks} <= rows
        assert all(check.variant for check in scenario.checks)


def test_what_one_connection_alone_is_told_has_no_variant() -> None:
    assert not [name for name in found() if name.startswith(("MSG-13", "ROOM-1.", "CL-2.RATE-12", "ERR", "CONN"))]


def test_variants_are_no_checks_of_a_single_server() -> None:
    variant = found()["CL-1.HIST-1.few@nodes"].checks[0]
    one, two = Plan(load("native"), "ws://a"), Plan(load("native"), "ws://a", more=("ws://b",))
    assert not one.wants(variant)
    assert two.wants(variant)
    assert Plan(load("native"), "ws://a", only=("CL-*@nodes",)).wants(variant)
    assert not Plan(load("native"), "ws://a", only=("CL-*",)).wants(variant)


def placed(scenario: Scenario, users: list[str | None], nodes: int = 2) -> list[int]:
    target = Target("ws://a", load("native"), more=[f"ws://{n}" for n in range(1, nodes)])
    case = Case(scenario, target, Slots(1))
    return [case.stranger(user=user).node for user in users]


def test_users_take_turns_and_who_comes_again_is_put_on_the_next_node() -> None:
    scenario = found()["CL-3.RES-1.gap@nodes"]
    assert placed(scenario, [None, None, None, None]) == [0, 1, 0, 1]
    assert placed(scenario, ["twin", "twin", "other", "twin"], 3) == [0, 1, 1, 2]


def test_a_scenario_without_nodes_of_its_own_keeps_to_one() -> None:
    scenarios = [scenario for scenario in checks.load()[0] if scenario.nodes == 1 and scenario.conns >= 4]
    homes = [placed(scenario, [None, "twin", "twin"]) for scenario in scenarios]
    assert all(len(set(nodes)) == 1 for nodes in homes)
    assert {nodes[0] for nodes in homes} == {0, 1}
