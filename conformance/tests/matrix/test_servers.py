"""Servers files: what is wrong is told by file, line and place, with a suggestion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from roomproof_conformance.matrix.servers import Limits, Replacement, ServersError, load, schema

HEAD = "matrix: 1\nservers:\n  mine:\n"


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "app").mkdir(exist_ok=True)
    (tmp_path / "app" / "server.conf").write_text("listen 7001\n")
    (tmp_path / "pins.txt").write_text("# pins\nwebsockets==13.1  # the last with a path\n\nh11==0.16.0\n")
    path = tmp_path / "servers.yaml"
    path.write_text(text)
    return path


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_an_entry_with_everything(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEAD
        + "    title: My server\n    set: mine\n    remark: as it\n"
        + "    command: ['{python}', x.py, '{port}']\n"
        "    path: /ws\n    python: pins.txt\n    environment: {PORT: '{port}'}\n    inherit: [LANGUAGE]\n"
        + "    copy: app\n"
        "    replace: [{file: server.conf, find: '7001', with: '{port}'}]\n    ready: 30s\n"
        "    stop: {signal: SIGINT, grace: 500ms}\n    limits: {memory: 512MiB, cpu: 2m, files: 64, processes: 9}\n",
    )
    read = load(path)
    [server] = read.servers
    assert (read.title, server.title, server.where) == ("servers", "My server", f"{path}:3")
    assert server.pins == ("websockets==13.1", "h11==0.16.0")
    assert server.replace == (Replacement("server.conf", "7001", "{port}"),)
    assert (server.ready, server.stop_signal, server.grace) == (30, "SIGINT", 0.5)
    assert server.limits == Limits(memory=2**29, cpu=120, files=64, processes=9)


@pytest.mark.parametrize(
    ("entry", "line", "expected"),
    [
        ("    comand: [x]\n", 4, "servers.mine.comand: unknown key 'comand'; did you mean 'command'?"),
        ("    title: x\n", 3, "servers.mine: expected one of command, url and hooks, got none of them"),
        ("    url: ws://h/\n    command: [x]\n", 3, "got command and url"),
        ("    url: http://h/\n", 4, "servers.mine.url: expected an address such as ws://127.0.0.1:8765/ws"),
        ("    command: [x, '{prot}']\n", 4, "servers.mine.command[1]: unknown word {prot}; did you mean 'port'?"),
        ("    command: [x]\n    environment: {A: '{here', B: '{hre}'}\n", 5, "unknown word {hre}"),
        ("    command: []\n", 4, "servers.mine.command: must not be empty"),
        ("    url: ws://h/\n    ready: 3s\n", 5, "servers.mine.ready: says something only beside 'command'"),
        ("    command: [x]\n    timers: short\n", 5, "servers.mine.timers: says something only beside 'hooks'"),
        ("    command: [x]\n    ready: soon\n", 5, "servers.mine.ready: expected a duration such as 500ms, 30s or 2m"),
        ("    command: [x]\n    limits: {memory: 2GB}\n", 5, "servers.mine.limits.memory: expected a size"),
        ("    command: [x]\n    stop: {signal: SIGKILL}\n", 5, "expected one of SIGTERM, SIGINT, SIGQUIT, SIGHUP"),
        ("    command: [x]\n    dialect: none.yaml\n", 5, "none.yaml: no such file; names that ship with the kit: "),
        ("    command: [x]\n    dialect: pins.txt\n", 5, "servers.mine.dialect: "),
        ("    hooks: nowhere\n", 4, "nowhere: no such file; names that ship with the kit: "),
        ("    command: [x]\n    copy: nothing\n", 5, "servers.mine.copy: "),
        (
            "    command: [x]\n    python: [websockets]\n",
            5,
            "expected a pin such as websockets==13.1, got 'websockets'",
        ),
        ("    command: [x]\n    python: none.txt\n", 5, "servers.mine.python: none.txt: cannot be read"),
        (
            "    command: [x]\n    replace:\n      - {file: a, find: b, with: c}\n",
            5,
            "servers.mine.replace: needs `copy`: only a copy is changed",
        ),
        (
            "    command: [x]\n    copy: app\n    replace:\n      - {file: a, find: b, with: c}\n",
            7,
            "servers.mine.replace[0].file: a: no such file in the copy",
        ),
        (
            "    command: [x]\n    copy: app\n    replace:\n      - {file: ../pins.txt, find: b, with: c}\n",
            7,
            "no such file in the copy",
        ),
        (
            "    command: [x]\n    copy: app\n    replace:\n      - {file: server.conf, find: 7002, with: c}\n",
            7,
            "expected text",
        ),
        (
            "    command: [x]\n    copy: app\n    replace:\n      - {file: server.conf, find: '7002', with: c}\n",
            7,
            "servers.mine.replace[0].find: '7002' does not occur in",
        ),
    ],
)
def test_a_wrong_entry_is_told_by_line(tmp_path: Path, entry: str, line: int, expected: str) -> None:
    path = written(tmp_path, HEAD + entry)
    with pytest.raises(ServersError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("matrix: [\n", "not YAML"),
        ("just text\n", "expected a map with matrix and servers"),
        ("matrix: 2\nservers: {a: {url: 'ws://h/'}}\n", ":1: matrix: expected 1"),
        ("matrix: 1\n", "lacks 'servers'"),
        ("matrix: 1\nservers: {}\n", "at least one server"),
        ("matrix: 1\nservers: {../up: {url: 'ws://h/'}}\n", "../up"),
        ("matrix: 1\nservers:\n  a: {url: 'ws://h/'}\n  a: {url: 'ws://h/'}\n", "stands twice"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ServersError) as raised:
        load(written(tmp_path, text))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_all_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    text = "matrix: 1\nservers:\n  a: {title: x}\n  b: {command: ['{nort}']}\n"
    with pytest.raises(ServersError) as raised:
        load(written(tmp_path, text))
    assert len(raised.value.problems) == 2


def test_a_choice_that_names_nothing_suggests(tmp_path: Path) -> None:
    read = load(written(tmp_path, "matrix: 1\nservers:\n  one: {url: 'ws://h/'}\n  two: {url: 'ws://h/'}\n"))
    assert [server.name for server in read.chosen(("t*",))] == ["two"]
    with pytest.raises(ServersError, match="no server is called 'tow'; did you mean 'two'"):
        read.chosen(("tow",))


def test_every_member_is_described() -> None:
    members = schema()["$defs"]["server"]["properties"]
    assert [name for name, said in members.items() if "description" not in said] == ["stop"]
    assert json.dumps(members)
