"""Variants for clusters: the same scenarios with their clients on different nodes.

A variant's id is that of its check with `@nodes` at the end. Where a sentence of the group CLUSTER says that the row
holds across nodes as well, the variant judges that sentence, whose id then stands before: what is right on each node
and wrong between them breaks `CL-2`, not `MSG-9`. One mechanism for all: `Case` places the clients.
Knows no socket and no scenario by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .checks import ACROSS, Check, Scenario

GROUPS = frozenset({"ROOM", "MSG", "HIST", "RES", "RATE", "PRES"})
"""Isolation, delivery, order, dedupe, history, resume, rate, presence: what nodes have in common."""
OF_ONE_CONNECTION = frozenset({"ROOM-1", "ROOM-2", "ROOM-13", "MSG-13", "RATE-12", "RATE-13", "RATE-14"})
"""Rows of these groups that speak of the form of a request, or of one connection: any node decides them alone."""
ONE_STREAM, SHARED, RESUMED = "CL-1", "CL-2", "CL-3"
BELONGS: Mapping[str, str] = {
    **dict.fromkeys(("HIST", "MSG-3", "MSG-5", "MSG-6", "MSG-7", "MSG-8"), ONE_STREAM),
    **dict.fromkeys(("RATE", "MSG-9", "MSG-10", "MSG-11", "MSG-12", "MSG-16"), SHARED),
    "RES": RESUMED,
}
"""Rows, or whole groups, for which a row of CLUSTER says that they hold across nodes."""


def variants(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """Of each scenario that has one, its variant."""
    return [_variant(scenario) for scenario in scenarios if _spreads(scenario)]


def _spreads(scenario: Scenario) -> bool:
    one_connection = any(check.requirement in OF_ONE_CONNECTION for check in scenario.checks)
    common = scenario.checks[0].requirement.partition("-")[0] in GROUPS
    return common and not (one_connection or scenario.apart or scenario.hostile or scenario.nodes > 1)


def _variant(scenario: Scenario) -> Scenario:
    judged_as = {check.id: _name(check) for check in scenario.checks}
    checks = tuple(
        Check(judged_as[check.id], f"{check.title} (clients on different nodes)", check.needs)
        for check in scenario.checks
    )
    return replace(scenario, checks=checks, nodes=2, judged_as=judged_as)


def _name(check: Check) -> str:
    row = check.requirement
    owner = BELONGS.get(row) or BELONGS.get(row.partition("-")[0])
    return f"{owner}.{check.id}{ACROSS}" if owner else f"{check.id}{ACROSS}"
