"""The reference server of roomproof.v1.

Read in this order: ``rules.stream``, ``rules.presence``, ``rules.limiter`` and ``rules.heartbeat`` (what the
protocol means: no clock, no socket, no asyncio), ``engine`` (where rooms are kept), ``hub`` (who gets which
frame), ``rules.session`` (one connection's requests), ``shell`` (asyncio), ``run`` and ``cli``.
"""
