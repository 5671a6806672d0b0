"""Where the Redis is, read from one text: ``redis://``, ``redis+sentinel://`` or ``redis+cluster://``.

Knows nothing of connections and imports nothing of Redis: the configuration asks it in every server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from roomproof_server.engine.base import Durability

Kind = Literal["single", "sentinel", "cluster"]
SCHEMES: dict[str, Kind] = {
    "redis": "single", "redis+unix": "single", "redis+sentinel": "sentinel", "redis+cluster": "cluster",
}  # fmt: skip
PORTS: dict[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
EXPECTED = "redis://HOST:PORT/DB, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT"


@dataclass(frozen=True, slots=True)
class Times:
    """How long things may take, in ms; each may be given in the address, for instance ``?check_ms=2000``."""

    reply_ms: int = 3_000  # without an answer for so long the connection is given up
    check_ms: int = 5_000  # between two looks whether a room's head moved without us, and two canaries
    lease_ms: int = 15_000  # a node that did not renew its lease for so long is dead
    red_ms: int = 12_000  # after so long without Redis or bus /readyz is red (CL-7: within 15 s)
    isolated_ms: int = 60_000  # and after so long clients are sent to other nodes (CL-7)
    barrier_ms: int = 5_000  # how long after a failover nodes wait for each other before numbers go on


@dataclass(frozen=True, slots=True)
class RedisStore:
    """A Redis and how to speak to it. ``master`` is the name that Sentinels know."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    path: str | None = None  # of a socket in the file system, in place of hosts
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    master: str | None = None
    prefix: str = "roomproof:"
    durability: Durability = "engine"
    times: Times = Times()

    def __str__(self) -> str:
        """The address for people: no password."""
        scheme = next(name for name, kind in SCHEMES.items() if kind == self.kind)
        if self.path is not None:
            return f"redis+unix://{self.path}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        rest = {"single": f"/{self.db}", "sentinel": f"/{self.master}", "cluster": ""}[self.kind]
        return f"{scheme.replace('redis', 'rediss', 1) if self.tls else scheme}://{hosts}{rest}"


def is_redis(text: str) -> bool:
    """Whether the text begins like the address of a Redis."""
    return re.match(r"rediss?(\+[a-z]+)?:", text) is not None


def parse_redis(text: str) -> RedisStore:
    """The Redis that the text names. Raises ValueError, one line, without the password."""
    url = urlsplit(text)
    tls = url.scheme.startswith("rediss")
    kind = SCHEMES.get(url.scheme.replace("rediss", "redis", 1))
    if kind is None:
        raise ValueError(f"{url.scheme}:// is not a kind of Redis: expected {EXPECTED}")
    if url.fragment:
        raise ValueError("an address of a Redis has no # in it: write %23")
    login, _, places = url.netloc.rpartition("@")
    username, _, password = (unquote(part) or None for part in login.partition(":"))
    given: dict[str, Any] = {"kind": kind, "tls": tls, "username": username, "password": password}
    if url.scheme == "redis+unix":
        if places or not url.path:
            raise ValueError("expected redis+unix:///PATH")
        given |= {"hosts": (), "path": unquote(url.path)}
    else:
        given["hosts"] = tuple(_host(place, PORTS[kind]) for place in places.split(","))
        given |= _path(kind, url)
    return RedisStore(**given, **_options(url))


def _path(kind: Kind, url: SplitResult) -> dict[str, Any]:
    rest = url.path.removeprefix("/")
    if kind == "sentinel":
        if not rest or "/" in rest:
            raise ValueError("expected redis+sentinel://HOST:PORT,HOST:PORT/MASTER, the name that Sentinels know")
        return {"master": unquote(rest)}
    if kind == "cluster":
        if rest:
            raise ValueError(f"a cluster has no databases: /{rest} means nothing")
        return {}
    if rest and not (rest.isascii() and rest.isdecimal()):
        raise ValueError(f"expected the number of a database, got /{rest}")
    return {"db": int(rest or 0)}


def _host(place: str, port: int) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]@/]+)(?::(\d{1,5}))?", place)
    if match is None or int(match[2] or port) > 65535:
        raise ValueError(f"{place!r} is no HOST:PORT; expected {EXPECTED}")
    return match[1].strip("[]"), int(match[2] or port)


def _options(url: SplitResult) -> dict[str, Any]:
    times = {item.name for item in fields(Times)}
    options: dict[str, Any] = {}
    given: dict[str, int] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if name == "durability":
            if value not in ("engine", "replicated"):
                raise ValueError(f"durability must be engine or replicated, not {value!r}")
            options[name] = value
        elif name == "prefix":
            if re.fullmatch(r"[!-z]{0,64}", value) is None:
                raise ValueError("prefix must be up to 64 visible characters without braces")
            options[name] = value
        elif name in times:
            if not value.isdecimal() or not 10 <= int(value) <= 3_600_000:
                raise ValueError(f"{name} must be a number of milliseconds from 10 to 3600000, not {value!r}")
            given[name] = int(value)
        else:
            known = ", ".join(["durability", "prefix", *sorted(times)])
            raise ValueError(f"unknown option {name!r} in the address of the Redis; known: {known}")
    return options | {"times": Times(**given)}
