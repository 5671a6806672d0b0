"""Write `docs/dialects.md`: the guide of `guide.md`, and every key that the schema of dialect files has.

    python -m tools.dialects.page [--check]

Knows the schema, and no dialect.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from roomproof_conformance.dialects.filters import READING, WRITING
from roomproof_conformance.dialects.loading import built_in, schema
from tools import ROOT
from tools.support.results import drawn

GUIDE = Path(__file__).with_name("guide.md")
PAGE = ROOT / "docs" / "dialects.md"
INLINE = ("steps", "fields", "credential")
"""Parts with a table of their own, to which the others point."""


def page() -> str:
    """The whole page."""
    whole = schema()
    text = GUIDE.read_text(encoding="utf-8").rstrip("\n")
    text = text.replace("@READING@", _names(READING)).replace("@WRITING@", _names(WRITING))
    text = text.replace("@SHIPPED@", _names(built_in()))
    parts = [text, "", "## Every key", "", "Made from the schema, `dialect.schema.json`. A key in bold must be there."]
    parts += ["", *_table(whole, whole, "")]
    for name in INLINE:
        part = whole["$defs"][name]
        part = part.get("items", part)
        title = {"steps": "A step of an action", "fields": "Fields of an event", "credential": "A credential"}[name]
        parts += ["", f"### {title}", "", *_table(part, whole, "")]
    return "\n".join(parts) + "\n"


def _names(known: Iterator[str] | Mapping[str, Any] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in known)


def _table(part: Mapping[str, Any], whole: Mapping[str, Any], at: str) -> list[str]:
    return ["| key | value | |", "| --- | --- | --- |", *_rows(part, whole, at)]


def _rows(part: Mapping[str, Any], whole: Mapping[str, Any], at: str) -> Iterator[str]:
    required = part.get("required", ())
    for name, raw in part.get("properties", {}).items():
        value = _resolved(raw, whole)
        key = f"`{at}{name}`"
        said = str(raw.get("description") or value.get("description") or "").replace("|", "\\|")
        yield f"| {f'**{key}**' if name in required else key} | {_value(raw, whole)} | {said} |"
        inner, mark = (_resolved(value["items"], whole), "[]") if "items" in value else (value, "")
        if "properties" in inner and _name(raw) not in INLINE:
            yield from _rows(inner, whole, f"{at}{name}{mark}.")


def _name(raw: Mapping[str, Any]) -> str:
    return str(raw.get("$ref", "")).rpartition("/")[2]


def _resolved(raw: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**whole["$defs"][_name(raw)], **raw} if "$ref" in raw else raw


def _value(raw: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    name, value = _name(raw), _resolved(raw, whole)
    if name == "outcome":
        return "`error`, `ignore`, `close`, `tcp-close` or `{close: code}`"
    if name in ("pattern", "frame", "expression", "duration", "count"):
        return {"count": "a whole number, or a `{placeholder}`"}.get(name, f"a {name}".replace("a ex", "an ex"))
    if name == "steps":
        return "a list of steps"
    if "enum" in value:
        return ", ".join(f"`{word}`" for word in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if isinstance(value.get("additionalProperties"), Mapping):
        inner = value["additionalProperties"]
        return f"a map of {_name(inner) or 'text'}s".replace("texts", "text").replace("texts", "text")
    kinds = value.get("type", "object")
    names = {"object": "a map", "array": "a list", "string": "text", "boolean": "`true`, `false`"}
    words = [names.get(kind, "a whole number") for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(words)


if __name__ == "__main__":
    sys.exit(drawn(PAGE, page(), "the schema and tools/dialects/guide.md", sys.argv[1:]))
