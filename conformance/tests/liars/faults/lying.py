"""How a fault is put into the reference server: a registry, and one way of replacing a rule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

Fault = Callable[[], None]

FAULTS: dict[str, Fault] = {}
"""Every fault by its liar's name."""


def liar(fault: Fault) -> Fault:
    """Register a function that puts one fault into this process; its name is the liar's, with `_` for `-`."""
    name = fault.__name__.replace("_", "-")
    assert name not in FAULTS, name
    FAULTS[name] = fault
    return fault


def instead_of(owner: Any, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace `owner.name` (of a class or module; a key of a dict) by the decorated function.

    It is called like the honest one, with that one before the other arguments. AttributeError or KeyError
    when there is no such rule any more: a liar that does not lie would go unnoticed otherwise.
    """

    def replace(lie: Callable[..., Any]) -> None:
        table = isinstance(owner, dict)
        found = owner[name] if table else inspect.getattr_static(owner, name)
        honest = found.fget if isinstance(found, property) else owner[name] if table else getattr(owner, name)

        @functools.wraps(honest)
        def lying(*args: Any, **kwargs: Any) -> Any:
            return lie(honest, *args, **kwargs)

        if table:
            owner[name] = lying
        elif isinstance(found, property):
            setattr(owner, name, property(lying))
        else:
            setattr(owner, name, staticmethod(lying) if isinstance(found, staticmethod) else lying)

    return replace
