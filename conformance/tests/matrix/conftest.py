"""Columns as servers leave them, some of them hostile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from roomproof_conformance.matrix.model import Matrix

HOSTILE = "<script>alert(1)</script>`|\x1b[31m\u202e{{7*7}}"


def cell(state: str, check: str, **more: Any) -> dict[str, Any]:
    plain = {
        "state": state, "check": check, "title": "in a busy room", "reason": None, "explanation": "", "statement": None,
        "expected": None, "seen": None, "sent": [], "repeat": "", "transcript": None, "checks": {check: state},
    }  # fmt: skip
    return plain | more


def column(name: str, **more: Any) -> dict[str, Any]:
    plain = {
        "name": name, "title": name, "set": "", "remark": "", "dialect": "native", "state": "judged", "why": "",
        "exception": None, "python": None, "packages": [], "wall_seconds": 1.5, "starts": 1, "killers": [], "notes": [],
        "headline": "Conformant", "exit_code": 0, "interrupted": False, "counts": {}, "checks": 0, "files": {},
        "rows": {},
    }  # fmt: skip
    return plain | more


@pytest.fixture
def matrix() -> Matrix:
    """Four servers: right, wrong and hostile, not started, and of another set."""
    right = column(
        "right",
        set="as given",
        counts={"pass": 2, "not-applicable": 1},
        rows={
            "ROOM-3": cell("pass", "ROOM-3.other-room"),
            "HIST-1": cell("pass", "HIST-1.few"),
            "AUTH-1": cell("not-applicable", "AUTH-1.x", reason="not-claimed", explanation="not claimed: tokens"),
        },
        files={"report": "right/report.html", "output": "right/output.txt"},
    )
    wrong = column(
        "wrong",
        title=HOSTILE,
        set="as given",
        exit_code=1,
        headline="Not conformant",
        counts={"fail": 1, "tolerated": 1},
        killers=["ERR-4.null"],
        notes=[HOSTILE],
        python="3.11.2",
        packages=["websockets 13.1"],
        rows={
            "ROOM-3": cell(
                "fail",
                "ROOM-3.other-room",
                statement="b hears nothing",
                seen=HOSTILE,
                expected="no message",
                sent=[HOSTILE],
                repeat="roomproof matrix servers.yaml --server wrong --only ROOM-3.other-room",
                transcript="wrong/transcripts/ROOM-3.other-room.jsonl",
                checks={"ROOM-3.other-room": "fail", "ROOM-3.before-join": "pass"},
            ),
            "HIST-1": cell("tolerated", "HIST-1.few", explanation=HOSTILE),
        },
        files={"report": "wrong/report.html"},
    )
    silent = column(
        "silent", set="as given", state="not-started", why="ended with exit code 1", exception=HOSTILE, exit_code=3
    )
    mended = column("mended", set="repaired", remark=f"one line {HOSTILE}", rows={"ROOM-3": cell("pass", "ROOM-3.x")})
    began = datetime(2026, 4, 2, 13, 30, tzinfo=UTC)
    return Matrix(f"Some servers {HOSTILE}", "0.1.0", began, [right, wrong, silent, mended], 61.0)
