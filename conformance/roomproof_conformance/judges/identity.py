"""Judges of who a client is: what the tokens that restore a guest are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations, zip_longest

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import EVENTS, Judge

LEAST_BYTES = 16
"""128 bits (AUTH-12)."""
LEAST_PLACES = 12
"""In how many characters two tokens differ at least: two random ones of 128 bits in 16 or more do, a count does not."""


@dataclass
class Unguessable(Judge):
    """The guest tokens of `conns` have room for 128 bits, and nobody can make one of them from another (AUTH-12).

    What cannot be seen from outside is how random they are; that they are too short or alike can.
    """

    reads = EVENTS
    conns: list[str]
    _tokens: dict[str, Record] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "event" and record.conn in self.conns and _token(record):
            self._tokens.setdefault(record.conn, record)

    def end(self) -> Finding:
        expected = f"tokens of at least {LEAST_BYTES} bytes, any two different in at least {LEAST_PLACES} places"
        if len(self._tokens) < 2:
            return Finding("unclear", expected, f"{len(self._tokens)} tokens were seen")
        for conn, record in self._tokens.items():
            if (size := len(_token(record).encode())) < LEAST_BYTES:
                return Finding("broken", expected, f"that of {conn} has {size} bytes", (record.index,))
        for one, other in combinations(self._tokens.values(), 2):
            places = sum(a != b for a, b in zip_longest(_token(one), _token(other)))
            if places < LEAST_PLACES:
                seen = f"those of {one.conn} and {other.conn} differ in {places} places"
                return Finding("broken", expected, seen, (one.index, other.index))
        return Finding("holds", expected, f"{len(self._tokens)} tokens", tuple(r.index for r in self._tokens.values()))


def _token(record: Record) -> str:
    tree = record.data["tree"]
    token = tree.get("guest_token") if isinstance(tree, dict) else None
    return token if isinstance(token, str) else ""
