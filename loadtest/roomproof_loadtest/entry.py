"""The `roomproof-load` command: says what it needs when that is not installed, and runs the load when it is.

It must not import locust: locust patches the sockets of the process that imports it, so whoever
imports this module to look at it (a test, a documentation build) would be patched with it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

EXIT_USAGE = 2

MISSING_EXTRA = "roomproof-load needs packages that are not installed: pip install 'roomproof[load]'"


def main() -> int:
    """Run the command, and return its exit code.

    Raises nothing. Without the extra it prints the `pip install` to type to stderr and returns 2.
    """
    if any(find_spec(name) is None for name in ("locust", "websocket")):
        print(MISSING_EXTRA, file=sys.stderr)
        return EXIT_USAGE
    from .cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
