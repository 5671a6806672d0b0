"""Hook files, and processes that never outlive the kit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from roomproof_conformance import hooks
from roomproof_conformance.hooks import HookError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hooks.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hooks: 1\nstrat: [x]\nstart: [x]\n", "unknown hook 'strat'; did you mean 'start'?"),
        ("start: [x]\n", "'hooks' is a required property"),
        ("hooks: 1\nstart: [x]\nready: soon\n", "ready: 'soon' does not match"),
        ("hooks: 1\nstart: []\n", "start: "),
        ("hooks: [\n", "not YAML"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(HookError) as error:
        hooks.load(path)
    assert expected in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_names_those_that_ship() -> None:
    with pytest.raises(HookError, match="name a file, or one that ships with the kit: reference"):
        hooks.load("nowhere.yaml")


def test_the_reference_ships() -> None:
    assert hooks.load("reference").start[1:] == ("-m", "roomproof_server.hook")


def test_seconds() -> None:
    assert [hooks.seconds(text) for text in ("500ms", "2s", "1.5m")] == [0.5, 2.0, 90.0]


PROGRAM = """
import json, os, signal, subprocess, sys, time
print(json.dumps({"cannot_set": sorted(json.loads(os.environ["ROOMPROOF_SETTINGS"]))}), flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(os.path.join(os.environ["ROOMPROOF_STATE"], "child"), "w").write(str(child.pid))
if "stubborn" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


async def started(tmp_path: Path, *words: str) -> hooks.Process:
    (tmp_path / "server.py").write_text(PROGRAM)
    path = write(
        tmp_path,
        f"hooks: 1\nstart: ['{{python}}', '{{here}}/server.py', {', '.join(words) or 'x'}]\ngrace: 500ms\n",
    )
    process = await hooks.start(hooks.load(path), {"hello_ms": 1000})
    async with asyncio.timeout(10):
        while "ready" not in process.last_words():
            await asyncio.sleep(0.01)
    return process


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while alive(pid):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("words", [(), ("stubborn",)])
async def test_stopping_ends_the_whole_group(tmp_path: Path, words: tuple[str, ...]) -> None:
    process = await started(tmp_path, *words)
    child = int((process.folder / "state" / "child").read_text())
    assert process.cannot_set() == {"hello_ms"}
    await process.stop()
    process.discard()
    assert process.exit_code == -(signal.SIGKILL if words else signal.SIGTERM)
    await gone(child)


async def test_the_server_dies_with_a_kit_that_is_killed(tmp_path: Path) -> None:
    """Not even SIGKILL of the kit leaves a server running."""
    kit = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, sys\nfrom roomproof_conformance import hooks\n"
        "async def main():\n"
        "    p = await hooks.start(hooks.load(sys.argv[1]), {})\n"
        "    print(p.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())",
        str(write(tmp_path, "hooks: 1\nstart: ['{python}', '-c', 'import time; time.sleep(60)']\n")),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},  # killed, it leaves the server's folder
    )
    assert kit.stdout is not None
    pid = int(await asyncio.wait_for(kit.stdout.readline(), 20))
    kit.kill()
    await kit.wait()
    kit._transport.close()  # type: ignore[attr-defined]  # asyncio offers no other way to close the pipe at once
    await gone(pid)


async def test_a_start_that_is_cancelled_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = hooks.load(write(tmp_path, "hooks: 1\nstart: [sleep, '60']\n"))
    (scratch := tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    start = asyncio.create_task(hooks.start(loaded, {}))
    while not list(scratch.iterdir()):
        await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert list(scratch.iterdir()) == []


async def test_a_server_is_started_again_on_the_same_port_and_state(tmp_path: Path) -> None:
    process = await started(tmp_path)
    first, port, state = process.pid, process.port, process.environment["ROOMPROOF_STATE"]
    assert await process.kill() == -signal.SIGKILL
    await process.start()
    assert process.pid != first
    assert (process.port, process.environment["ROOMPROOF_STATE"]) == (port, state)
    await process.stop()
    process.discard()
    assert not process.folder.exists()


async def test_the_token_hook_gets_claims_and_gives_a_token(tmp_path: Path) -> None:
    reads = "['{python}', '-c', 'import sys; print(sys.stdin.read()[::-1])']"
    process = await hooks.start(hooks.load(write(tmp_path, f"hooks: 1\nstart: [sleep, '60']\ntoken: {reads}\n")), {})
    assert await process.token({"sub": "ann"}) == '}"nna" :"bus"{'
    await process.stop()
    process.discard()


async def test_a_token_hook_that_fails_says_why(tmp_path: Path) -> None:
    fails = "['{python}', '-c', 'import sys; sys.exit(\"no key\")']"
    process = await hooks.start(hooks.load(write(tmp_path, f'hooks: 1\nstart: [sleep, "60"]\ntoken: {fails}\n')), {})
    with pytest.raises(HookError, match="token: exit code 1: no key"):
        await process.token({})
    await process.stop()
    process.discard()


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, "hooks: 1\nstart: [/no/such/program]\n")
    with pytest.raises(HookError, match="cannot run '/no/such/program': No such file"):
        await hooks.start(hooks.load(path), {})


def test_free_port_is_free() -> None:
    assert 1024 < hooks.free_port() < 65536
    assert os.getpid()


async def with_more(tmp_path: Path, more: str) -> hooks.Process:
    return await hooks.start(hooks.load(write(tmp_path, f"hooks: 1\nstart: [sleep, '60']\nready: 2s\n{more}")), {})


async def test_an_engine_is_there_before_the_first_node_and_ends_with_it(tmp_path: Path) -> None:
    program = LISTENS.replace('os.environ["ROOMPROOF_FIRST_PORT"]', '"engine"')
    (tmp_path / "engine.py").write_text(program)
    path = write(tmp_path, "hooks: 1\nengine: ['{python}', '{here}/engine.py']\nstart: [sleep, '60']\n")
    process = await hooks.start(hooks.load(path), {})
    engine = process.engine
    assert engine is not None
    assert engine.listens()
    assert process.environment["ROOMPROOF_ENGINE_PORT"] == str(engine.port)
    await process.stop(alone=True)
    assert engine.running
    await process.stop()
    process.discard()
    assert not engine.running


LISTENS = """
import os, socket, time
with socket.create_server(("127.0.0.1", int(os.environ["ROOMPROOF_PORT"]))):
    print(os.environ["ROOMPROOF_FIRST_PORT"], flush=True)
    time.sleep(60)
"""


async def test_a_second_node_has_a_port_of_its_own_and_ends_with_the_first(tmp_path: Path) -> None:
    (tmp_path / "node.py").write_text(LISTENS)
    process = await with_more(tmp_path, 'node: ["{python}", "{here}/node.py"]\n')
    try:
        node = await process.another_node()
        assert node.port != process.port
        assert node.listens()
        assert node.output().strip() == str(process.port)
    finally:
        await process.stop()
        process.discard()
    assert not node.running
    assert not node.listens()


async def test_a_node_that_does_not_listen_is_named(tmp_path: Path) -> None:
    process = await with_more(tmp_path, "node: [sh, -c, 'echo no room for me; sleep 60']\n")
    try:
        with pytest.raises(HookError, match="node: nobody listens after 2 s; its last words: no room for me"):
            await process.another_node()
    finally:
        await process.stop()
        process.discard()
