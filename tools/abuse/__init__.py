"""Hostile clients of a server process: what they cost it, and what others notice. `run` starts it, `page` draws it."""
