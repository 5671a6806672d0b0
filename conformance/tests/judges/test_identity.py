"""Judges of guest tokens."""

from __future__ import annotations

import pytest
from transcripts import Script

from roomproof_conformance.judges.identity import Unguessable


def welcomed(*tokens: object) -> Script:
    """Clients a, b, c, … who got these tokens."""
    script = Script()
    for conn, token in zip("abcd", tokens, strict=False):
        script.event(0.1, conn, "welcome", {"type": "welcome", "guest_token": token})
    return script


@pytest.mark.parametrize(
    ("tokens", "outcome", "seen"),
    [
        (("eyJhbGciOiJIUzI1NiJ9.4GxP0qkC8vV2nQbT", "eyJhbGciOiJIUzI1NiJ9.tS7mZy1LrEwDh5Ua"), "holds", "2 tokens"),
        (("4GxP0qkC8vV2nQbTfK", "tS7mZy1LrEwDh5UaJo", "Bq9XcNiRg3YpMz6OdW"), "holds", "3 tokens"),
        (("roomproof-guest-00000001", "roomproof-guest-00000002"), "broken", "those of a and b differ in 1 places"),
        (("4GxP0qkC8vV2nQbTfK", "tS7mZy1LrEwDh5U"), "broken", "that of b has 15 bytes"),
        (("4GxP0qkC8vV2nQbTfK", 7), "unclear", "1 tokens were seen"),
    ],
)
def test_tokens_that_cannot_be_guessed(tokens: tuple[object, ...], outcome: str, seen: str) -> None:
    finding = welcomed(*tokens).judged(Unguessable(list("abc")))
    assert (finding.outcome, finding.seen) == (outcome, seen)
