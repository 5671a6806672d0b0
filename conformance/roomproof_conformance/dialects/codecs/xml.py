"""XML stanzas, one or more per message, as maps.

An element is `{name: content}`. The content is its text where it has neither attributes nor child elements (empty
text for `<ok/>`), else a map of `"@attribute"`, child names, and `"#text"` where there is text that is not blank;
children of one name are a list. Prefixes and declarations of namespaces are dropped. A document type is not read, and
so no entity of a server's making. Knows no chat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from .base import DEPTH, Codec, Unreadable, as_text

_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]*\?>")
_NAME: Final = re.compile(r"[^\W\d][\w.\-]*(?::[^\W\d][\w.\-]*)?")
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Node = dict[str, Any]


class _Unfit(Exception):
    """Well-formed or not, it is nothing that this codec reads."""


class _Builder:
    """Expat's events to trees. The stanzas are put into an element of our own, which must end last."""

    def __init__(self) -> None:
        self.stanzas: list[Any] = []
        self._open: list[tuple[str, _Node, list[str]]] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, text: str) -> list[Any]:
        """Raises ExpatError, _Unfit, UnicodeEncodeError."""
        self._parser.Parse("<stanzas>", False)
        self._parser.Parse(text.encode(), False)
        if len(self._open) != 1:
            raise _Unfit
        self._parser.Parse("</stanzas>", True)
        return self.stanzas

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) > DEPTH:
            raise _Unfit
        kept = {name: value for name, value in attributes.items() if name.partition(":")[0] != "xmlns"}
        node = {f"@{_bare(name)}": value for name, value in kept.items()}
        self._open.append((_bare(tag), node, []))

    def _end(self, tag: str) -> None:
        name, node, texts = self._open.pop()
        text = "".join(texts)
        if not self._open:
            if text.strip():
                raise _Unfit
            return
        content: Any = node or text
        if node and text.strip():
            node["#text"] = text
        if len(self._open) == 1:
            self.stanzas.append({name: content})
            return
        around = self._open[-1][1]
        if name not in around:
            around[name] = content
        elif isinstance(around[name], list):
            around[name].append(content)
        else:
            around[name] = [around[name], content]

    def _text(self, text: str) -> None:
        self._open[-1][2].append(text)

    def _doctype(self, *_: Any) -> None:
        raise _Unfit


def _bare(name: str) -> str:
    return name.rpartition(":")[2]


def _decode(payload: str | bytes) -> list[Any]:
    text = as_text(payload)
    try:
        stanzas = _Builder().read(_DECLARATION.sub("", text, count=1) if text.lstrip().startswith("<?xml") else text)
    except (expat.ExpatError, _Unfit, UnicodeEncodeError):
        return [Unreadable(text)]
    return stanzas


def _encode(tree: Any) -> str:
    """An element of the form that `decode` gives; `"@xmlns"` declares its namespace."""
    if problem := _wrong(tree):
        raise ValueError(problem)
    ((name, content),) = tree.items()
    text = _element(str(name), content)
    if found := _FORBIDDEN.search(text):
        raise ValueError(f"XML 1.0 has no character U+{ord(found[0]):04X}")
    return text


def _element(name: str, content: Any) -> str:
    if isinstance(content, list):
        return "".join(_element(name, item) for item in content)
    if not isinstance(content, Mapping):
        inner = "" if content is None else escape(_plain(content))
        return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"
    attributes = "".join(f" {key[1:]}={quoteattr(_plain(v))}" for key, v in content.items() if key.startswith("@"))
    inner = "".join(
        escape(_plain(v)) if key == "#text" else _element(key, v) for key, v in content.items() if key[0] != "@"
    )
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wrong(raw: Any) -> str:
    if isinstance(raw, str):
        return ""
    if not isinstance(raw, Mapping) or len(raw) != 1:
        return "expected a stanza as text, or a map of one element"
    return _bad_name(raw, top=True)


def _bad_name(node: Any, *, top: bool = False) -> str:
    if isinstance(node, list):
        return next((why for item in node if (why := _bad_name(item))), "")
    if not isinstance(node, Mapping):
        return ""
    for key, content in node.items():
        if key == "#text" and not top:
            continue
        name = key[1:] if key.startswith("@") and not top else key
        if not _NAME.fullmatch(name):
            return f"{key!r} is no name of an element{'' if top else ' or attribute'}"
        if name is not key and isinstance(content, (list, Mapping)):
            return f"attribute {key!r} must be text"
        if why := _bad_name(content):
            return why
    return ""


XML: Final = Codec("xml", _decode, _encode, _wrong)
