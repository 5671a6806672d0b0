"""The scenarios by name: where each one's class is, without importing it (that would import locust)."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

SCENARIOS: Final[dict[str, tuple[str, str]]] = {
    "steady-chat": ("chat", "SteadyChat"),
    "hot-room": ("chat", "HotRoom"),
    "join-storm": ("storms", "JoinStorm"),
    "resume-storm": ("storms", "ResumeStorm"),
    "slow-readers": ("guests", "SlowReaders"),
    "abusers": ("guests", "Abusers"),
    "malformed-flood": ("guests", "MalformedFlood"),
    "long-idle": ("quiet", "LongIdle"),
    "history-hammering": ("quiet", "HistoryHammering"),
    "mixed-day": ("day", "MixedDay"),
}
"""Module and class of every scenario."""

STANDS_FOR: Final[dict[str, str]] = {
    "steady-chat": "many rooms of a few members, everybody says something now and then",
    "hot-room": "one room with everybody in it, most of them only listening",
    "join-storm": "users who come, say one thing, go and come back, all the time",
    "resume-storm": "a restart of the server under everybody's feet, and all come back at once for what they missed",
    "slow-readers": "members who read too slowly, beside members who do not",
    "abusers": "users who send far beyond the limit, beside users who keep to it",
    "malformed-flood": "users who send rubbish, beside users who do not",
    "long-idle": "connections on which nothing happens but heartbeats",
    "history-hammering": "members who ask for history again and again while others talk",
    "mixed-day": "a day in short: ramp, plateau, spike, drain",
}
"""What each scenario stands for, in a line; its class says more."""


def find(name: str) -> Any:
    """The class of a scenario. Imports locust. Raises KeyError."""
    module, cls = SCENARIOS[name]
    return getattr(import_module(f"{__name__}.{module}"), cls)
