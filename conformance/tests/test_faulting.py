"""Faults by commands of the hook file, and by signals to nodes that the kit has started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from roomproof_conformance import hooks
from roomproof_conformance.faulting import Faults
from roomproof_conformance.hooks import HookError, Hooks

NODE = """
import os, socket, time
with socket.create_server(("127.0.0.1", int(os.environ["ROOMPROOF_PORT"]))):
    time.sleep(60)
"""


def written(tmp_path: Path, more: str) -> Hooks:
    path = tmp_path / "hooks.yaml"
    path.write_text(f"hooks: 1\nready: 5s\n{more}")
    return hooks.load(path)


async def test_a_command_is_told_what_is_wanted_and_of_which_node(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f'echo "$ROOMPROOF_FAULT $ROOMPROOF_NODE $ROOMPROOF_URL" >> {told}'
    faults = Faults(written(tmp_path, f"faults: {{bus-drop: [sh, -c, '{script}']}}\n"), ["ws://a", "ws://b"])
    await faults.put("bus-drop", on=True, node=1)
    assert list(faults.present) == [("bus-drop", 1)]
    await faults.take_out()
    assert not faults.present
    assert told.read_text().splitlines() == ["on 2 ws://b", "off 2 ws://b"]


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("[sh, -c, 'echo no engine >&2; exit 3']", "engine-empty: exit code 3: no engine"),
        ("[no-such-command]", "engine-empty: cannot be run"),
    ],
)
async def test_a_command_that_fails_says_why(tmp_path: Path, command: str, complaint: str) -> None:
    faults = Faults(written(tmp_path, f"faults: {{engine-empty: {command}}}\n"), ["ws://a"])
    with pytest.raises(HookError, match=complaint):
        await faults.put("engine-empty", on=True)


async def test_without_a_command_only_own_nodes_can_be_killed(tmp_path: Path) -> None:
    faults = Faults(written(tmp_path, "faults: {}\n"), ["ws://a", "ws://b"])
    with pytest.raises(HookError, match="has no fault `node-kill`"):
        await faults.put("node-kill", on=True, node=1)


async def test_own_nodes_are_killed_and_come_back_on_their_port(tmp_path: Path) -> None:
    (tmp_path / "node.py").write_text(NODE)
    command = f"['{sys.executable}', '{tmp_path}/node.py']"
    process = await hooks.start(written(tmp_path, f"start: {command}\nnode: {command}\n"), {})
    try:
        node = await process.another_node()
        faults = Faults(process.hooks, [process.url, node.url], process)
        await faults.put("node-kill", on=True, node=1)
        assert not node.listens()
        await faults.take_out()
        assert node.listens()
    finally:
        await process.stop()
        process.discard()
