"""The console script: says what to install when the server's extra is missing, else hands over to `cli`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

LATER = ("jsonschema_rs", "prometheus_client", "jwt")
"""Packages of the extra that are imported only when they are needed, which would be too late to say so."""


def main() -> None:
    """Run ``roomproof-server``; exit 2 with one line if a package of the extra is missing."""
    try:
        for name in LATER:
            if find_spec(name) is None:
                raise ModuleNotFoundError(name=name)
        from roomproof_server.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("roomproof"):
            raise
        print(f"roomproof-server needs {error.name}: pip install 'roomproof[server]'", file=sys.stderr)
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
