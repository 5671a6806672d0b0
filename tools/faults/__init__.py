"""Faults of a service of several nodes: each with a real Redis, real nodes and clients that talk all the time."""
