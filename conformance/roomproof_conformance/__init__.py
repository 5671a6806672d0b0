"""The conformance kit: judges any chat server over a socket. `roomproof ws://…` is its command line."""

__version__ = "0.1.0"
