"""Places meet operators: every specimen of the client messages, in the same order every time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from roomproof_protocol import DEFAULTS, Limits, client_types, schema

from .carriage import carried
from .constraints import Bench, extras, ill_typed, memberships, numbers, strings, twice, types
from .places import places
from .samples import Values
from .specimens import Specimen
from .spelling import not_json, unusual

Operator = Callable[[Bench], Iterator[Specimen]]

FAMILIES: Mapping[str, tuple[Operator, ...]] = {
    "types": (ill_typed,),
    "members": (memberships, twice, extras),
    "numbers": (numbers,),
    "strings": (strings, types),
    "spelling": (not_json, unusual),
    "carriage": (),  # needs a size limit: see `_operators`
}
"""The operators, by what they spoil."""


def specimens(
    families: tuple[str, ...] = tuple(FAMILIES),
    *,
    schemas: Mapping[str, Mapping[str, Any]] | None = None,
    values: Values | None = None,
    limits: Limits = DEFAULTS,
) -> Iterator[Specimen]:
    """Every specimen of these families.

    `schemas` are those of the client messages by type, unless others are given; `values` is what means something to
    the target, made up where nothing is known of one. Raises ValueError for a schema no valid value is known for.
    """
    known = schemas if schemas is not None else {type_: schema("client", type_, limits) for type_ in client_types()}
    values = values if values is not None else example_values()
    for family in families:
        operators = _operators(family, limits)
        for type_, form in known.items():
            walked = list(places(type_, form))
            for place in walked:
                bench = Bench(place, walked[0], values)
                for operator in operators:
                    yield from operator(bench)


def _operators(family: str, limits: Limits) -> tuple[Operator, ...]:
    if family == "carriage":
        return (partial(carried, frame_bytes=limits.frame_bytes),)
    return FAMILIES[family]


def example_values() -> Values:
    """Values for lists and plans, where there is no target: the same every time."""
    ids, texts = itertools.count(1), itertools.count(1)
    return Values(
        given={"room": "room", "epoch": "epoch-1", "scheme": "guest", "token": "token"},
        fresh={
            "id": lambda: f"n{next(ids)}",
            "text": lambda: f"text {next(texts)}",
            "mid": lambda: f"mid-{next(texts):06}",
        },
    )
