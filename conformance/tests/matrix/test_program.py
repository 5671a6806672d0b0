"""What a started program is given: its copy, its port, few variables, and limits."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from roomproof_conformance import hooks
from roomproof_conformance.clock import pause
from roomproof_conformance.hooks import HookError
from roomproof_conformance.matrix.program import program
from roomproof_conformance.matrix.servers import Server, load

TELLS = """
import os, resource
print(sorted(os.environ), os.getcwd(), open("app.conf").read(), os.environ["PORT"])
print({name: resource.getrlimit(getattr(resource, name))[0]
       for name in ("RLIMIT_DATA", "RLIMIT_CPU", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE")})
print("told")
"""


def entry(tmp_path: Path, more: str = "") -> Server:
    app = tmp_path / "app"
    app.mkdir()
    (app / "server.py").write_text(TELLS)
    (app / "app.conf").write_text("listen {8000} as {user}")
    path = tmp_path / "servers.yaml"
    path.write_text(
        "matrix: 1\nservers:\n  mine:\n    command: ['{python}', server.py]\n    copy: app\n"
        "    replace: [{file: app.conf, find: '{8000}', with: '{port} {user}'}]\n"
        "    environment: {PORT: '{port}'}\n    inherit: [KEPT]\n"
        "    limits: {memory: 256MiB, cpu: 30s, files: 77, file_size: 1MiB}\n" + more
    )
    return load(path).servers[0]


async def test_it_runs_in_a_changed_copy_with_few_variables_and_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the kit")
    monkeypatch.setenv("KEPT", "yes")
    process = await hooks.start(program(entry(tmp_path), None), {})
    try:
        while process.exit_code is None:
            await pause(0.01)
        await process.kill()
        said = process.output()
        names = ["HOME", "KEPT", "LANG", "PATH", "PORT", "PYTHONUNBUFFERED", "ROOMPROOF_PORT", "TMPDIR"]
        assert said.startswith(f"{names} {process.folder}/program listen {process.port} {{user}} as {{user}} ")
        assert f" {process.port}\n" in said
        limits = {"RLIMIT_DATA": 2**28, "RLIMIT_CPU": 30, "RLIMIT_NOFILE": 77, "RLIMIT_FSIZE": 2**20, "RLIMIT_CORE": 0}
        assert str(limits) in said
    finally:
        process.discard()
    assert (tmp_path / "app" / "app.conf").read_text() == "listen {8000} as {user}"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 77
    assert not process.folder.exists()


async def test_a_link_in_the_copy_does_not_lead_a_change_out_of_it(tmp_path: Path) -> None:
    server = entry(tmp_path)
    outside = tmp_path / "outside.conf"
    os.replace(tmp_path / "app" / "app.conf", outside)
    (tmp_path / "app" / "app.conf").symlink_to(outside)
    process = await hooks.start(program(server, None), {})
    await process.stop()
    process.discard()
    assert outside.read_text() == "listen {8000} as {user}"


async def test_a_copy_that_is_gone_is_one_line(tmp_path: Path) -> None:
    server = entry(tmp_path)
    (tmp_path / "app" / "app.conf").write_text("something else")
    with pytest.raises(HookError, match=r"servers\.yaml:3: '\{8000\}' does not occur in app\.conf of its copy"):
        await hooks.start(program(server, None), {})
