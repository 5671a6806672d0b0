"""Hostile text made harmless to look at: the one place that every report puts foreign text through.

What a target sends may hold terminal escapes, text that runs backwards, half a surrogate pair or a
megabyte of one letter. Here it becomes visible and short; quoting for HTML is the template's work.
Knows no report format.
"""

from __future__ import annotations

import re
import unicodedata

HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""General categories that a reader cannot see, or that change how the text around them looks."""

STACKED = 3
"""Combining marks on one letter; more of them paint over the lines above and below."""

FIRST_MARK = "\u0300"

PLAIN = {
    0x2010: "-",  # hyphens and dashes
    0x2011: "-",
    0x2013: "-",
    0x2014: "-",
    0x2018: "'",  # quotation marks
    0x2019: "'",
    0x201C: '"',
    0x201D: '"',
    0x2026: "...",
    0x2190: "<-",
    0x2192: "->",
    0x00B7: "-",
    0x2500: "-",  # the progress bar
    0x2501: "=",
}


def visible(text: str, limit: int | None = None) -> str:
    """`text` on one line, each hidden character as `\\x1b`, `\\u202e` or `\\U000e0041`.

    Cut after `limit` characters of the original, with its whole length said.
    """
    cut = text if limit is None or len(text) <= limit else text[:limit]
    shown = cut if cut.isascii() and cut.isprintable() else _uncovered(cut)
    return shown if len(cut) == len(text) else f"{shown}… ({len(text):,} characters)"


def payload(text: str | None, base64: str | None, length: int, limit: int, *, cut: bool = False) -> str:
    """A frame's payload as a transcript keeps it: text, or the base64 of bytes, `cut` where the transcript did.

    `length` is that of the whole, in bytes.
    """
    if text is None:
        kept = base64 or ""
        return f"{length:,} bytes, base64 {visible(kept[:limit])}{'…' if len(kept) > limit else ''}"
    if len(text) > limit:
        return f"{visible(text[:limit])}… ({length:,} bytes)"
    return visible(text) + (f"… ({length:,} bytes)" if cut else "")


def encodable(text: str, encoding: str) -> str:
    """`text` as a stream of this encoding can write it: plain punctuation, escapes for what is left."""
    if encoding.lower().startswith("utf"):
        return text
    return text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)


def file_name(text: str) -> str:
    """A name for any file system, and an HTML id: never empty, hidden or longer than 100 characters."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:100].lstrip(".-") or "_"


class _Uncovered(dict[int, str]):
    """What stands for a character, by its code point; found once, so that a megabyte of them takes no time."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = _escape(char) if unicodedata.category(char) in HIDDEN else char
        return self[code]


_UNCOVERED = _Uncovered()


def _uncovered(text: str) -> str:
    text = text.translate(_UNCOVERED)
    if max(text, default="") < FIRST_MARK:
        return text
    shown = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        shown.append(_escape(char) if marks > STACKED else char)
    return "".join(shown)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
