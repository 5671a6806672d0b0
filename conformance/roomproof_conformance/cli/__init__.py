"""The command line: `roomproof URL` judges, the subcommands explain. Prints results to stdout, progress to stderr."""

from __future__ import annotations

from .main import main

__all__ = ["main"]
