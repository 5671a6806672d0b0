"""HTTP beside the socket: requests that a dialect makes, and what it reads from their answers.

Sans-I/O: a `Request` says what to ask, whoever runs the dialect asks it and hands back a `Response`. Knows no socket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlencode

from .filters import MISSING
from .matching import Pattern
from .templates import Template, Unresolved, Variables

SUCCESS: Final = {"status": {"ge": 200, "le": 299}}
"""What an answer must be where the dialect says nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is path and query at the server's own host and port.

    `once` names what the answer is kept under for all clients of the run (None: each client asks for itself).
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    once: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def tree(self) -> dict[str, Any]:
        """`{status, headers, text}`, header names in lower case, and `json` where the body is JSON."""
        text = self.body.decode("utf-8", "backslashreplace")
        tree: dict[str, Any] = {
            "status": self.status,
            "headers": {name.lower(): value for name, value in self.headers},
            "text": text,
        }
        with suppress(ValueError, RecursionError):
            tree["json"] = json.loads(text)
        return tree


@dataclass(frozen=True, slots=True)
class Ask:
    """A compiled `request` of a dialect file."""

    method: str
    target: Template
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Template | None = None
    form: Literal["json", "form", "body"] = "body"
    expect: Pattern | None = None
    once: Literal["room", "run"] | None = None
    name: str = ""  # tells it from the other requests of the dialect

    @property
    def names(self) -> frozenset[str]:
        """The variables that it uses."""
        parts = [self.target, *self.headers.values(), *([self.body] if self.body else [])]
        return frozenset().union(*(part.names for part in parts))

    def render(self, variables: Variables, cookies: Cookies) -> Request:
        """Raises Unresolved, and ValueError when the body is of no such form."""
        headers = [(name, str(value.render(variables))) for name, value in self.headers.items()]
        body = b""
        if self.body is not None:
            value = self.body.render(variables)
            value = {} if value is MISSING else value
            if self.form == "json":
                body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
                headers.append(("Content-Type", "application/json"))
            elif self.form == "form":
                body = urlencode({key: str(item) for key, item in dict(value).items()}).encode()
                headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            else:
                body = str(value).encode("utf-8", "surrogatepass")
        if cookies.header:
            headers.append(("Cookie", cookies.header))
        target = str(self.target.render(variables))
        if not target.isascii() or " " in target or "\r" in target or "\n" in target:
            raise ValueError(f"{target!r} is no path of HTTP: escape its values with |path or |query")
        return Request(self.method, target, tuple(headers), body, self.key(variables))

    def key(self, variables: Variables) -> str | None:
        """What its answer is kept under. Raises Unresolved when it is for a room, and there is none."""
        if self.once is None:
            return None
        if self.once == "room" and "room" not in variables:
            raise Unresolved("{room}")
        return f"{self.name} {variables['room']}" if self.once == "room" else self.name


class Cookies:
    """The cookies of one client at one server: names and values, and nothing of paths and dates but `Max-Age=0`."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._values = dict(given or {})

    def take(self, headers: tuple[tuple[str, str], ...]) -> None:
        """Keep what an answer sets."""
        for name, value in headers:
            if name.lower() != "set-cookie":
                continue
            pair, *attributes = value.split(";")
            key, found, content = pair.strip().partition("=")
            if not found:
                continue
            if any(attribute.strip().lower() == "max-age=0" for attribute in attributes):
                self._values.pop(key, None)
            else:
                self._values[key] = content

    def put(self, name: str, value: str) -> None:
        self._values.setdefault(name, value)

    @property
    def header(self) -> str:
        """The value of a `Cookie` header; empty without any."""
        return "; ".join(f"{name}={value}" for name, value in self._values.items())
