"""The reference server of roomproof.v1.

Read in this order: ``rules.stream``, ``rules.presence``, ``rules.limiter`` and ``rules.heartbeat`` (what the
protocol means: no clock, no socket, no asyncio), ``engine`` (where rooms are kept), ``hub`` (who gets which
frame), ``rules.session`` (one connection's requests), ``shell`` (asyncio), ``run`` and ``cli``.
"""

__version__ = "0.1.0"  # written out: to ask the installed package takes longer than the rest of a start
