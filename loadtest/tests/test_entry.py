"""`roomproof-load` tells what is missing in one line, and imports no locust itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from roomproof_loadtest import entry


@pytest.mark.parametrize("absent", ["locust", "websocket"])
def test_missing_extra_names_the_line_to_type(
    absent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry, "find_spec", lambda name: None if name == absent else object())
    assert entry.main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "roomproof-load needs packages that are not installed: pip install 'roomproof[load]'\n"


def test_the_command_does_not_import_locust() -> None:
    code = (
        "import sys; sys.argv = ['roomproof-load', '--list']; from roomproof_loadtest import entry; "
        "code = entry.main(); sys.exit(code or 'locust' in sys.modules or 'gevent' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "steady-chat" in done.stdout
