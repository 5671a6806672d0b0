"""The kit's start hook for an answer: unpack it, make its environment, limit this process, become the server.

    ROOMPROOF_PORT=8123 ROOMPROOF_STATE=/tmp/scratch ROOMPROOF_SETTINGS='{}' python start.py grok_420

The code that is run is untrusted. It gets the loopback address, a scratch folder, an environment of five
variables and hard limits; because this process *becomes* the server (exec), a signal to its pid reaches the
server and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from answers import choose_runnable, load_answers
from environments import ensure
from unpack import DEFAULT_RESULTS, UsageFault, choose, load_results, unpack

_MIB = 1024 * 1024
# Room enough for a chat server under test, too little to hurt the machine.
LIMITS = {
    resource.RLIMIT_AS: 2048 * _MIB,
    resource.RLIMIT_CPU: 900,  # seconds
    resource.RLIMIT_NOFILE: 1024,
    resource.RLIMIT_FSIZE: 64 * _MIB,
    resource.RLIMIT_CORE: 0,
}


def request(environment: Mapping[str, str]) -> tuple[int, Path, list[str]]:
    """Port, state folder and names of the wanted settings; UsageFault names the variable that is wrong."""
    port = environment.get("ROOMPROOF_PORT", "")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageFault(f"ROOMPROOF_PORT: expected a port from 1 to 65535, got {port!r}")
    state = environment.get("ROOMPROOF_STATE", "")
    if not state:
        raise UsageFault("ROOMPROOF_STATE: expected the path of a scratch folder, got nothing")
    try:
        settings = json.loads(environment.get("ROOMPROOF_SETTINGS") or "{}")
    except ValueError as fault:
        raise UsageFault(f"ROOMPROOF_SETTINGS: not JSON: {fault}") from fault
    if not isinstance(settings, dict):
        raise UsageFault(f"ROOMPROOF_SETTINGS: expected a JSON object, got {type(settings).__name__}")
    return int(port), Path(state).resolve(), sorted(settings)


def limit() -> None:
    """Lower this process's limits for good; one that is lower already stays."""
    for kind, wanted in LIMITS.items():
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def main(arguments: Sequence[str] | None = None) -> int:
    """Becomes the server; returns only when it cannot: 2 with one line on standard error."""
    parser = argparse.ArgumentParser(description="Start one answer as it is (the kit's start hook).")
    parser.add_argument("key", metavar="KEY", help="model key")
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS, metavar="PATH", help="the results file")
    options = parser.parse_args(arguments)
    try:
        port, state, settings = request(os.environ)
        print(json.dumps({"cannot_set": settings}), flush=True)  # answers have no settings
        runnable = choose_runnable(load_answers(), options.key)
        answer = choose(load_results(options.results), options.key)
        if answer.sha256 != runnable.sha256:
            raise UsageFault(
                f"{options.results}: the code of {options.key} has sha256 {answer.sha256}, "
                f"expected {runnable.sha256}: not the answer that answers.yaml describes, so it is not run"
            )
        python = ensure(options.key)
        folder = unpack(answer, state).parent
    except UsageFault as fault:
        print(f"start: {fault}", file=sys.stderr)
        return 2
    return become(runnable.command(python, port), folder, port)


def become(command: list[str], folder: Path, port: int) -> NoReturn:
    """Replace this process by the server, limited, in its scratch folder."""
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "ROOMPROOF_PORT": str(port),
    }
    os.chdir(folder)
    limit()
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    sys.exit(main())
