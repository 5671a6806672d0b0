"""The server beside its peers and a floor in C, on this machine: `make bench`.

| module | what it does |
|--|--|
| `servers` | who is measured: the floor, this server, and the peers in `peers/`, each in its fastest ordinary form |
| `scenarios` | what is asked of them |
| `processes` | one server and one load generator side by side, and the kernel's accounts of the server |
| `samples` | one measurement of each kind |
| `rounds` | the same for many servers, interleaved, and what is made of the samples |
| `run` | the command line |
| `page` | `docs/results/bench.md` and its plots, from `docs/results/bench.json` |
| `c/`, `load.py` | the floor and the load generator; the generator again in Python, where there is no C compiler |

Absolute figures depend on the machine and the hour: only ratios from one interleaved run are worth comparing.
"""
