"""Several processes on one port: refused without a Redis, replaced when one dies, ended together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from roomproof_server.cli import main
from tools.support.redis_server import Missing, RedisServer


def test_without_a_redis_they_are_refused_with_the_reason() -> None:
    result = CliRunner().invoke(main, ["--store", "memory", "--workers", "2"])
    assert result.exit_code == 2
    assert "2 workers need a store that they can share: expected store redis://HOST:PORT, got memory" in result.output


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_one_that_dies_is_replaced_and_counted(tmp_path: Path) -> None:
    try:
        redis = RedisServer(tmp_path / "redis").start()
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"Debian package {missing} is not installed")
    command = [sys.executable, "-m", "roomproof_server.entry", "--port", "0", "--workers", "2", "--drain", "0"]
    server = subprocess.Popen(
        [*command, "--store", redis.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        first = server.stdout.readline()
        port = int(first.rpartition(":")[2].partition("/")[0])
        before = _wait_for(lambda: len(_children(server.pid)) == 2 and _children(server.pid))
        _wait_for(lambda: _ready(port))
        os.kill(before[0], signal.SIGKILL)
        after = _wait_for(lambda: before[0] not in _children(server.pid) and len(_children(server.pid)) == 2)
        assert after
        _wait_for(lambda: _ready(port))
        assert _metric(port, "roomproof_worker_restarts_total") == 1
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=20)
        assert server.returncode == 0
        assert '"worker replaced"' in log
    finally:
        if server.poll() is None:
            server.kill()
            server.communicate()
        redis.stop()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def _wait_for(look):  # type: ignore[no-untyped-def]  # gives what the look gives
    for _ in range(200):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("waited for ten seconds")
