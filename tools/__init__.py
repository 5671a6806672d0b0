"""The project's own tools, a package for each subject. They run as modules, and none is in the wheel.

| package | what it does | by |
|--|--|--|
| `abuse` | hostile clients: the server's memory and the delay of the others | `make abuse` |
| `dialects` | the page about dialect files, from their schema | `make generate` |
| `docs` | what the site shows that is made from tables and records, and what Sphinx is told | `make docs` |
| `durability` | kills under load, and how the file of the store grows | `make kill store` |
| `fuzz` | mutated frames through the server's rules and its sockets | `make fuzz` |
| `liars` | the kit judged by its liars, and how small the proofs become | `make liars shrink` |
| `load` | the load test with the reference, five liars and two servers of other people | `make load` |
| `multivac` | the answers of a published evaluation, run and judged | `make multivac` |
| `mutants` | the kit judged by mutants of the server's source | `make mutants` |
| `node` | the server in Node, installed and judged | `make node-ci` |
| `soak` | the kit under load, for hours | `make soak` |
| `packaging` | the set-up, the pinned versions, what is in the wheel, man pages, linters | `make wheel packaging-ci` |
| `support` | what several of these need | |

It must import nothing that is installed: `packaging.pin` runs on a bare Python.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
LIARS = ROOT / "conformance" / "tests" / "liars"
