"""Makes the files derived from schemas and tables: `python -m roomproof_protocol.generate [--check]`.

Needs a checkout and the development dependencies datamodel-code-generator and ruff. The output depends on
the data files and the versions of these two alone. Exit codes: 0 done or current, 1 stale files (each
named), 2 cannot.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from roomproof_protocol import ENDPOINT, SUBPROTOCOL, VERSION
from roomproof_protocol.bundle import asyncapi, bundle
from roomproof_protocol.data import HERE, table
from roomproof_protocol.reference import reference_page

ROOT = HERE.parents[1]
COMMAND = "python -m roomproof_protocol.generate"
TOOLS = {"datamodel_code_generator": "datamodel-code-generator", "ruff": "ruff"}
CODEGEN = (
    "--input-file-type=jsonschema",
    "--output-model-type=typing.TypedDict",
    "--target-python-version=3.11",
    "--enum-field-as-literal=all",
    "--formatters=builtin",
    "--disable-timestamp",
    "--disable-future-imports",  # with them a TypedDict takes every member for a required one
    "--use-standard-collections",
    "--use-union-operator",
    "--use-schema-description",
    "--use-single-line-docstring",
    "--use-title-as-name",
)
TYPES_HEADER = f'''"""Types of every message.

Generated from schemas/ by `{COMMAND}` (datamodel-code-generator); do not edit.
"""'''
DEFAULTS_HEADER = f'''"""Default numbers of section 7.

Generated from tables/limits.yaml by `{COMMAND}`; do not edit.
"""'''


class CannotGenerate(Exception):
    """A tool is missing or failed; the text is one line for people."""


def targets() -> dict[Path, Callable[[], str]]:
    """Give every derived file with what makes its text."""
    return {
        HERE / "defaults.py": defaults_module,
        HERE / "types.py": types_module,
        HERE / "asyncapi.json": lambda: _json(asyncapi(VERSION, SUBPROTOCOL, ENDPOINT)),
        ROOT / "docs" / "protocol" / "reference.md": lambda: reference_page(VERSION, SUBPROTOCOL, ENDPOINT),
    }


def defaults_module() -> str:
    """Give `defaults.py`: the limits table as constants, so that importing them reads no file."""
    tables = table("limits")
    rows = [(row["name"], row["default"]) for row in tables["limits"] if row["default"] is not None]
    rows += [(f"heartbeat.{row['name']}", row["default"]) for row in tables["heartbeat"]]
    lines = [f"{name.upper().replace('.', '_')} = {value}" for name, value in rows]
    return "\n".join([DEFAULTS_HEADER, "", *lines, ""])


def types_module() -> str:
    """Give `types.py`: every message as a TypedDict. Raises CannotGenerate."""
    for module, package in TOOLS.items():
        if importlib.util.find_spec(module) is None:
            raise CannotGenerate(f"types.py needs {package}, which is not installed: pip install {package}")
    document = bundle()
    del document["$defs"]["ReplayedMessage"]["properties"]["mid"]  # forbidden, which a TypedDict cannot say
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "schemas.json"), Path(folder, "types.py")
        source.write_text(_json(document), "utf-8")
        files = ["--input", str(source), "--output", str(out), "--custom-file-header", TYPES_HEADER]
        _run("datamodel_code_generator", *CODEGEN, *files)
        _run("ruff", "format", "--isolated", "--line-length", "110", str(out))
        return out.read_text("utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Write the derived files, or with `--check` name those that are stale."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Make the derived files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 naming each stale file")
    check = parser.parse_args(arguments).check
    if not (ROOT / "pyproject.toml").is_file():
        print(f"{COMMAND}: needs a checkout of the project, and {ROOT} is none", file=sys.stderr)
        return 2
    try:
        stale = [(path, text) for path, make in targets().items() if _text(path) != (text := make())]
    except CannotGenerate as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        return 2
    for path, text in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return 1 if check and stale else 0


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _run(module: str, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise CannotGenerate(f"{TOOLS[module]} failed: {lines[-1]}")


if __name__ == "__main__":
    sys.exit(main())
