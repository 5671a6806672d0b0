"""The tables as data: each against its own closed schema, and against one another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roomproof_protocol import CLOSES, ERRORS, requirements
from roomproof_protocol.data import SCHEMAS, TABLES, table

NAMES = sorted(path.stem for path in TABLES.glob("*.yaml"))


def form(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((TABLES / f"{name}.schema.json").read_text("utf-8"))
    return content


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of a schema that says what members an object has."""
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for value in node.values():
            yield from objects(value)


def test_every_table_has_a_schema() -> None:
    assert sorted(path.name.split(".")[0] for path in TABLES.glob("*.schema.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_what_its_closed_schema_says(name: str) -> None:
    Draft202012Validator.check_schema(form(name))
    assert all(part["additionalProperties"] is False for part in objects(form(name)))
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(form(name)).iter_errors(table(name))
    ]
    assert errors == []


@pytest.mark.parametrize(
    ("name", "part", "key"),
    [
        ("errors", "errors", "code"),
        ("closes", "codes", "code"),
        ("closes", "codes", "name"),
        ("closes", "advices", "name"),
        ("limits", "limits", "name"),
        ("capabilities", "capabilities", "name"),
        ("keywords", "keywords", "name"),
    ],
)
def test_rows_are_unique(name: str, part: str, key: str) -> None:
    values = [row[key] for row in table(name)[part]]
    assert len(set(values)) == len(values)


def test_every_advice_is_given_somewhere() -> None:
    closes = table("closes")
    given = {row["advice"] for row in closes["codes"] + closes["blocks"]}
    assert given == {row["name"] for row in closes["advices"]}


def test_every_keyword_is_used() -> None:
    used = "".join(path.read_text("utf-8") for path in SCHEMAS.rglob("*.json"))
    assert all(f'"{row["name"]}"' in used for row in table("keywords")["keywords"])


def test_requirements_that_are_named_exist() -> None:
    known = {row.id for row in requirements()}
    places = [*SCHEMAS.rglob("*.json"), *TABLES.glob("*.yaml")]
    named = {
        id_
        for path in places
        for id_ in re.findall(
            r"\b(?:CONN|ROOM|MSG|HIST|RES|RATE|BEAT|ERR|DISC|PRES|AUTH|LIMIT|CL)-[0-9]+\b",
            path.read_text("utf-8"),
        )
    }
    assert named <= known


def test_codes_that_sentences_name_are_in_the_tables() -> None:
    sentences = " ".join(row.text for row in requirements())
    assert {int(code) for code in re.findall(r"\b(?:10[01][0-9]|4[0-9]{3})\b", sentences)} - {1000} <= set(CLOSES)
    gives = set(re.findall(r"(?:give|gives|gets?|a fatal|answered) (?:non-fatal )?`([a-z_]+)`", sentences))
    assert gives - {"left", "removed", "sent", "welcome"} <= set(ERRORS)
