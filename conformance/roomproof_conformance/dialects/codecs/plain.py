"""Plain text: a message is its own tree, a string, and is taken apart by regular expressions.

Knows no chat.
"""

from __future__ import annotations

from typing import Any, Final

from .base import Codec, as_text


def _encode(tree: Any) -> str:
    if isinstance(tree, (dict, list)):
        raise ValueError("plain text has no maps and lists")
    return str(tree)


def _wrong(raw: Any) -> str:
    return "" if isinstance(raw, str) else "expected text: plain text has no maps and lists"


TEXT: Final = Codec("text", lambda payload: [as_text(payload)], _encode, _wrong)
