"""Every message against its schema: one prebuilt validator per direction, type and limits.

Messages are told apart by `type`, never by `oneOf`. The schemas are read from the package, their references
put in place, and nothing is ever fetched. What to answer a bad message with is not decided here.

`jsonschema` is the authority: it says what is wrong. Where `jsonschema-rs` is installed it says first whether
anything is, some fifty times faster; a test holds the two to the same verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal, TypeAlias

from roomproof_protocol import grammar
from roomproof_protocol.data import SCHEMAS, nearest, schema_file
from roomproof_protocol.errors import ERRORS
from roomproof_protocol.limits import DEFAULTS, Limits

Direction = Literal["client", "server"]
Schema: TypeAlias = dict[str, Any]
Fault: TypeAlias = Callable[[Any, object], str | None]
"""Of a keyword's value and an instance: what is wrong, or None."""


@dataclass(frozen=True)
class SchemaFault:
    """One thing wrong with a message: where (JSON Pointer), by which keyword, and what would be right."""

    pointer: str
    keyword: str
    message: str
    code: str = "invalid_message"


@cache
def client_types() -> tuple[str, ...]:
    """Give the `type`s a client may send (section 2)."""
    return _types("client")


@cache
def server_types() -> tuple[str, ...]:
    """Give the `type`s a server may send (section 3)."""
    return _types("server")


def schema(direction: Direction, type_: str, limits: Limits = DEFAULTS) -> Schema:
    """Give the schema of a message, references put in place and bounds as `limits` has them.

    It is shared: do not change it. Raises ValueError for a type that has no schema.
    """
    known = client_types() if direction == "client" else server_types()
    if type_ not in known:
        raise ValueError(f"no {direction} message has type {type_!r}{nearest(type_, known)}")
    return _schema(direction, type_, limits)


def check_request(message: object, limits: Limits = DEFAULTS) -> list[SchemaFault]:
    """Give what is wrong with a client's message; [] when it is right."""
    return _check("client", message, limits)


def check_message(message: object, limits: Limits = DEFAULTS) -> list[SchemaFault]:
    """Give what is wrong with a server's message; [] when it is right."""
    return _check("server", message, limits)


def faults(direction: Direction, type_: str, message: object, limits: Limits) -> Iterator[SchemaFault]:
    """Yield what is wrong with a message that is known to be of a type, as it is found."""
    if accepts(direction, type_, message, limits):
        return
    for error in _validator(direction, type_, limits).iter_errors(message):
        keyword, codes = error.validator, error.schema.get("x-errors", {})
        yield SchemaFault(
            pointer=_pointer(error.absolute_path),
            keyword=keyword,
            message=_explain(keyword, error.validator_value, error.message),
            code=codes.get(keyword, "invalid_message"),
        )


def accepts(direction: Direction, type_: str, message: object, limits: Limits = DEFAULTS) -> bool:
    """Whether the quick validator, where there is one, finds a message right: False says nothing."""
    quick = _quick(direction, type_, limits)
    try:
        return quick is not None and quick(message)
    except ValueError:  # a lone surrogate, which it cannot read
        return False


def _check(direction: Direction, message: object, limits: Limits) -> list[SchemaFault]:
    if not isinstance(message, dict):
        return [SchemaFault("", "type", "must be an object")]
    type_ = message.get("type")
    known = client_types() if direction == "client" else server_types()
    if not isinstance(type_, str):
        return [SchemaFault("/type", "type" if "type" in message else "required", "must be a string")]
    if type_ not in known:
        return [SchemaFault("/type", "enum", f"must be one of {', '.join(known)}", "unknown_type")]
    return list(faults(direction, type_, message, limits))


def _types(direction: Direction) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (SCHEMAS / direction).glob("*.json")))


@lru_cache(maxsize=256)
def _schema(direction: Direction, type_: str, limits: Limits) -> Schema:
    inlined: Schema = _inline(schema_file(f"{direction}/{type_}.json"), limits)
    return inlined


