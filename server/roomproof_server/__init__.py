"""The reference server of roomproof.v1.

Read in this order: ``rules`` (what the protocol means: no clock, no socket, no asyncio), ``engine`` (where rooms
are kept), ``hub`` (who gets what), ``session`` in the rules (one connection's requests), ``shell`` (asyncio).
"""
