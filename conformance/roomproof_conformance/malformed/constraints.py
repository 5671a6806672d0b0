"""Operators on what the schemas demand: types, members, numbers, strings.

Each gives for a place the specimens that it makes there; what a made-up value breaks decides whether it must be
refused, and with which code. Knows no spelling: every frame here is JSON in the usual form, tokens apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from .jsontext import Members, Raw, edited, escaped, members, members_at, put
from .places import Place, excluded
from .samples import Values, broken, codes, longest, sample, shortest
from .specimens import Outcome, Specimen, accepted, refused


@dataclass(frozen=True)
class Bench:
    """A place with the valid frame around it: what an operator works on."""

    place: Place
    root: Place
    values: Values

    @property
    def reply(self) -> str:
        return str(self.root.schema.get("x-reply", ""))

    def frame(self) -> dict[str, Any]:
        """A valid frame, new ids and texts in it, that holds the place."""
        made: dict[str, Any] = sample(self.root.schema, self.root.type, self.values, self.place.path)
        return made

    def spoil(self, operator: str, node: Any, named: tuple[str, ...], **more: Any) -> Specimen:
        """The frame with `node`, which is wrong there, at the place."""
        base = self.frame()
        usable = more.pop("usable_id", True)
        if self.place.is_id:
            usable = False
        return refused(
            self.place, operator, base, put(base, self.place.path, node), self.reply, named, usable_id=usable, **more
        )

    def keep(self, operator: str, node: Any, outcome: Outcome = "accepted", **more: Any) -> Specimen:
        """The frame with `node`, which is valid there, at the place."""
        base = self.frame()
        base_id = node if self.place.is_id and isinstance(node, str) else base["id"]
        frame = put(base, self.place.path, node)
        return accepted(self.place, operator, frame, self.reply, base_id, outcome, **more)


def ill_typed(bench: Bench) -> Iterator[Specimen]:
    """A value of each JSON type that the schema does not let in."""
    place = bench.place
    if not place.path:
        return
    value = sample(place.schema, place.path[-1], bench.values)
    tokens: dict[str, Any] = {
        "null": None,
        "boolean": True,
        "integer": 7,
        "fraction": Raw("1.5"),
        "string": str(value) if isinstance(value, int) else "sample",
        "array": [value],
        "object": {},
    }
    for operator, token in tokens.items():
        if {"fraction": "number"}.get(operator, operator) not in place.admits:
            yield bench.spoil(operator, token, ("invalid_message",))


def memberships(bench: Bench) -> Iterator[Specimen]:
    """Members that are missing, or that must not stand together."""
    place = bench.place
    if place.path and place.required and isinstance(place.path[-1], str):
        base = bench.frame()
        spoilt = members_at(base, place.path, lambda name, value: ())
        yield refused(place, "missing", base, spoilt, bench.reply, ("invalid_message",), usable_id=not place.is_id)
    for name, other in excluded(place.schema):
        base = sample(bench.root.schema, bench.root.type, bench.values, (*place.path, other))
        extra = (name, sample(place.schema["properties"][name], name, bench.values))
        beside = Place(place.type, (*place.path, other), place.schema["properties"][other], False)
        spoilt = edited(base, place.path, partial(_with_members, [extra]))
        yield refused(beside, "excluded", base, spoilt, bench.reply, ("invalid_message",))


def _with_members(more: list[tuple[str, Any]], node: Any) -> Members:
    return Members([*members(node), *more])


def twice(bench: Bench) -> Iterator[Specimen]:
    """A member two times: `invalid_json`, or the last value counts (ERR-15)."""
    place = bench.place
    if not place.path or not isinstance(place.path[-1], str):
        return
    base = bench.frame()
    twins = members_at(base, place.path, lambda name, value: ((name, None), (name, value)))
    yield refused(
        place, "twice-last-good", base, twins, bench.reply, ("invalid_json",), row="ERR-15", outcome="either",
        usable_id=None,
    )  # fmt: skip
    base = bench.frame()
    twins = members_at(base, place.path, lambda name, value: ((name, value), (name, None)))
    yield refused(
        place, "twice-first-good", base, twins, bench.reply, ("invalid_json", "invalid_message"), row="ERR-15",
        usable_id=None,
    )  # fmt: skip


def numbers(bench: Bench) -> Iterator[Specimen]:
    """Numbers at, below and beyond their bounds, and those that no reader keeps exact."""
    place, schema = bench.place, bench.place.schema
    if "integer" not in place.admits:
        return
    wrong = ("invalid_message",)
    for keyword, beyond, operator, step in (
        ("minimum", "below-minimum", "minimum", -1),
        ("maximum", "above-maximum", "maximum", 1),
    ):
        if keyword in schema:
            yield bench.keep(operator, schema[keyword])
            if abs(schema[keyword] + step) < 2**53:
                yield bench.spoil(beyond, schema[keyword] + step, wrong)
    unclear = ("invalid_json", "invalid_message")
    tokens = {"inexact": str(2**53), "overflow": "1e400", "minus-overflow": "-1e400", "long-digits": "9" * 400}
    if "maximum" in schema:
        for operator, token in tokens.items():
            yield bench.spoil(operator, Raw(token), unclear, usable_id=None)
    for operator, constant in (("nan", "NaN"), ("infinity", "Infinity"), ("minus-infinity", "-Infinity")):
        yield bench.spoil(operator, Raw(constant), ("invalid_json",), usable_id=False, row="ERR-2")
    whole = sample(schema, place.path[-1], bench.values)
    spelt = {"whole-float": f"{whole}.0", "exponent": f"{whole}e0", "minus-zero": "-0"}
    for operator, token in spelt.items():
        if operator != "minus-zero" or not broken(schema, 0):
            outcome: Outcome = "accepted" if operator == "minus-zero" else "lenient"
            named = () if operator == "minus-zero" else wrong
            yield bench.keep(operator, Raw(token), outcome, codes=named)


CHANGES: dict[str, Callable[[str], str]] = {
    "empty": lambda s: "",
    "upper-case": lambda s: s.upper(),
    "blank-inside": lambda s: f"{s} {s}",
    "blank-before": lambda s: f" {s}",
    "line-feed-behind": lambda s: f"{s}\n",
    "carriage-return": lambda s: f"{s}\r{s}",
    "nul": lambda s: f"{s}\0{s}",
    "delete": lambda s: f"{s}\x7f",
    "slash": lambda s: f"{s}/{s}",
    "not-ascii": lambda s: f"{s}\u00e9",
    "emoji": lambda s: f"{s}\U0001f600",
    "noncharacter": lambda s: f"{s}\ufffe",
    "lone-surrogate": lambda s: f"{s}\ud800",
}
"""What is made of a valid string; valid or not, as the schema says."""


def strings(bench: Bench) -> Iterator[Specimen]:
    """Strings at and beyond their lengths, and with characters that some grammars let in and others do not."""
    place, schema = bench.place, bench.place.schema
    if place.admits != frozenset({"string"}) or "const" in schema or "enum" in schema:
        return
    value = _plain(schema, bench)
    for operator, change in CHANGES.items():
        yield _changed(bench, operator, change(value))
    least, most = shortest(schema), longest(schema)
    if least:
        yield _changed(bench, "shortest", least)
    if least and len(least) > 1:
        yield _changed(bench, "too-short", least[1:])
    if most:
        yield _changed(bench, "longest", most)
        yield _changed(bench, "too-long", f"{most}a")
    kept = sample(schema, place.path[-1], bench.values)
    frame = put(base := bench.frame(), place.path, escaped(kept))
    yield accepted(place, "escaped", frame, bench.reply, kept if place.is_id else base["id"])


def _plain(schema: Any, bench: Bench) -> str:
    """A valid string short enough that characters can be added."""
    return next((c for c in ("ab1", "sample", "a" * 8) if not broken(schema, c)), None) or str(
        sample(schema, bench.place.path[-1], bench.values)
    )


def _changed(bench: Bench, operator: str, value: str) -> Specimen:
    place = bench.place
    keywords = broken(place.schema, value)
    if not keywords:
        meant = bench.values.given.get(str(place.path[-1]))
        return bench.keep(operator, value, "understood" if meant is not None else "accepted")
    named = codes(place.schema, keywords)
    if operator != "lone-surrogate":
        return bench.spoil(operator, value, named)
    # A server may refuse the JSON for it (MSG-13, ERR-16).
    named = tuple(sorted({*named, "invalid_json"}))
    return bench.spoil(operator, value, named, usable_id=None)


def types(bench: Bench) -> Iterator[Specimen]:
    """Other values where the schema has one or several named: of the message's `type`, types that no client sends."""
    place = bench.place
    if "const" not in place.schema and "enum" not in place.schema:
        return
    one = str(place.schema.get("const", place.schema.get("enum", [""])[0]))
    others = {
        "other-type": "x-unheard-of",
        "reply-type": bench.reply or "x-reply",
        "upper-case": one.upper(),
        "blank-before": f" {one}",
        "line-feed-behind": f"{one}\n",
        "nul": f"{one}\0",
        "empty": "",
    }
    code = "unknown_type" if place.is_type else "invalid_message"
    for operator, value in others.items():
        if broken(place.schema, value) and not (place.is_type and value in KNOWN_REPLIES):
            yield bench.spoil(operator, value, (code,))
    yield bench.keep("escaped", escaped(one))