def _inline(node: Any, limits: Limits) -> Any:
    """Put what `$ref` names in its place, and the limits where `x-limit` says that a keyword is one."""
    if isinstance(node, list):
        return [_inline(item, limits) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        node = schema_file("common.json")["$defs"][name] | {k: v for k, v in node.items() if k != "$ref"}
    bounds = {keyword: getattr(limits, name) for keyword, name in node.get("x-limit", {}).items()}
    return {key: value if key in _LITERAL else _inline(value, limits) for key, value in (node | bounds).items()}


_LITERAL = frozenset({"examples", "x-invalid-examples", "const", "enum", "default"})


@lru_cache(maxsize=256)
def _validator(direction: Direction, type_: str, limits: Limits) -> Any:
    from referencing import Registry

    return _validator_class(direction)(schema(direction, type_, limits), registry=Registry())


@lru_cache(maxsize=256)
def _quick(direction: Direction, type_: str, limits: Limits) -> Callable[[object], bool] | None:
    try:
        from jsonschema_rs import Draft202012Validator
    except ImportError:
        return None
    keywords = {name: _refusing(fault) for name, (fault, _) in own_keywords(direction).items()}
    return Draft202012Validator(schema(direction, type_, limits), keywords=keywords).is_valid


@cache
def _validator_class(direction: Direction) -> Any:
    """Extend the JSON Schema validator: patterns as ECMA 262 has them, `x-` keywords, precise pointers."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    def keyword(fault: Fault, path: tuple[str, ...]) -> Callable[..., Iterator[ValidationError]]:
        def check(_: Any, value: Any, instance: object, __: Schema) -> Iterator[ValidationError]:
            if reason := fault(value, instance):
                yield ValidationError(reason, path=path)

        return check

    def required(_: Any, names: list[str], instance: object, __: Schema) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            for name in names:
                if name not in instance:
                    yield ValidationError("is missing", path=(name,))

    own = {name: keyword(fault, path) for name, (fault, path) in own_keywords(direction).items()}
    extend: Any = validators.extend  # its stub leaves it untyped
    return extend(Draft202012Validator, {"pattern": keyword(_pattern_fault, ()), "required": required, **own})


def own_keywords(direction: Direction) -> Mapping[str, tuple[Fault, tuple[str, ...]]]:
    """The keywords of the schemas beside those of JSON Schema: what each complains of, and of which member."""
    # A request is brought to NFC by who reads it; what the server sends is in it already.
    return {
        **({"x-nfc": (_nfc_fault, ())} if direction == "server" else {}),
        "x-classes": (_class_fault, ()),
        "x-utf8-bytes": (_bytes_fault, ()),
        "x-retryable": (_retryable_fault, ("retryable",)),
    }


def _refusing(fault: Fault) -> type:
    """A keyword as jsonschema-rs wants it: a class whose `validate` raises ValueError."""

    class Keyword:
        def __init__(self, parent: Schema, value: Any, path: list[str | int]) -> None:
            self.value = value

        def validate(self, instance: object) -> None:
            if reason := fault(self.value, instance):
                raise ValueError(reason)

    return Keyword


def _pattern_fault(pattern: str, value: object) -> str | None:
    found = not isinstance(value, str) or grammar.ecma_pattern(pattern).search(value)
    return None if found else f"must match {pattern}"


def _nfc_fault(_: Any, value: object) -> str | None:
    return "must be in NFC" if isinstance(value, str) and value != grammar.nfc(value) else None


def _class_fault(name: str, value: object) -> str | None:
    return _CLASSES[name](value) if isinstance(value, str) else None


def _bytes_fault(most: int, value: object) -> str | None:
    fits = not isinstance(value, str) or grammar.utf8_length(value) <= most
    return None if fits else f"must have at most {most} bytes of UTF-8"


def _retryable_fault(_: Any, error: object) -> str | None:
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, str) or code not in ERRORS:
        return None
    expected = ERRORS[code].retryable
    right = error.get("retryable", expected) is expected
    return None if right else f"must be {str(expected).lower()} with this code"


_CLASSES: Mapping[str, Callable[[str], str | None]] = {
    "text": grammar.text_class_fault,
    "name": grammar.name_fault,
    "scalar": grammar.scalar_fault,
}


def _pointer(path: Any) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _explain(keyword: str, value: Any, own: str) -> str:
    """Say in our words what is expected; the validator's own texts quote what was sent."""
    match keyword:
        case "type":
            names = [value] if isinstance(value, str) else value
            return f"must be {' or '.join(map(_with_article, names))}"
        case "const":
            return f"must be {value!r}"
        case "enum":
            return f"must be one of {', '.join(map(str, value))}"
        case "minimum" | "maximum":
            return f"must be at {'least' if keyword == 'minimum' else 'most'} {value}"
        case "minLength" | "maxLength":
            return f"must have at {'least' if keyword == 'minLength' else 'most'} {value} characters"
        case "maxItems":
            return f"must have at most {value} items"
        case "not":
            return "must not stand here"
        case "anyOf":
            return "has none of the allowed forms"
        case "required" | "pattern":
            return own
        case _:
            return own if keyword.startswith("x-") else f"breaks {keyword}"


def _with_article(name: str) -> str:
    return name if name == "null" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
