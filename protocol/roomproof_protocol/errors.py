"""Error codes (section 4) and the exception that carries one to the client.

The codes are the rows of `tables/errors.yaml`. This module knows nothing of connections: what is fatal
where, and which Close follows, is decided by who catches the exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roomproof_protocol.data import LazyTable, table

MAX_MESSAGE = 256
"""Characters in `error.message` at most (ERR-12)."""


@dataclass(frozen=True)
class ErrorCode:
    """One row of the error table.

    `hello_close` is the close code that follows when a `hello` is refused with this code (CONN-13).
    `malformed` marks the codes that count towards `limits.errors` (ERR-13).
    """

    code: str
    retryable: bool
    when: str
    hello_close: int
    malformed: bool = False
    reserved: bool = False


ERRORS: LazyTable[str, ErrorCode] = LazyTable(
    lambda: {row["code"]: ErrorCode(**row) for row in table("errors")["errors"]}
)


class ProtocolError(Exception):
    """A request cannot be honoured; what a server answers with, never a traceback.

    `code` is from the error table. `message` is for people: at most 256 characters, nothing of other
    users and no paths (ERR-12). `re` is the request's `id` where it was usable, `field` a JSON Pointer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        re: str | None = None,
        field: str | None = None,
        retry_after_ms: int | None = None,
        limit: object | None = None,
        fatal: bool = False,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message[:MAX_MESSAGE]
        self.re = re
        self.field = field
        self.retry_after_ms = retry_after_ms
        self.limit = limit
        self.fatal = fatal

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def to_message(self) -> dict[str, Any]:
        """Give the `error` message of section 3, `retryable` taken from the table.

        Raises KeyError when `code` is not in the table: that is a fault of the program.
        """
        message: dict[str, Any] = {
            "type": "error",
            "re": self.re,
            "code": self.code,
            "message": self.message,
            "fatal": self.fatal,
            "retryable": ERRORS[self.code].retryable,
        }
        optional = {"retry_after_ms": self.retry_after_ms, "field": self.field, "limit": self.limit}
        return message | {name: value for name, value in optional.items() if value is not None}
