"""JSON, one document per message; and JSON whose arrays are several events each.

Knows no chat.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from .base import DEPTH, Codec, Unreadable, as_text

_SURROGATE = re.compile("[\ud800-\udfff]")


def _decode(payload: str | bytes) -> list[Any]:
    text = as_text(payload)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return [Unreadable(text)]
    return [Unreadable(text) if text.count("[") + text.count("{") > DEPTH and is_deep(tree) else tree]


def is_deep(tree: Any) -> bool:
    """Whether a tree has more than `DEPTH` levels."""
    level = [tree]
    for _ in range(DEPTH):
        level = [v for v in level if isinstance(v, (dict, list)) and v]
        level = [inner for v in level for inner in (v.values() if isinstance(v, dict) else v)]
    return bool(level)


def _decode_batch(payload: str | bytes) -> list[Any]:
    (tree,) = _decode(payload)
    return tree if isinstance(tree, list) else [tree]


def encode(tree: Any) -> str:
    """As a browser's `JSON.stringify` writes it: nothing escaped needlessly, lone surrogates escaped."""
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text


JSON: Final = Codec("json", _decode, encode)
BATCH: Final = Codec("json-batch", _decode_batch, encode)
