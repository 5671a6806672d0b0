"""What is run in which order, the sum with its bars, and loads that end with their block."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tools.soak.load import busy, quarter
from tools.soak.page import page
from tools.soak.run import tasks
from tools.soak.sums import bars_missed, figures, lines

NOT_JUDGED = [{"check": f"A-{n}", "reason": reason} for n, reason in enumerate(["setup-failed"] * 3 + ["needs-hook"])]
SPIN = "while True: pass"


def run(number: int, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {kind: [] for kind in ("reds", "inconclusive", "kit_errors", "not_judged")}
    about = {"load": "busy", "target": "honest", "number": number, "source": "s", "commit": "c", "words": ""}
    return {**about, **empty, "seconds": 30.0, "worst_lag": 0.5, "counts": {"pass": 400}, **more}


def liar(name: str, *, reason: bool) -> dict[str, Any]:
    judged = {"caught": True, "for_the_reason": reason, "unrelated": [], "requirement": "MSG-1", "stated": {}}
    return run(0, target=name, **judged)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def test_a_beginning_has_its_share_of_each_kind() -> None:
    kinds = Counter((task.load, task.liar is not None) for task in tasks(200, 20, 20, 1)[:24])
    assert kinds == {("busy", False): 20, ("quarter", False): 2, ("busy", True): 2}
    assert len({task.key for task in tasks(200, 20, 20, 1)}) == 240
    areas = {task.liar.area for task in tasks(0, 0, 20, 1) if task.liar}
    assert len(areas) >= 8


def test_the_sum_of_a_quiet_soak() -> None:
    found = figures([run(n) for n in range(3)] + [liar("a", reason=True)], "s")
    assert found["honest"]["busy"]["runs"] == 3
    assert found["honest"]["busy"]["verdicts"] == 1200
    assert bars_missed(found) == []
    assert "3 runs, 1200 verdicts: 0 fail" in lines(found)[0]


def test_every_bar_can_be_missed() -> None:
    red = {"check": "MSG-2.echo", "verdict": "fail", "lag": 0.2, "statement": "it comes", "seen": "nothing"}
    records = [
        run(0, counts={"pass": 395, "fail": 1, "inconclusive": 4}, reds=[red]),
        run(1, counts={}, words="not ready"),
        run(2, counts={"pass": 391, "inconclusive": 5, "not-judged": 4}, not_judged=NOT_JUDGED),
        liar("a", reason=False),
    ]
    found = figures(records, "s")
    missed = " ".join(bars_missed(found))
    for expected in ("1 fail", "1 without result", "1.50% inconclusive or without a set-up", "0 of 1 liars"):
        assert expected in missed
    assert "MSG-2.echo 1" in "\n".join(lines(found))
    assert "`MSG-2.echo` fail, lag 0.2 s: it comes; seen: nothing" in page(found | {"busy_processes": 8})


def test_runs_of_other_sources_are_not_counted_and_the_last_of_a_run_is() -> None:
    records = [run(0, source="old"), run(0, counts={"fail": 1}), run(0)]
    found = figures(records, "s")
    assert found["honest"]["busy"]["verdicts"] == 400
    assert found["runs_of_other_sources"] == 1
    assert figures(records, None)["runs_of_other_sources"] == 0


def test_busy_processes_end_with_the_block() -> None:
    with busy(2) as pids:
        assert all(state(pid) in "RSD" for pid in pids)  # D while it is loaded
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_quarter_stops_children_too_and_lets_go() -> None:
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', '{SPIN}']).pid, flush=True); {SPIN}"
    parent = subprocess.Popen([sys.executable, "-c", code.replace("; while", "\nwhile")], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        with quarter(lambda: [parent.pid]):
            assert _comes(parent.pid, "T")
            assert _comes(child, "T")
            assert _comes(child, "R")
        assert state(parent.pid) != "T"
        assert state(child) != "T"
    finally:
        subprocess.run(["kill", "-9", str(child), str(parent.pid)], check=False)
        parent.communicate()


def _comes(pid: int, wanted: str) -> bool:
    """Whether the process is seen in that state within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if state(pid) == wanted:
            return True
    return False
