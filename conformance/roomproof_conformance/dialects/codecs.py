"""Codecs: from the payload of one message to decoded trees, and back.

A tree is made of maps, lists, strings, numbers, booleans and null, so that one pattern language serves every
wire. A codec never raises on what a server sends: a payload that it cannot read is one tree, the text as it
came. Other wires (IRC lines, XML stanzas, Socket.IO packets, plain text) are one more `Codec` each in
`CODECS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

_DEPTH: Final = 200  # deeper trees stay text: whoever walks or writes them would run out of stack
_SURROGATE = re.compile("[\ud800-\udfff]")


class Outgoing(NamedTuple):
    """One message to write: text in a text frame, or bytes in a binary one."""

    payload: str | bytes
    binary: bool = False


class Unreadable(str):
    """A payload that is not of the codec's syntax, as text."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Codec:
    """`decode` gives the events of one payload; `encode` writes one tree as text."""

    name: str
    decode: Callable[[str | bytes], list[Any]]
    encode: Callable[[Any], str]


def _decode_json(payload: str | bytes) -> list[Any]:
    text = payload if isinstance(payload, str) else payload.decode("utf-8", "backslashreplace")
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return [Unreadable(text)]
    return [Unreadable(text) if text.count("[") + text.count("{") > _DEPTH and _is_deep(tree) else tree]


def _is_deep(tree: Any) -> bool:
    level = [tree]
    for _ in range(_DEPTH):
        level = [v for v in level if isinstance(v, (dict, list)) and v]
        level = [inner for v in level for inner in (v.values() if isinstance(v, dict) else v)]
    return bool(level)


def _decode_json_batch(payload: str | bytes) -> list[Any]:
    (tree,) = _decode_json(payload)
    return tree if isinstance(tree, list) else [tree]


def _encode_json(tree: Any) -> str:
    """As a browser's `JSON.stringify` writes it: nothing escaped needlessly, lone surrogates escaped."""
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text


CODECS: Final[dict[str, Codec]] = {
    "json": Codec("json", _decode_json, _encode_json),
    "json-batch": Codec("json-batch", _decode_json_batch, _encode_json),  # one array is several events
}
PLANNED: Final = ("irc", "xml", "socketio", "text")
"""Codecs that the file format names and this version does not have."""
