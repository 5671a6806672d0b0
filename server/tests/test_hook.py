"""The kit's hooks for this server: what can be set, and tokens the server takes or refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from roomproof_protocol import ProtocolError
from roomproof_server.auth.tokens import token_verifier
from roomproof_server.hook import AUDIENCE, token, wanted

HOOK = [sys.executable, "-m", "roomproof_server.hook"]
NOW = 1_700_000_000


def run(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOOK, *arguments], env=os.environ | environment, input=given, capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip


def test_settings_it_can_and_cannot_set(tmp_path: Path) -> None:
    guard = {"conns": 1, "guests": {"count": 2, "window_ms": 3}, "messages": {"count": 4, "window_ms": 5}}
    settings, cannot = wanted(
        {"heartbeat": {"interval_ms": 1000, "timeout_ms": 2000}, "hello_ms": 500, "per_address": guard,
         "compression": True, "drain_ms": 70, "store": "sqlite", "warp": 9, "weft": None}, str(tmp_path)
    )  # fmt: skip
    assert (settings.heartbeat.interval_ms, settings.limits.hello_ms, settings.drain_ms) == (1000, 500, 70)
    assert settings.limits.per_address is not None
    assert (settings.loopback_limits, settings.compression) == (True, True)
    assert settings.store == tmp_path / "rooms.db"
    assert settings.jwt is not None
    assert settings.jwt.audience == AUDIENCE
    assert cannot == ["warp"]


def test_what_is_off_unless_asked_for(tmp_path: Path) -> None:
    settings, cannot = wanted({"per_address": None, "jwt": False, "store": "memory"}, str(tmp_path))
    assert (settings.limits.per_address, settings.loopback_limits) == (None, False)
    assert (settings.jwt, settings.store, cannot) == (None, None, [])
    assert wanted({})[0].jwt is None  # no folder, no key


@pytest.mark.parametrize(
    "asked",
    [{"heartbeat": 1}, {"heartbeat": {"interval": 1}}, {"heartbeat": {"interval_ms": "1"}},
     {"heartbeat": {"interval_ms": 0}}, {"store": "paper"}, {"drain_ms": -1}, {"drain_ms": True},
     {"per_address": {"conns": 1}}],
)  # fmt: skip
def test_values_that_are_none(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(asked))):
        wanted(asked)


def test_it_runs_and_takes_its_tokens(tmp_path: Path) -> None:
    asked = {"warp": 9, "heartbeat": {"interval_ms": 1000, "timeout_ms": 1000}}
    environment = {"ROOMPROOF_PORT": "0", "ROOMPROOF_STATE": str(tmp_path), "ROOMPROOF_SETTINGS": json.dumps(asked)}
    process = subprocess.Popen(HOOK, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with closing(process.stdout):
        try:
            assert json.loads(process.stdout.readline()) == {"cannot_set": ["warp"]}
            url = process.stdout.readline().split()[-1]
            made = run("token", given='{"sub":"ann","name":"Ann"}', **environment)
            assert (made.returncode, made.stderr) == (0, "")
            with connect(url) as client:
                auth = {"scheme": "jwt", "token": made.stdout.strip()}
                client.send(json.dumps({"type": "hello", "id": "1", "name": "Zoe", "auth": auth}))
                welcome = json.loads(client.recv(5))
            assert welcome["user"] == {"id": "ann", "name": "Ann", "guest": False}
            assert welcome["heartbeat"] == asked["heartbeat"]
        finally:
            process.terminate()
            assert process.wait(10) == 0


def test_rooms_in_memory_can_be_lost_while_members_look_on(tmp_path: Path) -> None:
    environment = {"ROOMPROOF_PORT": "0", "ROOMPROOF_STATE": str(tmp_path), "ROOMPROOF_FAULT": "on"}
    process = subprocess.Popen(HOOK, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with closing(process.stdout):
        try:
            process.stdout.readline()
            with connect(process.stdout.readline().split()[-1]) as client:
                client.send('{"type": "hello", "id": "1", "name": "Zoe", "auth": {"scheme": "guest"}}')
                client.send('{"type": "join", "id": "2", "room": "lobby"}')
                client.recv(5)
                epoch = json.loads(client.recv(5))["epoch"]
                done = run("engine-empty", **environment, ROOMPROOF_PID=str(process.pid))
                assert (done.returncode, done.stderr) == (0, "")
                reset = json.loads(client.recv(5))
            assert (reset["type"], reset["reason"], reset["head"]) == ("reset", "epoch_changed", 0)
            assert reset["epoch"] != epoch
        finally:
            process.terminate()
            assert process.wait(10) == 0


def test_tokens_right_and_wrong(tmp_path: Path) -> None:
    settings, _ = wanted({}, str(tmp_path))
    assert settings.jwt is not None
    verify = token_verifier(settings.jwt, now=lambda: 0.0, wall=lambda: NOW * 1000)
    user = verify(token({"sub": "ann"}, tmp_path, NOW))
    assert (user.id, user.expires_at) == ("ann", (NOW + 300) * 1000)
    for wrong in ({"_alg": "none"}, {"_key": "wrong"}, {"aud": "else"}):
        with pytest.raises(ProtocolError, match="unauthenticated"):
            verify(token({"sub": "ann", **wrong}, tmp_path, NOW))
    with pytest.raises(ValueError, match="_key"):
        token({"sub": "ann", "_key": "stolen"}, tmp_path, NOW)


def test_both_hooks_may_make_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: run("token", given='{"sub":"a"}', ROOMPROOF_STATE=str(tmp_path)), range(3)))
    settings, _ = wanted({}, str(tmp_path))
    assert settings.jwt is not None
    verify = token_verifier(settings.jwt, now=lambda: 0.0, wall=lambda: NOW * 1000)
    assert [verify(ran.stdout.strip()).id for ran in made] == ["a", "a", "a"]
    assert [path.name for path in tmp_path.iterdir()] == ["token.key"]


def test_a_key_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_text("short")
    ran = run(ROOMPROOF_STATE=str(tmp_path), ROOMPROOF_PORT="0")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "at least 32 bytes" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], {"ROOMPROOF_SETTINGS": "{"}),
        ([], {"ROOMPROOF_SETTINGS": "[]"}),
        ([], {"ROOMPROOF_PORT": "x"}),
        ([], {"ROOMPROOF_SETTINGS": '{"hello_ms":-1}'}),
        (["tokens"], {}),
        (["token"], {"ROOMPROOF_STATE": ""}),
        (["token"], {"ROOMPROOF_STATE": "no/such/folder"}),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments, **environment)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
