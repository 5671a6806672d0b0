"""The matrix as programs get it, and its exit code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from roomproof_conformance.matrix.column import EXCEPTION, exception
from roomproof_conformance.matrix.model import STATES, Matrix, schema

from .conftest import column


def test_the_document_is_as_its_schema_says(matrix: Matrix) -> None:
    Draft202012Validator.check_schema(schema())
    document = matrix.as_json()
    Draft202012Validator(schema()).validate(document)
    described = schema()
    assert set(document) == set(described["properties"]) == set(described["required"])
    for name, part in (("column", document["servers"][0]), ("cell", document["servers"][1]["rows"]["ROOM-3"])):
        assert set(part) == set(described["$defs"][name]["properties"]) == set(described["$defs"][name]["required"])
    assert described["$defs"]["column"]["properties"]["state"]["enum"] == list(STATES)


def test_rows_are_those_by_which_some_server_was_judged(matrix: Matrix) -> None:
    assert [(area.name, [row.id for row in area.rows]) for area in matrix.areas] == [
        ("ROOM", ["ROOM-3"]),
        ("HIST", ["HIST-1"]),
    ]
    assert matrix.unjudged == ["AUTH-1"]


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((0, 4), 4), ((4, 3), 3), ((3, 1, 4), 1), ((), 0)])
def test_the_gravest_column_decides(matrix: Matrix, codes: tuple[int, ...], expected: int) -> None:
    columns = [column(f"s{n}", exit_code=code) for n, code in enumerate(codes)]
    assert replace(matrix, columns=columns).exit_code == expected
    assert replace(matrix, columns=columns, interrupted=True).exit_code == 130


CHAIN = """ERROR:websockets.server:connection handler failed
Traceback (most recent call last):
  File "/usr/lib/server.py", line 9, in handler
    raise KeyError("a")
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/chat.py", line 12, in join
    rooms.add(user)
    ~~~~~~~~~^^^^^^
TypeError: unhashable type: 'User'
INFO: connection closed
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (CHAIN, "TypeError: unhashable type: 'User' (chat.py, line 12)"),
        ('Traceback (most recent call last):\n  File "a.py", line 3\n    x = (\n        ^\nSyntaxError: never closed\n',
         "SyntaxError: never closed (a.py, line 3)"),
        ("node:internal\nTypeError: x is not a function\n    at y (z.js:3:1)\n", "TypeError: x is not a function"),
        ("all is well\n", None),
        ("", None),
        ("Traceback (most recent call last):\n" * 20_000, None),
        ("x" * 200_000, None),
    ],
)  # fmt: skip
def test_the_exception_of_an_output(output: str, expected: str | None) -> None:
    assert exception(output) == expected


def test_an_exception_in_the_middle_of_a_line_is_talk() -> None:
    assert not EXCEPTION.findall("we had no Error: today\n")
