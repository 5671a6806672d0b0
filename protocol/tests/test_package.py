from __future__ import annotations

import subprocess
import sys

import roomproof_protocol


def test_what_is_exported_exists_and_is_all_there_is() -> None:
    assert all(hasattr(roomproof_protocol, name) for name in roomproof_protocol.__all__)
    assert len(set(roomproof_protocol.__all__)) == len(roomproof_protocol.__all__)


def test_importing_reads_no_tables_and_loads_no_validator() -> None:
    code = "import roomproof_protocol, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not {"yaml", "jsonschema", "referencing", "typing_extensions"} & set(done.stdout.split())
