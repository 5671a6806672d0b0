"""The servers file of the answers: all ten stand in it, on pins, and the one repair is what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from unpack import HERE, KNOWN, Answer, check_known, known, unpack

from roomproof_conformance.hooks import free_port
from roomproof_conformance.matrix.environments import ensure
from roomproof_conformance.matrix.program import LAUNCHER
from roomproof_conformance.matrix.servers import ServerFile, load


@pytest.fixture(scope="module")
def servers(answers: dict[str, Answer], tmp_path_factory: pytest.TempPathFactory) -> ServerFile:
    """The file, with the answers unpacked beside it."""
    folder = tmp_path_factory.mktemp("example")
    for answer in answers.values():
        unpack(answer, folder / "answers")
    for name in ("dialects", "requirements"):
        (folder / name).symlink_to(HERE / name)
    text = (HERE / "servers.yaml").read_text(encoding="utf-8").replace("../../.work/multivac/answers", "answers")
    (folder / "servers.yaml").write_text(text, encoding="utf-8")
    return load(folder / "servers.yaml")


def test_all_ten_stand_there_in_order_and_unchanged(servers: ServerFile, answers: dict[str, Answer]) -> None:
    given = [server for server in servers.servers if server.set == "as given"]
    assert [server.name for server in given] == list(answers)
    assert not any(server.replace for server in given)


def test_the_repair_is_one_word(servers: ServerFile) -> None:
    [repaired] = [server for server in servers.servers if server.set == "repaired"]
    [change] = repaired.replace
    assert change.by == change.find.replace("@dataclass", "@dataclass(eq=False)")
    assert "eq=False" in repaired.remark


def test_only_code_that_was_looked_at_is_run(answers: dict[str, Answer]) -> None:
    assert known() == {key: answer.sha256 for key, answer in answers.items()}
    check_known(answers)
    assert KNOWN.name == "answers.sha256"


def test_code_that_is_not_the_known_answer_is_not_unpacked(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    response = "```python\\nprint('ran')\\n```"
    other.write_text(
        f'{{"responses": [{{"model_key": "grok_420", "model_name": "Some", "response": "{response}"}}],'
        '"rankings": {"grok_420": {"rank": 1, "average_score": 8.5}}}',
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, HERE / "unpack.py", "--results", other], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "not the answer that answers.sha256 knows, so it is not unpacked" in line


@pytest.mark.parametrize("path", sorted((HERE / "requirements").iterdir()), ids=lambda path: path.stem)
def test_every_package_is_pinned(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all("==" in line for line in lines if not line.startswith("#"))


def test_uvloop_is_forced_to_our_address(servers: ServerFile, tmp_path: Path) -> None:
    [server] = servers.chosen(("grok_420",))
    assert server.pins is not None
    script = tmp_path / "fixed.py"
    script.write_text(
        "import asyncio, uvloop\n"
        "async def main():\n"
        "    server = await asyncio.start_server(lambda reader, writer: None, '0.0.0.0', 1)\n"
        "    print(*server.sockets[0].getsockname())\n"
        "uvloop.run(main())\n",
        encoding="utf-8",
    )
    port = free_port()
    done = subprocess.run(
        [ensure(server.pins), LAUNCHER, script], env={"ROOMPROOF_PORT": str(port)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == f"127.0.0.1 {port}\n", done.stderr


def test_findings_and_mission_name_what_there_is(servers: ServerFile) -> None:
    from roomproof_conformance.checks import all_checks
    from roomproof_protocol import requirements

    checks = {check.id for check in all_checks()}
    findings = yaml.safe_load((HERE / "findings.yaml").read_text(encoding="utf-8"))
    assert set(findings) <= {server.name for server in servers.servers}
    assert {entry["check"] for entries in findings.values() for entry in entries} <= checks
    assert all(sum(entry.get("telling", False) for entry in entries) == 5 for entries in findings.values())
    areas = [area for phrase in yaml.safe_load((HERE / "mission.yaml").read_text()) for area in phrase["areas"]]
    assert len(areas) == len(set(areas))
    assert set(areas) <= {row.group for row in requirements()}
