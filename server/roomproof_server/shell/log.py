"""The server's own telling: one line an event, as JSON or as text, on standard error.

What clients write, what they are called and what they authenticate with never stands in a line: an exception
is told by its type and place, not by its text, which may quote a request.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import sys
import traceback
from collections import Counter
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from roomproof_server.counters import Counters

Format = Literal["json", "text"]
LEVELS = ("debug", "info", "warning", "error")

logger = logging.getLogger("roomproof.server")

STACK = 8  # innermost frames told of an exception
REFUSALS_MS = 10_000


def configure(form: Format, level: str) -> None:
    """Send what ``roomproof``, ``asyncio`` and ``websockets`` log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form))
    for name in ("roomproof", "asyncio", "websockets"):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
    logging.getLogger("roomproof").setLevel(level.upper())
    # asyncio's own lines quote arguments of callbacks: `loop_trouble` tells what matters of them.
    for name in ("asyncio", "websockets"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def tell(level: int, event: str, **fields: Any) -> None:
    """Log an event with its fields."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"fields": fields})


def loop_trouble(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What the loop does with an exception that nobody took: the type and the place, nothing of the arguments."""
    error = context.get("exception")
    fields = place(type(error), error.__traceback__) if isinstance(error, BaseException) else {}
    level = logging.WARNING if isinstance(error, OSError) else logging.ERROR  # for instance too many open files
    if isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.errno == errno.ENOTCONN):
        level = logging.DEBUG  # a client went away while the loop was writing to it
    # The message is asyncio's own, up to what it quotes.
    tell(level, "unhandled", what=str(context.get("message", "")).partition("(")[0][:80], **fields)


def place(kind: type[BaseException], trace: TracebackType | None) -> dict[str, Any]:
    """The fields that tell an exception: its type, and where it came from."""
    frames = traceback.extract_tb(trace)[-STACK:]
    stack = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": kind.__name__, "stack": stack}


class LineFormatter(logging.Formatter):
    """One line a record: JSON, or ``time level event key=value``."""

    def __init__(self, form: Format) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            fields |= place(record.exc_info[0], record.exc_info[2])
        event, level = record.getMessage(), record.levelname.lower()
        if self._json:
            return json.dumps({"time": when, "level": level, "event": event, **fields}, ensure_ascii=True)
        told = " ".join(f"{name}={json.dumps(value, ensure_ascii=True)}" for name, value in fields.items())
        return f"{when} {level:7} {event} {told}".rstrip()


class Refusals:
    """Tells at most every ``REFUSALS_MS`` how often each error code went out, and one connection that met it."""

    def __init__(self, counters: Counters, now: float) -> None:
        self._counters, self._due = counters, now + REFUSALS_MS
        self._told: Counter[str] = Counter()

    def turn(self, now: float) -> None:
        """Called several times a second; most calls do nothing."""
        if now < self._due:
            return
        self._due = now + REFUSALS_MS
        new = self._counters.refused - self._told
        if new:
            self._told = self._counters.refused.copy()
            examples = {code: self._counters.refused_last[code] for code in new}
            tell(logging.INFO, "refused", within_ms=REFUSALS_MS, counts=dict(new), examples=examples)
