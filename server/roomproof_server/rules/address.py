"""Whose connection it is by network address, and how many such there may be (RATE-14).

Addresses come as texts and headers as their values. What a header claims is believed from a trusted proxy only,
and of its chain only what that proxy or another trusted one has added: the right-most hop that is none of them.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from roomproof_server.settings import Settings

FORWARDING = ("Forwarded", "X-Forwarded-For")
UNKNOWN = "unknown"  # one address for all whom a trusted proxy does not name
LOOPBACK = "127.0.0.1"

# RFC 7239, section 4: pairs of a token and a token or quoted string, with ; between pairs and , between hops.
_PAIR = re.compile(r"""\s*(?:([\w!#$%&'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*))?\s*([;,]|\Z)""")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Client(NamedTuple):
    """The address as limits count it, and whether they hold for it."""

    address: str
    limited: bool


class Addresses:
    """The connections of each address, and which address a client has."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: Counter[str] = Counter()

    def client(self, peer: str | None, forwarded: Sequence[str]) -> Client:
        """The client behind a TCP peer, None for a unix socket, which counts as loopback.

        ``forwarded`` has the values of the configured header, one for each line.
        """
        settings = self._settings
        address = _parse(peer or LOOPBACK)
        if forwarded and self._trusted(address):
            hops = _forwarded(forwarded) if settings.forwarded_header == "forwarded" else _listed(forwarded)
            for hop in reversed(list(hops)):
                address = _parse(hop)
                if not self._trusted(address):
                    break
        if address is None:
            return Client(UNKNOWN, settings.limits.per_address is not None)
        held = settings.limits.per_address is not None and (settings.loopback_limits or not address.is_loopback)
        return Client(_counted(address), held)

    def is_full(self, client: Client) -> bool:
        """Whether the address has all the connections it may have."""
        limits = self._settings.limits.per_address
        return limits is not None and client.limited and self._open[client.address] >= limits.conns

    def enter(self, client: Client) -> None:
        """One more connection."""
        if client.limited:
            self._open[client.address] += 1

    def leave(self, client: Client) -> None:
        """A connection that entered is over."""
        if client.limited:
            self._open[client.address] -= 1
            if not self._open[client.address]:
                del self._open[client.address]

    def __len__(self) -> int:
        return len(self._open)

    def _trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._settings.trusted_proxies)


def _parse(text: str) -> Address | None:
    """An address with or without port, brackets and zone; None for anything else, ``unknown`` included."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _counted(address: Address) -> str:
    """IPv4 as it is; of IPv6 the /64, which is what one subscriber has."""
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _listed(values: Sequence[str]) -> Iterator[str]:
    for value in values:
        yield from value.split(",")


def _forwarded(values: Sequence[str]) -> Iterator[str]:
    """What each hop names in ``for``; whatever is not of the grammar makes a hop that nobody knows."""
    for value in values:
        position, node = 0, UNKNOWN
        while position < len(value):
            pair = _PAIR.match(value, position)
            if pair is None:
                yield UNKNOWN
                break
            if (pair[1] or "").lower() == "for":
                node = pair[2]
            position = pair.end()
            if pair[3] == "," or position >= len(value):
                yield node
                node = UNKNOWN
