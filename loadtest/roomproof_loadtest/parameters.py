"""The parameters of a load, once: names, defaults and meaning, for the command line, the environment and locust.

Each has an option `--room-size`, a variable `ROOMPROOF_LOAD_ROOM_SIZE` and, inside locust, the attribute
`parsed_options.room_size`. Knows no scenario and no locust.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "ROOMPROOF_LOAD_"


def seconds(text: str) -> float:
    """A duration: `90`, `90s`, `1m30s`, `250ms`, `2h`. Raises ValueError."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", text.strip())
    if found and any(found.groups()):
        h, m, s, ms = (float(part or 0) for part in found.groups())
        return h * 3600 + m * 60 + s + ms / 1000
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no duration; expected something like 90s, 1m30s or 250ms") from None


def share(text: str) -> float:
    """A share: `0.5` or `50%`. Raises ValueError."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no share; expected something like 50% or 0.5") from None
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is no share: expected 0 to 1, or 0% to 100%")
    return value


@dataclass(frozen=True)
class Parameter:
    """One parameter: `kind` is float, int, str, `seconds` or `share`, made from text by `read`."""

    name: str
    kind: Any
    default: Any
    help: str

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    def read(self, text: str) -> Any:
        """The value that a text stands for. Raises ValueError."""
        value = self.kind(text)
        if isinstance(value, int | float) and value < 0:
            raise ValueError(f"{text!r} is below 0")
        return value


PARAMETERS: Final = (
    Parameter("rate", float, 0.5, "Messages a second of each user who talks."),
    Parameter("room_size", int, 10, "Members of a room (the hot room has all users)."),
    Parameter("rooms_per_user", int, 1, "Rooms that each user is in, where a connection may be in several."),
    Parameter("talkers", int, 20, "Hot room: members who talk; the others only listen."),
    Parameter("listeners", str, "lean", "Hot room: listeners in a lean process (lean) or as locust users (users)."),
    Parameter("size", int, 120, "Characters of a message."),
    Parameter("patience", seconds, 10.0, "After this time what did not come is lost, and a request unanswered."),
    Parameter("judge", share, 1.0, "Share of the rooms that are judged; in these every member is."),
    Parameter("bad", share, 0.1, "Share of users who misbehave: slow readers, abusers, senders of malformed frames."),
    Parameter("abuse_rate", float, 20.0, "Messages a second of an abuser, or malformed frames of a flooder."),
    Parameter("slow_pause", seconds, 0.5, "Slow readers: time between two reads of at most 4 KiB."),
    Parameter("restart_at", seconds, 0.0, "Resume storm: when the server is restarted; 0 for half of the time."),
    Parameter("stay", seconds, 2.0, "Join storm: how long a user stays before it reconnects."),
    Parameter("history_limit", int, 50, "History hammering: messages asked for in one request."),
    Parameter("seed", int, 1, "Seed of the random waits."),
)
"""Every parameter that a scenario may read."""


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that variables give. Raises ValueError that names the variable."""
    found: dict[str, Any] = {}
    for parameter in PARAMETERS:
        text = environment.get(parameter.variable)
        if text is not None and text != "":
            try:
                found[parameter.name] = parameter.read(text)
            except ValueError as error:
                raise ValueError(f"{parameter.variable}: {error}") from None
    return found


def defaults() -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in PARAMETERS}
