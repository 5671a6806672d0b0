"""IRC lines (RFC 1459 2.3.1 with the message tags of IRCv3), one or more per message.

A line is `{tags, source, nick, cmd, params}`: `tags` a map (empty without any; a tag without a value is empty text),
`source` and `nick` (what stands before its `!`) only where the line has a source, `params` a list of strings. Knows no
chat: what a command means stands in the dialect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from .base import Codec, Unreadable, as_text

_LINE: Final = re.compile(
    r"(?:@(?P<tags>[^ ]*) +)?(?::(?P<source>[^ ]*) +)?(?P<cmd>[A-Za-z]+|[0-9]{3})(?P<rest>(?: .*)?)", re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\(.?)", re.DOTALL)
_WRITTEN: Final = {";": "\\:", " ": "\\s", "\\": "\\\\", "\r": "\\r", "\n": "\\n"}
_READ: Final = {written[1]: raw for raw, written in _WRITTEN.items()}
_BREAK: Final = re.compile("[\0\r\n]")


def _decode(payload: str | bytes) -> list[Any]:
    return [_line(line) for line in re.split(r"\r?\n", as_text(payload)) if line.strip("\r")]


def _line(text: str) -> Any:
    found = _LINE.fullmatch(text)
    if found is None:
        return Unreadable(text)
    line: dict[str, Any] = {"tags": _tags(found["tags"] or "")}
    if found["source"] is not None:
        line |= {"source": found["source"], "nick": found["source"].partition("!")[0]}
    middle, colon, trailing = found["rest"].partition(" :")
    return line | {
        "cmd": found["cmd"].upper(),
        "params": [*filter(None, middle.split(" ")), *([trailing] if colon else [])],
    }


def _tags(raw: str) -> dict[str, str]:
    pairs = [tag.partition("=") for tag in raw.split(";") if tag]
    return {name: _ESCAPED.sub(lambda found: _READ.get(found[1], found[1]), value) for name, _, value in pairs}


def _encode(tree: Any) -> str:
    """A line of the form that `decode` gives; the last parameter stands behind a colon when it must."""
    if problem := _wrong(tree):
        raise ValueError(problem)
    params = [str(param) for param in tree.get("params", ())]
    tags = ";".join(
        f"{name}={_escape(str(value))}" if value not in ("", None) else name
        for name, value in tree.get("tags", {}).items()
    )
    for param in [*params, str(tree["cmd"]), tags, str(tree.get("source", ""))]:
        if _BREAK.search(param):
            raise ValueError(f"an IRC line holds no line break and no U+0000: {param!r}")
    for param in params[:-1]:
        if not param or " " in param or param.startswith(":"):
            raise ValueError(f"only the last parameter may be empty, hold a blank or begin with a colon: {param!r}")
    if params and (not params[-1] or " " in params[-1] or params[-1].startswith(":")):
        params[-1] = f":{params[-1]}"
    head = [f"@{tags}"] if tags else []
    head += [f":{tree['source']}"] if tree.get("source") else []
    return " ".join([*head, str(tree["cmd"]), *params])


def _escape(value: str) -> str:
    return "".join(_WRITTEN.get(letter, letter) for letter in value)


def _wrong(raw: Any) -> str:
    if isinstance(raw, str):
        return ""
    if not isinstance(raw, Mapping) or "cmd" not in raw:
        return "expected a line as text, or a map with cmd and params"
    unknown = sorted(raw.keys() - {"tags", "source", "cmd", "params"})
    if unknown:
        return f"an IRC line has cmd, params, source and tags, not {unknown[0]!r}"
    if not isinstance(raw.get("params", []), list) or not isinstance(raw.get("tags", {}), Mapping):
        return "expected a list of params and a map of tags"
    return ""


IRC: Final = Codec("irc", _decode, _encode, _wrong)
