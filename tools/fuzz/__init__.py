"""Frames that are wrong in ways nobody thought of, through the server's rules and over sockets. `run` starts it."""
