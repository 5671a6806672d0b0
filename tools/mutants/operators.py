"""Mutation operators: from a module's source, every small change of behaviour that they can make.

The usual ones of mutation testing, over the syntax tree, as replacements of exact places in the text. Left out is
what no client can see for a syntactic reason: annotations, docstrings, `__repr__`, `__slots__`, assertions, texts,
decorators, log lines and the counters of /metrics. Also left out is what only breaks the import. It must not know
how a mutant is judged.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tools.support.spread import spread

Change = tuple[ast.AST, int, int, str]
"""Of which node, which bytes, become what."""


@dataclass(frozen=True)
class Mutant:
    """One changed place: `start` and `end` are byte offsets of what `text` replaces, `function` where it stands."""

    file: str
    operator: str
    function: str
    line: int
    start: int
    end: int
    text: str
    before: str
    after: str
    twin: int = 0  # of equal changes of equal lines of one file, the how many-th

    @property
    def id(self) -> str:
        """Stays while the line does, wherever it moves to in its file."""
        key = "\0".join((self.file, self.operator, self.before, self.after, str(self.twin)))
        return hashlib.blake2b(key.encode(), digest_size=5).hexdigest()

    def applied(self, source: bytes) -> bytes:
        """The source with the change in it."""
        return source[: self.start] + self.text.encode() + source[self.end :]


RELATIONAL: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}
# Swapped, these say the same or only raise.
NOT_SWAPPED = frozenset({"isinstance", "getattr", "setattr", "partial", "max", "min", "print", "ProtocolError", "zip"})
SILENT = frozenset({"logger", "counters"})
SKIPPED_FIELDS = frozenset({"annotation", "returns", "decorator_list", "bases"})
SKIPPED_FUNCTIONS = frozenset({"__repr__", "__str__"})


class Module:
    """One source file and what can be changed in it."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file, self.source = file, source
        self._tree = ast.parse(source)
        lengths = [len(line) for line in source.splitlines(keepends=True)]
        self._starts = [0]
        for length in lengths:
            self._starts.append(self._starts[-1] + length)
        self._lines = source.decode().splitlines()

    def mutants(self) -> list[Mutant]:
        """All of them, in the order of the source; each compiles."""
        found: list[Mutant] = []
        twins: dict[str, int] = {}
        for node, function in _walk(self._tree, ()):
            for operator, changes in OPERATORS.items():
                for change in changes(self, node):
                    mutant = self._mutant(operator, ".".join(function), change)
                    if mutant is None:
                        continue
                    number = twins[mutant.id] = twins.get(mutant.id, -1) + 1
                    found.append(replace(mutant, twin=number))
        return found

    def _mutant(self, operator: str, function: str, change: Change) -> Mutant | None:
        _, start, end, text = change
        last = self.source[:end].count(b"\n")
        first = self.source[:start].count(b"\n")
        before = " ".join(part.strip() for part in self._lines[first : last + 1])
        mutant = Mutant(self.file, operator, function, first + 1, start, end, text, before, "")
        changed = mutant.applied(self.source)
        try:
            compile(changed, self.file, "exec", dont_inherit=True)
        except SyntaxError:
            return None
        whole = changed.decode().splitlines()
        grown = len(whole) - len(self._lines)
        after = " ".join(part.strip() for part in whole[first : last + 1 + grown])
        return replace(mutant, after=after) if after != before else None

    def start(self, node: Any) -> int:
        """Where a node begins, in bytes."""
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: Any) -> int:
        """Where it ends."""
        return self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def text(self, node: ast.AST) -> str:
        """What stands there."""
        return self.source[self.start(node) : self.end(node)].decode()

    def whole(self, node: ast.AST, text: str) -> Change:
        """The node replaced."""
        return node, self.start(node), self.end(node), text

    def between(self, one: ast.AST, other: ast.AST, old: str, new: str) -> Iterator[Change]:
        """What stands between two nodes, `old` (a pattern) in it replaced."""
        start, end = self.end(one), self.start(other)
        gap = self.source[start:end].decode()
        made = re.sub(old, lambda _: new, gap, count=1)
        if made != gap:
            yield other, start, end, made


def _walk(node: ast.AST, function: tuple[str, ...]) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Every node that may be changed, with the names of the definitions around it."""
    if isinstance(node, ast.JoinedStr | ast.Assert) or _is_silent(node) or _is_declaration(node):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        if node.name in SKIPPED_FUNCTIONS:
            return
        function = (*function, node.name)
    yield node, function
    for name, value in ast.iter_fields(node):
        if name in SKIPPED_FIELDS:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_text(child):
                yield from _walk(child, function)


def _is_text(node: ast.AST) -> bool:
    """A docstring, or the dots of a body that says nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_silent(node: ast.AST) -> bool:
    """A statement that only logs or counts."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        what: ast.AST = node.value.func
    elif isinstance(node, ast.AugAssign):
        what = node.target
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
        return node.value.attr in SILENT
    else:
        return False
    names = {n.id for n in ast.walk(what) if isinstance(n, ast.Name)}
    return bool((names | {n.attr for n in ast.walk(what) if isinstance(n, ast.Attribute)}) & SILENT)


def _is_declaration(node: ast.AST) -> bool:
    """Types, interfaces and slots: nothing that runs."""
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "__slots__" for target in targets)


# -- the operators ----------------------------------------------------------------------------------------


def relational_operator(module: Module, node: ast.AST) -> Iterator[Change]:
    """`<` as `<=` and as `>=`, `==` as `!=`, `in` as `not in`, `is` as `is not`, and the other way round."""
    if isinstance(node, ast.Compare):
        for left, operator, right in zip([node.left, *node.comparators], node.ops, [*node.comparators], strict=False):
            old, replacements = RELATIONAL[type(operator)]
            for new in replacements:
                yield from module.between(left, right, old, new)


def logical_connector(module: Module, node: ast.AST) -> Iterator[Change]:
    """`and` as `or`, and the other way round."""
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        parts = [module.text(value) for value in node.values]
        gaps = zip(node.values, node.values[1:], strict=False)
        joints = [module.source[module.end(a) : module.start(b)].decode().replace(old, new) for a, b in gaps]
        yield module.whole(node, "".join(a + b for a, b in zip(parts, [*joints, ""], strict=True)))


def negation_deletion(module: Module, node: ast.AST) -> Iterator[Change]:
    """`not x` as `x`."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield module.whole(node, f"({module.text(node.operand)})")


