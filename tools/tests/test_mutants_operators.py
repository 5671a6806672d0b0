"""Each operator on a piece of source, what is left out, and identities that stay."""

from __future__ import annotations

import textwrap

import pytest

from tools.mutants.operators import Module, Mutant


def mutants(source: str, operator: str | None = None) -> list[Mutant]:
    found = Module("m.py", textwrap.dedent(source).encode()).mutants()
    return [mutant for mutant in found if operator in (None, mutant.operator)]


@pytest.mark.parametrize(
    ("operator", "line", "becomes"),
    [
        ("relational-operator", "if a < b: x()", ["if a <= b: x()", "if a >= b: x()"]),
        ("relational-operator", "y = a not  in b", ["y = a in b"]),
        ("relational-operator", "y = 0 <= a <= 5", [
            "y = 0 < a <= 5", "y = 0 > a <= 5", "y = 0 <= a < 5", "y = 0 <= a > 5",
        ]),
        ("logical-connector", "y = a and (b) and c", ["y = a or (b) or c"]),
        ("negation-deletion", "y = not (a or b)", ["y = (a or b)"]),
        ("condition-negation", "y = [a for a in b if a]", ["y = [a for a in b if (not (a))]"]),
        ("condition-negation", "if a == b: x()", []),
        ("constant-replacement", "y = 16", ["y = 17", "y = 15"]),
        ("constant-replacement", "y = 0", ["y = 1", "y = (-1)"]),
        ("constant-replacement", "y = True", ["y = False"]),
        ("constant-replacement", "y = 'text'", []),
        ("arithmetic-operator", "a += b - c", ["a -= b - c", "a += b + c"]),
        ("break-continue", "for a in b: break", ["for a in b: continue"]),
        ("statement-deletion", "x(a)", ["pass"]),
        ("argument-swap", "x(a, b + 1, c)", ["x(b + 1, a, c)"]),
        ("argument-swap", "max(a, b)", []),
        ("min-max", "y = min(a, b)", ["y = max(a, b)"]),
        ("slice-bound", "y = a[1:n]", ["y = a[:n]", "y = a[1:]"]),
        ("zero-iteration", "for a in b: x()", ["for a in (): x()"]),
    ],
)  # fmt: skip
def test_an_operator(operator: str, line: str, becomes: list[str]) -> None:
    assert [mutant.after for mutant in mutants(line, operator)] == becomes


def test_returns_become_what_their_type_allows() -> None:
    source = """
        def a() -> bool: return b(c)
        def d() -> int: return n * 2
        def e() -> str | None: return f"{b}"
        def g() -> str: return b
    """
    assert [mutant.after.partition("return ")[2] for mutant in mutants(source, "return-value")] == [
        "not (b(c))", "(n * 2) + 1", "None",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "def a(b: int | None = None) -> c | d: return b",
        "class A(Protocol):\n    def b(self) -> bool: return 1 < 2",
        "class A:\n    __slots__ = ('a', 'b')[0:1]",
        "def __repr__(self) -> str: return a(b, c) + d",
        "logger.info('%d', 1 + 2)",
        "self._hub.counters.deliveries += 1",
        "assert a < b",
        "if TYPE_CHECKING:\n    x(1)",
        "y = f'{a + 1}'",
        "@lru_cache(maxsize=256)\ndef a() -> None: ...",
    ],
)
def test_what_no_client_can_see_is_left_out(source: str) -> None:
    assert mutants(source) == []


def test_the_change_is_where_it_says() -> None:
    source = "# Größe über alles\ndef f() -> None:\n    if größe < 5 and x:\n        g()\n"
    for mutant in mutants(source):
        changed = mutant.applied(source.encode()).decode().splitlines()
        assert changed[mutant.line - 1].strip() == mutant.after
        assert mutant.function == "f"


def test_the_identity_moves_with_its_line() -> None:
    before = mutants("x = 1\ny = a < b\ny = a < b\n")
    after = mutants("import os\n\nx = 1\n# new\ny = a < b\ny = a < b\n")
    assert [mutant.id for mutant in before] == [mutant.id for mutant in after]
    assert len({mutant.id for mutant in before}) == len(before)
