"""Grammars that JSON Schema cannot say, or that Python says differently.

Room names, texts, display names, identifiers: each is a pure function over a string, without sockets,
schemas or settings. Grammars mean the whole string: Python's `$` would also match before a final newline.
Character classes depend on the Unicode tables of the Python at hand; what those do not know yet counts
as visible, so that a newer emoji is not refused by an older Python.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from roomproof_protocol.defaults import NAME_LEN, ROOM_LEN
from roomproof_protocol.errors import ProtocolError

MAX_INT = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""

_ROOM = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9._~-]+")
_USER_ID = re.compile(r"[!-~]{1,128}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_IN_NAME = re.compile("[\u2028-\u202e\u2066-\u2069]")

# Letters and symbols by category that show nothing: Hangul fillers, the blank Braille pattern; and the
# unassigned code points that Unicode keeps for characters without a glyph.
_BLANK = re.compile("[\u115f\u1160\u2065\u2800\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]")


def is_room(value: object) -> bool:
    """Tell whether `value` is a room name (ROOM-1)."""
    return isinstance(value, str) and _ROOM.fullmatch(value) is not None


def room_fault(room: str) -> str | None:
    """Give why `room` is no room name, or None when it is one (ROOM-1)."""
    if is_room(room):
        return None
    if not room:
        return "a room name must not be empty"
    if len(room) > ROOM_LEN:
        return f"a room name has at most {ROOM_LEN} characters"
    return "a room name is made of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit"


def is_identifier(value: object, shortest: int = 1, longest: int = 64) -> bool:
    """Tell whether `value` has the grammar of `id` and `epoch` (section 2)."""
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        return False
    return _IDENTIFIER.fullmatch(value) is not None


def is_mid(value: object) -> bool:
    """Tell whether `value` has the grammar of `mid` (section 2)."""
    return is_identifier(value, shortest=8)


def is_user_id(value: object) -> bool:
    """Tell whether `value` has the grammar of `user.id`: 1-128 visible ASCII characters (section 2)."""
    return isinstance(value, str) and _USER_ID.fullmatch(value) is not None


def scalar_fault(value: str) -> str | None:
    """Give why `value` is not made of Unicode scalar values, or None when it is."""
    return "must not contain a lone surrogate" if _SURROGATE.search(value) else None


def text_fault(text: str, limit_bytes: int) -> tuple[str, str] | None:
    """Give (error code, reason) for a text that may not be sent, or None (MSG-13, MSG-17, LIMIT-3)."""
    reason = text_class_fault(text)
    if reason:
        return "invalid_text", reason
    if utf8_length(text) > limit_bytes:
        return "text_too_long", f"a text has at most {limit_bytes} bytes of UTF-8"
    return None


def text_class_fault(text: str) -> str | None:
    """Give why `text` is no text whatever its length in bytes, or None when it is one (MSG-13)."""
    if not text:
        return "a text must not be empty"
    found = _NOT_IN_TEXT.search(text)
    if found is None:
        return None
    if _SURROGATE.match(found[0]):
        return "a text must not contain a lone surrogate"
    return f"a text must not contain the control character U+{ord(found[0]):04X}"


def utf8_length(value: str) -> int:
    """Give the length of `value` in bytes of UTF-8; a lone surrogate counts 3."""
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


def normalise_name(name: str) -> str:
    """Give `name` in NFC. Raises ProtocolError `invalid_name` when that is no display name (AUTH-10)."""
    reason = name_fault(name)
    if reason:
        raise ProtocolError("invalid_name", reason, field="/name")
    return nfc(name)


def nfc(value: str) -> str:
    """Give `value` in Unicode normalisation form C."""
    return unicodedata.normalize("NFC", value)


def name_fault(name: str) -> str | None:
    """Give why `name`, once in NFC, is no display name, or None when it is one (AUTH-10)."""
    name = nfc(name)
    if not 1 <= len(name) <= NAME_LEN:
        return f"a name has 1 to {NAME_LEN} code points after NFC"
    for char in name:
        if _refused_in_name(char):
            return f"a name must not contain U+{ord(char):04X}"
    if _is_space(name[0]) or _is_space(name[-1]):
        return "a name must not begin or end with a space"
    if not any(_is_visible(char) for char in name):
        return "a name needs a visible character"
    return None


def _is_space(char: str) -> bool:
    return unicodedata.category(char) == "Zs"


def _refused_in_name(char: str) -> bool:
    """Controls, surrogates, private use, noncharacters, line separators, and what turns direction."""
    return (
        unicodedata.category(char) in {"Cc", "Cs", "Co"}
        or _is_noncharacter(char)
        or _NOT_IN_NAME.match(char) is not None
    )


def _is_noncharacter(char: str) -> bool:
    point = ord(char)
    return 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE


def _is_visible(char: str) -> bool:
    """Letters, numbers, punctuation and symbols; marks, spaces and format characters alone show nothing."""
    category = unicodedata.category(char)
    return (category[0] in "LNPS" or category == "Cn") and _BLANK.match(char) is None


@cache
def ecma_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a JSON Schema `pattern` so that it means what ECMA 262 says.

    There `$` is the end of the string only, and `\\d` and `\\w` are ASCII. The schemas use nothing else in
    which the two languages differ (tested).
    """
    translated = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]|\$", lambda found: r"\Z" if found[0] == "$" else found[0], pattern)
    return re.compile(translated, re.ASCII)
