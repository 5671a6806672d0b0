"""The pattern language: what a decoded frame must look like.

A pattern is a YAML value:

- a string, number, true, false or null matches its equal (true is not 1; a placeholder such as `{id}` is
  filled in);
- a list matches a list item by item from the front, `"*"` any item; the list that came may be longer;
- a map matches a map that has all the members named, each matching; the map that came may have more;
- a map of tests matches a value that passes them all: `eq` (exactly equal), `in` (equal to one of a list),
  `re` (a regular expression found in a string), `is` (string, integer, number, boolean, null, object,
  array), `len` (a length, or a pattern of one), `ge`, `le` (numbers), `exists` (true: there, whatever it is;
  false: not there), `items` (every item matches), `contains` (some item matches);
- `not`, `any_of`, `all_of` and `members` hold patterns and may stand beside members or tests.

A map is read as tests when every key of it names one (`not`, `any_of`, … apart). For members that are called
like a test, write `members: {len: 5}`. A member that is named must be there, unless its pattern is `exists:
false` or an optional placeholder without a value. This language is used by dialect files and by checks
alike; it knows neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping
from typing import Any

from .errors import BadPart, did_you_mean
from .filters import MISSING, compile_regex
from .templates import Template, Unresolved, Variables

TESTS = frozenset({"eq", "in", "re", "is", "len", "ge", "le", "exists", "items", "contains"})
LOGIC = frozenset({"not", "any_of", "all_of", "members"})

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: not isinstance(v, bool) and (isinstance(v, int) or (isinstance(v, float) and v.is_integer())),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "object": lambda v: isinstance(v, Mapping),
    "array": lambda v: isinstance(v, list),
}


class Pattern:
    """A compiled pattern."""

    __slots__ = ()

    def matches(self, value: Any, variables: Variables) -> bool:
        raise NotImplementedError

    def explain(self, value: Any, variables: Variables, at: str = "") -> str | None:
        """The first difference in words, or None when the value matches; `at` is a JSON Pointer."""
        if self.matches(value, variables):
            return None
        got = "nothing is there" if value is MISSING else f"got {show(value)}"
        return f"{at or '/'}: expected {self.expected(variables)}, {got}"

    def expected(self, variables: Variables) -> str:
        """What would match, in a few words."""
        raise NotImplementedError

    def allows_absence(self, variables: Variables) -> bool:
        """Whether a member with this pattern need not be there."""
        return False


class _Literal(Pattern):
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def matches(self, value: Any, variables: Variables) -> bool:
        return same(self.value, value)

    def expected(self, variables: Variables) -> str:
        return show(self.value)


class _Filled(Pattern):
    """Equality with a template."""

    __slots__ = ("template",)

    def __init__(self, template: Template) -> None:
        self.template = template

    def matches(self, value: Any, variables: Variables) -> bool:
        try:
            wanted = self.template.render(variables)
        except Unresolved:
            return False
        return wanted is MISSING or same(wanted, value)

    def expected(self, variables: Variables) -> str:
        try:
            return show(self.template.render(variables))
        except Unresolved as missing:
            return f"the value of {missing}, which is not known"

    def allows_absence(self, variables: Variables) -> bool:
        try:
            return self.template.render(variables) is MISSING
        except Unresolved:
            return False


class _Test(Pattern):
    """One test without placeholders: a function and its words."""

    __slots__ = ("absent", "accepts", "words")

    def __init__(self, accepts: Callable[[Any], bool], words: str, absent: bool = False) -> None:
        self.accepts = accepts
        self.words = words
        self.absent = absent

    def matches(self, value: Any, variables: Variables) -> bool:
        return self.accepts(value)

    def expected(self, variables: Variables) -> str:
        return self.words

    def allows_absence(self, variables: Variables) -> bool:
        return self.absent


class _Members(Pattern):
    __slots__ = ("members",)

    def __init__(self, members: list[tuple[str, Pattern]]) -> None:
        self.members = tuple(members)

    def matches(self, value: Any, variables: Variables) -> bool:
        if not isinstance(value, dict):
            return False
        for key, pattern in self.members:
            if key in value:
                if not pattern.matches(value[key], variables):
                    return False
            elif not pattern.allows_absence(variables):
                return False
        return True

    def explain(self, value: Any, variables: Variables, at: str = "") -> str | None:
        if not isinstance(value, dict):
            return f"{at or '/'}: expected an object, got {show(value)}"
        for key, pattern in self.members:
            inner = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in value:
                if difference := pattern.explain(value[key], variables, inner):
                    return difference
            elif not pattern.allows_absence(variables):
                return f"{inner}: expected {pattern.expected(variables)}, but there is no such member"
        return None

    def expected(self, variables: Variables) -> str:
        return "an object with " + " and ".join(f"{k} {p.expected(variables)}" for k, p in self.members)


class _Positions(Pattern):
    __slots__ = ("items",)

    def __init__(self, items: list[Pattern | None]) -> None:
        self.items = items

    def matches(self, value: Any, variables: Variables) -> bool:
        if not isinstance(value, list) or len(value) < len(self.items):
            return False
        return all(p is None or p.matches(v, variables) for p, v in zip(self.items, value, strict=False))

    def explain(self, value: Any, variables: Variables, at: str = "") -> str | None:
        if not isinstance(value, list) or len(value) < len(self.items):
            return super().explain(value, variables, at)
        for index, (pattern, item) in enumerate(zip(self.items, value, strict=False)):
            if pattern and (difference := pattern.explain(item, variables, f"{at}/{index}")):
                return difference
        return None

    def expected(self, variables: Variables) -> str:
        return f"a list of at least {len(self.items)} items"


class _All(Pattern):
    __slots__ = ("parts",)

    def __init__(self, parts: list[Pattern]) -> None:
        self.parts = parts

    def matches(self, value: Any, variables: Variables) -> bool:
        return all(part.matches(value, variables) for part in self.parts)

    def explain(self, value: Any, variables: Variables, at: str = "") -> str | None:
        return next((why for part in self.parts if (why := part.explain(value, variables, at))), None)

    def expected(self, variables: Variables) -> str:
        return " and ".join(part.expected(variables) for part in self.parts) or "anything"

    def allows_absence(self, variables: Variables) -> bool:
        return bool(self.parts) and all(part.allows_absence(variables) for part in self.parts)


class _Any(_All):
    __slots__ = ()

    def matches(self, value: Any, variables: Variables) -> bool:
        return any(part.matches(value, variables) for part in self.parts)

    def explain(self, value: Any, variables: Variables, at: str = "") -> str | None:
        return Pattern.explain(self, value, variables, at)

    def expected(self, variables: Variables) -> str:
        return " or ".join(part.expected(variables) for part in self.parts)

    def allows_absence(self, variables: Variables) -> bool:
        return any(part.allows_absence(variables) for part in self.parts)


class _Not(Pattern):
    __slots__ = ("part",)

    def __init__(self, part: Pattern) -> None:
        self.part = part

    def matches(self, value: Any, variables: Variables) -> bool:
        return not self.part.matches(value, variables)

    def expected(self, variables: Variables) -> str:
        return f"anything but {self.part.expected(variables)}"


class _Each(Pattern):
    """`items`, `contains` and a `len` given as a pattern: another pattern on what is inside a value."""

    __slots__ = ("kind", "part")

    def __init__(self, part: Pattern, kind: str) -> None:
        self.part = part
        self.kind = kind

    def matches(self, value: Any, variables: Variables) -> bool:
        if self.kind == "len":
            return isinstance(value, (str, list, dict)) and self.part.matches(len(value), variables)
        found = (self.part.matches(item, variables) for item in value) if isinstance(value, list) else None
        return found is not None and (all(found) if self.kind == "items" else any(found))

    def explain(self, value: Any, variables: Variables, at: str = "") -> str | None:
        if self.kind == "items" and isinstance(value, list):
            whys = (self.part.explain(item, variables, f"{at}/{i}") for i, item in enumerate(value))
            return next((why for why in whys if why), None)
        return super().explain(value, variables, at)

    def expected(self, variables: Variables) -> str:
        words = {"len": "a length of", "items": "a list of only", "contains": "a list with"}
        return f"{words[self.kind]} {self.part.expected(variables)}"


def compile_pattern(raw: Any, known: Container[str] | None = None) -> Pattern:
    """A pattern ready for use; `known` are the variables that exist (None: any may). Raises BadPart."""
    if isinstance(raw, Pattern):
        return raw
    if isinstance(raw, dict):
        return _compile_map(raw, known)
    if isinstance(raw, list):
        return _Positions([None if item == "*" else _inside(item, known, i) for i, item in enumerate(raw)])
    return _equal(raw, known)


def matches(pattern: Any, value: Any, variables: Variables | None = None) -> bool:
    """Whether a pattern, compiled or not, matches. Raises BadPart for an ill-formed pattern."""
    return _ready(pattern).matches(value, variables or {})


def explain(pattern: Any, value: Any, variables: Variables | None = None) -> str | None:
    """The first difference, e.g. `/code: expected 'invalid_room', got 'forbidden'`; None when it matches."""
    return _ready(pattern).explain(value, variables or {})


_MOST_KEPT = 4096
_kept: dict[int, tuple[Any, Pattern]] = {}


def _ready(raw: Any) -> Pattern:
    """The compiled pattern. Judges ask for one pattern at every event, so the last ones are kept, by identity."""
    held = _kept.get(id(raw))
    if held is None:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        held = _kept[id(raw)] = (raw, compile_pattern(raw))  # with the raw one, so that its id stays its own
    return held[1]


def _inside(raw: Any, known: Container[str] | None, *place: str | int) -> Pattern:
    try:
        return compile_pattern(raw, known)
    except BadPart as bad:
        raise bad.under(*place) from None


def _compile_map(raw: dict[Any, Any], known: Container[str] | None) -> Pattern:
    for key in raw:
        if not isinstance(key, str):
            raise BadPart(f"a member's name must be text, got {key!r}: write it in quotes")
    plain = [key for key in raw if key not in LOGIC]
    parts: list[Pattern] = []
    if plain and TESTS.issuperset(plain):
        for key in plain:
            try:
                parts.append(_compile_test(key, raw[key], known))
            except BadPart as bad:
                raise bad.under(key) from None
    elif plain or not raw:
        parts.append(_Members([(key, _inside(raw[key], known, key)) for key in plain]))
    parts += [_compile_logic(key, raw[key], known) for key in raw if key in LOGIC]
    return parts[0] if len(parts) == 1 else _All(parts)


def _compile_logic(key: str, raw: Any, known: Container[str] | None) -> Pattern:
    if key == "not":
        return _Not(_inside(raw, known, key))
    if key == "members":
        if not isinstance(raw, dict):
            raise BadPart(f"'members' takes a map of patterns, got {raw!r}", (key,))
        return _Members([(str(name), _inside(inner, known, key, name)) for name, inner in raw.items()])
    if not isinstance(raw, list) or not raw:
        raise BadPart(f"{key!r} takes a list of patterns, got {raw!r}", (key,))
    parts = [_inside(item, known, key, index) for index, item in enumerate(raw)]
    return _Any(parts) if key == "any_of" else _All(parts)


def _compile_test(key: str, raw: Any, known: Container[str] | None) -> Pattern:
    if key == "eq":
        return _equal(raw, known)
    if key == "in":
        if not isinstance(raw, list) or not raw:
            raise BadPart(f"'in' takes a list of values, got {raw!r}")
        return _Any([_equal(item, known) for item in raw])
    if key == "re":
        if not isinstance(raw, str):
            raise BadPart(f"'re' takes a regular expression, got {raw!r}; a member called re is members: {{re: …}}")
        regex = compile_regex(raw)
        return _Test(lambda v: isinstance(v, str) and regex.search(v) is not None, f"text matching /{raw}/")
    if key == "exists":
        if not isinstance(raw, bool):
            raise BadPart(f"'exists' takes true or false, got {raw!r}")
        return _Test(lambda v: raw, "something there" if raw else "nothing there", absent=not raw)
    if key == "is":
        if raw not in _TYPES:
            raise BadPart(f"'is' takes a type, got {raw!r}{did_you_mean(raw, _TYPES)}")
        return _Test(_TYPES[raw], f"{'an' if raw[0] in 'aio' else 'a'} {raw}" if raw != "null" else raw)
    if key in ("items", "contains", "len"):
        return _Each(compile_pattern(raw, known), key)
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise BadPart(f"{key!r} takes a number, got {raw!r}")
    number = _TYPES["number"]
    if key == "ge":
        return _Test(lambda v: number(v) and v >= raw, f"at least {raw}")
    return _Test(lambda v: number(v) and v <= raw, f"at most {raw}")


def _equal(raw: Any, known: Container[str] | None) -> Pattern:
    template = Template(raw, known)
    return _Literal(raw) if template.constant else _Filled(template)


def same(one: Any, other: Any) -> bool:
    """Equality as JSON means it: 1 is 1.0 and not true; maps and lists in depth."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def covers(wide: Any, narrow: Any) -> bool:
    """Whether every value that raw pattern `narrow` matches surely matches `wide`: then a rule behind it is
    dead.
    """
    if wide == narrow and type(wide) is type(narrow):
        return True
    if not isinstance(wide, dict):
        return False
    if wide == {"exists": True}:
        return not (isinstance(narrow, dict) and ("exists" in narrow or LOGIC & narrow.keys()))
    if not isinstance(narrow, dict) or _tests_only(wide) or _tests_only(narrow):
        return False
    if not wide:
        return bool(narrow.keys() - LOGIC)
    return all(
        key in narrow and (wide[key] == narrow[key] if key in LOGIC else covers(wide[key], narrow[key])) for key in wide
    )


def _tests_only(raw: dict[str, Any]) -> bool:
    return bool(raw) and TESTS.issuperset(raw)


def show(value: Any, most: int = 80) -> str:
    """A value for a message: as Python writes text, as JSON writes the rest, cut with its length said."""
    if value is MISSING:
        return "nothing"
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
