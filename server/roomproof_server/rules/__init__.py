"""The protocol's rules as plain classes: they take values and ``now`` and know no clock, socket or loop.

``now`` is always monotonic milliseconds, ``wall`` integer milliseconds since 1970.
"""
