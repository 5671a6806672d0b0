"""The result as JSON; `load.schema.json` beside this file is its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def page(result: Mapping[str, Any]) -> str:
    return json.dumps(result, indent=2, ensure_ascii=True) + "\n"
