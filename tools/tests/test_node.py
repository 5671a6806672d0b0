"""The server in Node is what it is said to be: one dependency, few lines, a lock file that names no registry."""

from __future__ import annotations

import json

from tools.node.run import MOST_LINES, SOURCE, core_rows, lines_of_code


def test_it_is_small_enough_to_be_read() -> None:
    assert 0 < lines_of_code() <= MOST_LINES


def test_its_one_dependency_is_locked_and_no_registry_is_named() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))
    installed = {name: entry for name, entry in lock["packages"].items() if name}
    assert list(installed) == ["node_modules/ws"]
    assert all(entry["integrity"] and "resolved" not in entry for entry in installed.values())


def test_a_core_row_is_judged_by_its_worst_check_and_not_passed_over_without_one() -> None:
    verdicts = {"CONN-1": ["pass", "not-judged"], "CONN-2": ["pass", "fail"], "CONN-3": ["not-judged"]}
    checks = [{"requirement": id_, "verdict": one} for id_, found in verdicts.items() for one in found]
    rows = core_rows(checks)
    assert [rows["CONN-1"], rows["CONN-2"], rows["CONN-3"]] == ["pass", "fail", "not-judged"]
    assert rows["CONN-4"] == "absent"
    assert "CL-1" not in rows
