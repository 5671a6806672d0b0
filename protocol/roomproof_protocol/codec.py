"""Bytes to JSON values and back, strictly.

Python's `json` takes NaN and a member name twice, and raises RecursionError and plain ValueError; here
everything that is not JSON is one `invalid_json`. What a decoded value means is not known here: a lone
surrogate (written as an escape) and a number of any size are JSON, and it is for the member they stand in to
refuse them. So unknown members are ignored whatever they hold (ERR-16), and a fault in a known one names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from roomproof_protocol.errors import ProtocolError

MAX_DEPTH = 16
"""Levels of nesting; the frame's object is level 1 (ERR-3)."""

# A string is one token, so that brackets in it are passed over; possessive, so that no input is quadratic.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_EXACT_DIGITS = 18


def decode(data: str | bytes, *, max_depth: int = MAX_DEPTH) -> object:
    """Give the one JSON value in `data`.

    A number too long to be an exact 64-bit integer comes out as the nearest float, infinity included, as
    in JavaScript. Raises ProtocolError `invalid_json` for anything that is not one JSON value in UTF-8
    without BOM, has a member name twice, or is nested deeper than `max_depth` (ERR-1 to ERR-3, ERR-15).
    """
    if isinstance(data, bytes):
        try:
            data = data.decode()
        except UnicodeDecodeError as error:
            raise _invalid(f"not UTF-8 at byte {error.start}") from None
    if _deeper_than(max_depth, data):
        raise _invalid(f"nested deeper than {max_depth} levels")
    try:
        return _DECODER.decode(data)
    except json.JSONDecodeError as error:
        raise _invalid(f"{error.msg} at character {error.pos}") from None
    except RecursionError:  # only where the caller allows more levels than the interpreter has
        raise _invalid("nested too deeply") from None


def encode(message: Mapping[str, Any]) -> bytes:
    """Give `message` as compact JSON in UTF-8, with nothing escaped that JSON does not force (LIMIT-8).

    Raises ValueError for NaN, infinity and lone surrogates: no message may hold them.
    """
    return _ENCODER.encode(message).encode()


def encode_plain(value: object) -> bytes:
    """Give the bytes that `encode` would, several times faster where orjson is installed.

    For what this process has made itself: strings of Unicode scalar values, integers of 64 bits, no floats, which
    would not be refused here when they are NaN.
    """
    return _ENCODER.encode(value).encode() if _dumps is None else _dumps(value)


def _invalid(reason: str) -> ProtocolError:
    return ProtocolError("invalid_json", f"the frame is not JSON: {reason}")


def _deeper_than(max_depth: int, text: str) -> bool:
    if text.count("{") + text.count("[") <= max_depth:
        return False
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > max_depth:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _invalid("a member name stands twice in one object")
    return members


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _EXACT_DIGITS else float(digits)


def _constant(name: str) -> NoReturn:
    raise _invalid(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_int=_integer, parse_constant=_constant)
_dumps: Callable[[object], bytes] | None
try:
    from orjson import dumps as _dumps
except ImportError:
    _dumps = None
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
