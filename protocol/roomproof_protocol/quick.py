"""The short way for ordinary requests: a flat object of plain strings, decoded by orjson where that is installed.

`quick_request` gives what `roomproof_protocol.requests.parse_request` gives, or None for whatever it cannot vouch
for; the long way then decides, and says what is wrong. A test holds the two to one verdict over all frames that are
generated from the schemas. What vouches:

* no backslash: every string is written out, so each takes exactly two quotes, and holds no lone surrogate;
* four quotes for each member, all of them strings of the schema: no member stands twice, nothing is nested, and there
  is no number, which orjson would round where it is long;
* the schema, by jsonschema-rs, and its own keywords by the functions of the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, TypeAlias

from roomproof_protocol.limits import Limits
from roomproof_protocol.messages import Fault, Schema, client_types, own_keywords, schema

Check: TypeAlias = Callable[[dict[str, Any]], bool]


def quick_request(data: str, limits: Limits) -> dict[str, Any] | None:
    """Give an ordinary request that is right in every way; None says nothing."""
    global _latest
    if "\\" in data or _loads is None:
        return None
    try:
        frame = _loads(data)
    except ValueError:
        return None
    if type(frame) is not dict or type(kind := frame.get("type")) is not str:
        return None
    if _latest[0] is not limits:  # hashing limits for a cache would cost more than all the rest
        _latest = limits, _checks(limits)
    check = _latest[1].get(kind)
    if check is None or data.count('"') != 4 * len(frame) or not check(frame):
        return None
    return frame


def _checks(limits: Limits) -> dict[str, Check]:
    """A check for each type of request whose members are all strings."""
    checks: dict[str, Check] = {}
    if find_spec("jsonschema_rs") is None:
        return checks
    for type_ in client_types():
        form = schema("client", type_, limits)
        if all(_plain_string(member) for member in form["properties"].values()):
            checks[type_] = _check(form)
    return checks


def _plain_string(member: Schema) -> bool:
    return (member.get("type") == "string" or isinstance(member.get("const"), str)) and not member.get("x-nfc")


def _check(form: Schema) -> Check:
    from jsonschema_rs import Draft202012Validator

    known = form["properties"].keys()
    valid = Draft202012Validator(_without_own(form)).is_valid
    own = list(_own(form))

    def check(frame: dict[str, Any]) -> bool:
        if not frame.keys() <= known or not valid(frame):
            return False
        return not any(name in frame and fault(value, frame[name]) for name, fault, value in own)

    return check


def _own(form: Schema) -> Iterable[tuple[str, Fault, Any]]:
    keywords = own_keywords("client")
    for name, member in form["properties"].items():
        for keyword in member.keys() & keywords.keys():
            yield name, keywords[keyword][0], member[keyword]


def _without_own(node: Any) -> Any:
    """The schema with nothing but JSON Schema in it."""
    if isinstance(node, dict):
        return {name: _without_own(value) for name, value in node.items() if not name.startswith("x-")}
    return node


_loads: Callable[[str], Any] | None
try:
    from orjson import loads as _loads
except ImportError:
    _loads = None

_latest: tuple[Limits | None, dict[str, Check]] = (None, {})