def condition_negation(module: Module, node: ast.AST) -> Iterator[Change]:
    """A condition as its opposite, where no other operator makes the same of it."""
    tests: list[ast.expr] = []
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        tests = [node.test]
    elif isinstance(node, ast.comprehension):
        tests = node.ifs
    for test in tests:
        if isinstance(test, ast.Compare | ast.Constant) or (
            isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        ):
            continue
        yield module.whole(test, f"(not ({module.text(test)}))")


def constant_replacement(module: Module, node: ast.AST) -> Iterator[Change]:
    """A number as one more and one less; True as False."""
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield module.whole(node, str(not node.value))
    elif isinstance(node.value, int | float):
        yield module.whole(node, str(node.value + 1))
        yield module.whole(node, f"({node.value - 1})" if node.value < 1 else str(node.value - 1))


def arithmetic_operator(module: Module, node: ast.AST) -> Iterator[Change]:
    """`+` as `-`, `*` as `//`, `&` as `|`, and their like."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        old, new = ARITHMETIC[type(node.op)]
        left, right = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
        yield from module.between(left, right, re.escape(old), new)


def break_continue(module: Module, node: ast.AST) -> Iterator[Change]:
    """`break` as `continue`, and the other way round."""
    if isinstance(node, ast.Break | ast.Continue):
        yield module.whole(node, "continue" if isinstance(node, ast.Break) else "break")


def statement_deletion(module: Module, node: ast.AST) -> Iterator[Change]:
    """A statement as `pass`: calls, raises, returns of nothing, changes of state outside `__init__`."""
    if isinstance(node, ast.FunctionDef) and node.name != "__init__":
        for statement in ast.walk(node):
            if isinstance(statement, ast.Assign) and not any(isinstance(t, ast.Name) for t in statement.targets):
                yield module.whole(statement, "pass")
    elif (
        (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or isinstance(node, ast.Raise | ast.AugAssign | ast.Delete)
        or (isinstance(node, ast.Return) and node.value is None)
    ):
        yield module.whole(node, "pass")


def return_value(module: Module, node: ast.AST) -> Iterator[Change]:
    """What is returned as its opposite (bool), as one more (int), as None where that may be."""
    if not isinstance(node, ast.FunctionDef) or node.returns is None:
        return
    kind = ast.unparse(node.returns)
    for statement in _own(node):
        value = statement.value if isinstance(statement, ast.Return) else None
        if value is None or isinstance(value, ast.Constant):
            continue
        if kind == "bool" and not isinstance(value, ast.Compare):
            yield module.whole(value, f"not ({module.text(value)})")
        elif kind in ("int", "float"):
            yield module.whole(value, f"({module.text(value)}) + 1")
        elif kind.endswith("| None"):
            yield module.whole(value, "None")


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def argument_swap(module: Module, node: ast.AST) -> Iterator[Change]:
    """The first two arguments of a call in each other's place."""
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    one, two = node.args[:2]
    if name in NOT_SWAPPED or isinstance(one, ast.Starred) or isinstance(two, ast.Starred):
        return
    gap = module.source[module.end(one) : module.start(two)].decode()
    yield one, module.start(one), module.end(two), module.text(two) + gap + module.text(one)


def min_max(module: Module, node: ast.AST) -> Iterator[Change]:
    """`min` as `max`, and the other way round."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
        yield module.whole(node.func, "max" if node.func.id == "min" else "min")


def slice_bound(module: Module, node: ast.AST) -> Iterator[Change]:
    """One end of a slice left out."""
    if isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper):
            if bound is not None:
                yield module.whole(bound, "")


def zero_iteration(module: Module, node: ast.AST) -> Iterator[Change]:
    """A loop over nothing."""
    if isinstance(node, ast.For):
        yield module.whole(node.iter, "()")


OPERATORS: dict[str, Callable[[Module, ast.AST], Iterator[Change]]] = {
    operator.__name__.replace("_", "-"): operator
    for operator in (
        relational_operator, logical_connector, negation_deletion, condition_negation, constant_replacement,
        arithmetic_operator, break_continue, statement_deletion, return_value, argument_swap, min_max, slice_bound,
        zero_iteration,
    )
}  # fmt: skip


def sample(mutants: list[Mutant], seed: int) -> list[Mutant]:
    """All of them in an order whose every beginning is spread over files and operators."""
    return spread(mutants, lambda mutant: (mutant.file, mutant.operator), lambda mutant: mutant.id, seed)
