"""How a fault is put into the reference server: a registry, and one way of replacing a rule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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

    It is called like the honest one, with that one before the other arguments. AttributeError, KeyError or
    TypeError when there is no such rule any more: a liar that fails by accident would be caught for it.
    """

    def replace(lie: Callable[..., Any]) -> None:
        table = isinstance(owner, dict)
        found: Any = owner[name] if table else inspect.getattr_static(owner, name)
        honest: Any = found.fget if isinstance(found, property) else found if table else getattr(owner, name)
        _same_form(lie, honest)

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


@contextmanager
def left_out(room: Any, listeners: Iterable[Any]) -> Iterator[None]:
    """Within the block these members of a `roomproof_server.hub.Room` get nothing of what it says."""
    for listener in (chosen := list(listeners)):
        room.stand_aside(listener)
    members, aside = dict(room._members), dict(room._aside)
    for listener in chosen:
        room._members.pop(listener, None)
        room._aside.pop(listener, None)
    yield
    room._members = {listener: room._members.get(listener, write) for listener, write in members.items()}
    room._aside = aside | room._aside


def _same_form(lie: Callable[..., Any], honest: Callable[..., Any]) -> None:
    """Raise TypeError unless the lie takes what the honest function takes (`*args` and `**kwargs` take anything)."""
    mine = list(inspect.signature(lie).parameters.values())[1:]
    theirs = inspect.signature(honest).parameters.values()
    for kind, rest in ((inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL),
                       (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)):  # fmt: skip
        if any(p.kind is rest for p in mine):
            continue
        if sum(p.kind is kind for p in mine) != sum(p.kind is kind for p in theirs):
            raise TypeError(f"{honest.__qualname__} has another form than {lie.__qualname__} expects")
