"""The `roomproof-load` command: says what it needs, then what this version offers.

It must not import locust: locust patches the sockets of the process that imports it, so whoever
imports this module to look at it (a test, a documentation build) would be patched with it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

EXIT_USAGE = 2

MISSING_EXTRA = "roomproof-load needs packages that are not installed: pip install 'roomproof[load]'"
NOT_YET = "roomproof-load: load scenarios are not part of this version yet; nothing was run"


def main() -> int:
    """Print one line to stderr and return the exit code, always 2.

    Raises nothing. The line names the `pip install` to type when the extra is missing.
    """
    installed = all(find_spec(name) is not None for name in ("locust", "websocket"))
    print(NOT_YET if installed else MISSING_EXTRA, file=sys.stderr)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
