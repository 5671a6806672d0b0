"""Which answers can be run, and how: the reader of `answers.yaml`.

It knows the file's closed schema and its placeholders. It must not know environments, limits or sockets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from unpack import HERE, UsageFault

ANSWERS_FILE = HERE / "answers.yaml"
LAUNCHER = HERE / "launch.py"

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS = ("python", "launcher", "port")
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["answers", "run"],
    "properties": {
        "answers": {"const": 1},
        "run": {
            "type": "object",
            "propertyNames": {"type": "string", "pattern": r"^[a-z0-9_]+\Z"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["sha256", "requirements", "command"],
                "properties": {
                    "sha256": {"type": "string", "pattern": r"^[0-9a-f]{64}\Z"},
                    "requirements": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "string",
                            "pattern": r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.]*\Z",
                        },
                    },
                    "command": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Runnable:
    """How one answer is run.

    `sha256` is that of the code that was looked at before it was allowed to run; `requirements` are exact
    pins of what the answer itself imports (the rest is pinned in `requirements/<key>.txt`).
    """

    key: str
    sha256: str
    requirements: tuple[str, ...]
    template: tuple[str, ...]

    def command(self, python: Path, port: int) -> list[str]:
        """The start command for one interpreter and one TCP port."""
        values = {"python": str(python), "launcher": str(LAUNCHER), "port": str(port)}
        return [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in self.template]


def load_answers(path: Path = ANSWERS_FILE) -> dict[str, Runnable]:
    """The runnable answers by model key; UsageFault, with file and place, when the file is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UsageFault(f"{path}: {fault.strerror}") from fault
    except yaml.YAMLError as fault:
        raise UsageFault(f"{path}: not YAML: {' '.join(str(fault).split())}") from fault
    error = best_match(Draft202012Validator(_SCHEMA).iter_errors(content))
    if error is not None:
        raise UsageFault(f"{path}: {error.json_path}: {error.message}")
    for key, entry in content["run"].items():
        for word in entry["command"]:
            for name in _PLACEHOLDER.findall(word):
                if name not in _PLACEHOLDERS:
                    raise UsageFault(
                        f"{path}: $.run.{key}.command: unknown placeholder {{{name}}}; "
                        f"known are {', '.join(f'{{{known}}}' for known in _PLACEHOLDERS)}"
                    )
    return {
        key: Runnable(key, entry["sha256"], tuple(entry["requirements"]), tuple(entry["command"]))
        for key, entry in content["run"].items()
    }


def choose_runnable(runnable: dict[str, Runnable], key: str) -> Runnable:
    """How one answer is run; UsageFault names those that can be."""
    if key not in runnable:
        raise UsageFault(f"{key}: not an answer that can be run; {ANSWERS_FILE.name} has {', '.join(runnable)}")
    return runnable[key]
