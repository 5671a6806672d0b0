"""The conformance kit's start hook for this server: settings come in the environment.

``ROOMPROOF_PORT`` is the port, ``ROOMPROOF_STATE`` a folder for the store, ``ROOMPROOF_SETTINGS`` a JSON object of
wanted settings; ``"store": "sqlite"`` keeps the rooms in that folder, "memory" (the default) nowhere. The first line
of output names, as JSON, those that this server cannot set.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from roomproof_protocol import Heartbeat, Limits
from roomproof_server.run import serve
from roomproof_server.settings import Settings

LIMIT_NAMES = frozenset(field.name for field in fields(Limits))


def wanted(asked: Mapping[str, Any], state: str = ".") -> tuple[Settings, list[str]]:
    """The settings, and the names that cannot be had. Raises ValueError for a bad value: one line."""
    limits: dict[str, Any] = {}
    heartbeat = Heartbeat()
    store: Path | None = None
    cannot: list[str] = []
    for name, value in asked.items():
        if name == "heartbeat":
            heartbeat = _heartbeat(value)
        elif name == "store":
            if value not in ("memory", "sqlite"):
                raise ValueError(f'store must be "memory" or "sqlite", not {value!r}')
            store = Path(state, "rooms.db") if value == "sqlite" else None
        elif name == "per_address" or name not in LIMIT_NAMES:
            # What is off can be asked to be off: limits per address, compression, and whatever comes.
            if value not in (None, False):
                cannot.append(name)
        else:
            limits[name] = value
    made = Limits.from_mapping(limits)
    return Settings(limits=made, heartbeat=heartbeat, store=store, version=version("roomproof")), cannot


def _heartbeat(value: object) -> Heartbeat:
    names = {field.name for field in fields(Heartbeat)}
    if (
        not isinstance(value, dict)
        or not value.keys() <= names
        or not all(type(ms) is int and ms > 0 for ms in value.values())
    ):
        raise ValueError(f"heartbeat must be an object of {' and '.join(sorted(names))} in whole milliseconds")
    return Heartbeat(**value)


def main() -> int:
    """Run the hook; returns the exit code."""
    try:
        asked = json.loads(os.environ.get("ROOMPROOF_SETTINGS") or "{}")
        if not isinstance(asked, dict):
            raise ValueError("ROOMPROOF_SETTINGS must be a JSON object")
        port = int(os.environ.get("ROOMPROOF_PORT", "0"))
        settings, cannot = wanted(asked, os.environ.get("ROOMPROOF_STATE") or ".")
    except ValueError as error:
        _complain(f"roomproof_server.hook: {error}")
        return 2
    print(json.dumps({"cannot_set": cannot}), flush=True)
    return serve(settings, "127.0.0.1", port, lambda line: print(line, flush=True), _complain)


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