KNOWN_REPLIES = frozenset({"history", "presence"})
"""Replies that are called like the request: no other type."""


def extras(bench: Bench) -> Iterator[Specimen]:
    """Members that nobody knows, at every object of the frame: ignored (CONN-12, ERR-16)."""
    place = bench.place
    if "object" not in place.admits:
        return
    known = set(place.schema.get("properties", {}))
    reply_names = [n for n in ("re", "seq", "ts", "from", "user", "members", "epoch") if n not in known]
    extra: dict[str, list[tuple[str, Any]]] = {
        "extra-null": [("x-extra", None)],
        "extra-string": [("x-extra", "\ufeff\u2028")],
        "extra-array": [("x-extra", [[], [{}], None])],
        "extra-object": [("x-extra", {"type": "leave", "id": 7, "x-extra": {}})],
        "extra-proto": [("__proto__", {"admin": True}), ("constructor", None)],
        "extra-reply": [(name, 1) for name in reply_names],
    }
    odd = {"extra-long-digits": "9" * 400, "extra-overflow": "1e400", "extra-surrogate": r'"\ud800"'}
    extra |= {operator: [("x-extra", Raw(token))] for operator, token in odd.items()}
    for operator, more in extra.items():
        base = bench.frame()
        frame = edited(base, place.path, partial(_with_members, more))
        if operator in odd:
            yield accepted(
                place, operator, frame, bench.reply, base["id"], "lenient", codes=("invalid_json",), any_ref=True
            )
        else:
            yield accepted(place, operator, frame, bench.reply, base["id"])
