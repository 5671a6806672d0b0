"""Operators on the text of a frame: what is no JSON, and what is JSON in an unusual spelling.

They meet the frame itself, once for each type of message. Knows no constraint of a schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from .constraints import Bench
from .jsontext import Members, Raw, added, escaped, members, members_at, write
from .places import Place
from .samples import sample
from .specimens import AFTER_WELCOME, Specimen, accepted, refused

DEPTH = 16
"""Levels of nesting that are allowed, the frame's object being the first (ERR-3)."""

NOT_JSON: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[:-1],
    "cut-in-a-string": lambda text: text[: text.rindex('"')],
    "two-documents": lambda text: text + text,
    "byte-order-mark": lambda text: f"\ufeff{text}",
    "trailing-comma": lambda text: f"{text[:-1]},}}",
    "comment": lambda text: f"{text} // x",
    "single-quotes": lambda text: text.replace('"', "'"),
    "bare-names": lambda text: re.sub(r'"(\w+)":', r"\1:", text),
}
"""What is made of a valid text so that it is no JSON any more."""

BAD_TOKENS = {
    "raw-control": '"a\nb"',
    "bad-escape": r'"\x41"',
    "leading-zero": "01",
    "nan": "NaN",
    "infinity": "Infinity",
    "minus-infinity": "-Infinity",
    "too-deep": "[" * DEPTH + "]" * DEPTH,
}
"""Values of an unknown member that no JSON reader may take."""

_ROWS = {"nan": "ERR-2", "infinity": "ERR-2", "minus-infinity": "ERR-2", "too-deep": "ERR-3"}


def not_json(bench: Bench) -> Iterator[Specimen]:
    """Frames that are not one JSON document, and the document in another one."""
    if bench.place.path:
        return
    for operator, spoil in NOT_JSON.items():
        base = bench.frame()
        yield _refused(bench, operator, base, spoil(write(base)))
    for operator, token in BAD_TOKENS.items():
        base = bench.frame()
        yield _refused(bench, operator, base, write(added(base, (), "x-extra", Raw(token))))
    for operator in ("in-an-array", "in-a-string"):
        base = bench.frame()
        text = f"[{write(base)}]" if operator == "in-an-array" else json.dumps(write(base))
        yield _refused(bench, operator, base, text, code="invalid_message", row="ERR-4")


def _refused(
    bench: Bench, operator: str, base: dict[str, Any], text: str, *, code: str = "invalid_json", row: str = ""
) -> Specimen:
    named = row or _ROWS.get(operator, "ERR-1")
    if bench.place.type == "hello" and named in AFTER_WELCOME:
        named = "CONN-13"
    return refused(bench.place, operator, base, text, bench.reply, (code,), usable_id=False, row=named)


def unusual(bench: Bench) -> Iterator[Specimen]:
    """Valid spellings that a careless reader trips over."""
    place = bench.place
    if place.path:
        if isinstance(place.path[-1], str):
            base = bench.frame()
            frame = members_at(base, place.path, lambda name, value: ((escaped(name), value),))
            yield accepted(place, "escaped-name", frame, bench.reply, base["id"], row=_row(place))
        return
    base = bench.frame()
    yield _accepted(bench, "blanks", base, _spaced(write(base)))
    base = bench.frame()
    yield _accepted(bench, "reversed", base, write(Members(reversed(members(base)))))
    base = bench.frame()
    deep = write(added(base, (), "x-extra", Raw("[" * (DEPTH - 1) + "]" * (DEPTH - 1))))
    yield accepted(place, "deepest", deep, bench.reply, base["id"])
    for operator, base in (("minimal", bench.frame()), ("all-members", _all_members(bench))):
        yield _accepted(bench, operator, base, write(base))


def _accepted(bench: Bench, operator: str, base: dict[str, Any], text: str) -> Specimen:
    return accepted(bench.place, operator, text, bench.reply, base["id"], row=_row(bench.place))


def _row(place: Place) -> str:
    """No sentence names a spelling: a valid hello is welcomed, a valid request after an error succeeds."""
    return "CONN-6" if place.type == "hello" else "ERR-10"


def _spaced(text: str) -> str:
    """All the blanks that JSON has, around each token."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', text)
    return " \t\r\n" + " \n\t\r ".join(tokens) + "\n"


def _all_members(bench: Bench) -> dict[str, Any]:
    """A frame with every member that may stand beside the others."""
    frame = bench.frame()
    properties = bench.root.schema.get("properties", {})
    barred = {other for name in properties for other in _barred_by(bench, name)}
    for name, schema in properties.items():
        if name not in frame and name not in barred and "not" not in schema:
            frame[name] = sample(schema, name, bench.values)
    return frame


def _barred_by(bench: Bench, name: str) -> Iterator[str]:
    form = bench.root.schema.get("dependentSchemas", {}).get(name, {})
    yield from (other for other, schema in form.get("properties", {}).items() if schema.get("not") == {})
