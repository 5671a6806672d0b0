"""Every message against its schema: one prebuilt validator per direction, type and limits.

Messages are told apart by `type`, never by `oneOf`. The schemas are read from the package, their references
put in place, and nothing is ever fetched. What to answer a bad message with is not decided here.
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
    for error in _validator(direction, type_, limits).iter_errors(message):
        keyword, codes = error.validator, error.schema.get("x-errors", {})
        yield SchemaFault(
            pointer=_pointer(error.absolute_path),
            keyword=keyword,
            message=_explain(keyword, error.validator_value, error.message),
            code=codes.get(keyword, "invalid_message"),
        )


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


@cache
def _validator_class(direction: Direction) -> Any:
    """Extend the JSON Schema validator: patterns as ECMA 262 has them, `x-` keywords, precise pointers."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    def on_string(fault: Callable[[Any, str], str | None]) -> Callable[..., Iterator[ValidationError]]:
        def keyword(_: Any, value: Any, instance: object, __: Schema) -> Iterator[ValidationError]:
            if isinstance(instance, str) and (reason := fault(value, instance)):
                yield ValidationError(reason)

        return keyword

    def required(_: Any, names: list[str], instance: object, __: Schema) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            for name in names:
                if name not in instance:
                    yield ValidationError("is missing", path=(name,))

    def retryable(_: Any, __: bool, instance: object, ___: Schema) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        code = instance.get("code")
        if isinstance(code, str) and code in ERRORS:
            expected = ERRORS[code].retryable
            if instance.get("retryable", expected) is not expected:
                yield ValidationError(f"must be {str(expected).lower()} with this code", path=("retryable",))

    extend: Any = validators.extend  # its stub leaves it untyped
    return extend(
        Draft202012Validator,
        {
            "pattern": on_string(
                lambda pattern, value: None if grammar.ecma_pattern(pattern).search(value) else f"must match {pattern}"
            ),
            "required": required,
            # A request is brought to NFC by who reads it; what the server sends is in it already.
            "x-nfc": on_string(
                lambda _, value: "must be in NFC" if direction == "server" and value != grammar.nfc(value) else None
            ),
            "x-classes": on_string(lambda name, value: _CLASSES[name](value)),
            "x-utf8-bytes": on_string(
                lambda most, value: (
                    None if grammar.utf8_length(value) <= most else f"must have at most {most} bytes of UTF-8"
                )
            ),
            "x-retryable": retryable,
        },
    )


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
