"""Serve one liar: the reference server with one of its rules replaced, started like any other target.

`serve.py NAME` takes port and settings from the environment as the reference's own start hook does;
`serve.py --list` prints names and faults. It must not know the table that says how liars are to be caught.
"""

from __future__ import annotations

import runpy
import sys

from faults import FAULTS

HONEST = "honest"


def main(arguments: list[str]) -> int:
    """Lie as the one argument says and serve; the exit code."""
    if arguments == ["--list"]:
        for name, fault in FAULTS.items():
            fault()  # so that one which does not fit the server any more is found out
            print(name, fault.__doc__, sep="\t")
        return 0
    if len(arguments) != 1 or arguments[0] not in {HONEST, *FAULTS}:
        print(
            f"serve.py: expected one name out of --list, or {HONEST}; got {' '.join(arguments) or 'none'}",
            file=sys.stderr,
        )
        return 2
    if arguments[0] != HONEST:
        FAULTS[arguments[0]]()
    sys.argv[1:] = []
    runpy.run_module("roomproof_server.hook", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
