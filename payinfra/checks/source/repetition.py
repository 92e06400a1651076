"""PI-DRY: what is made for one region is not written down again for the other."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from payinfra.checks.source.model import SourceFile, SourceTree, source_check
from payinfra.checks.verdicts import Severity, Verdict

_FEWEST_IN_A_ROW = 3
_LARGE = 40
"""Constructs in a row, or syntax nodes in one construct, from which a repetition is worth a function."""
_MOST_IN_A_ROW = 30
"""Longer blocks are told in pieces, so that time grows with a file's length and not with its square."""


@dataclass(frozen=True)
class _Construct:
    """One call that makes a construct: `Name(scope, "id", ...)`."""

    file: SourceFile
    line: int
    shape: str
    size: int


@source_check(
    id="PI-DRY-001",
    title="No block of constructs is written twice",
    severity=Severity.LOW,
    risk="A change reaches one region's copy and not the other's.",
    fix="Make a construct or function of the block and call it once for each region.",
)
def blocks_are_written_once(tree: SourceTree) -> Iterator[Verdict]:
    """Compare constructs by their shape: the same class with the same arguments, names and texts aside."""
    yield from (file.unparsed() for file in tree.files if file.tree is None)
    runs = [run for file in tree.files if not file.is_test for run in _runs(file)]
    if not runs:
        yield Verdict.not_applicable("no file makes constructs")
        return
    repeated = tuple(_repetitions(runs))
    yield from repeated
    if not repeated:
        yield Verdict.passed()


def _repetitions(runs: list[list[_Construct]]) -> Iterator[Verdict]:
    """The longest repetition at each place, and none inside another."""
    first: dict[tuple[str, ...], _Construct] = {}
    for run in runs:
        position = 0
        while position < len(run):
            length, origin = _longest(run, position, first)
            if origin is not None:
                here = run[position]
                what = f"{length} constructs" if length > 1 else "a construct"
                yield Verdict.failed(
                    f"{what} in the shape of {origin.file.shown}:{origin.line}",
                    file=here.file.shown,
                    line=here.line,
                )
            for end in range(position + 1, position + max(length, 1) + 1):
                _remember(run, end, first)
            position += max(length, 1)


def _longest(
    run: list[_Construct], position: int, first: dict[tuple[str, ...], _Construct]
) -> tuple[int, _Construct | None]:
    """How many constructs from here on repeat earlier ones, and where those begin."""
    length, origin = 0, None
    if run[position].size >= _LARGE and (run[position].shape,) in first:
        length, origin = 1, first[(run[position].shape,)]
    end = position + _FEWEST_IN_A_ROW
    while end <= min(len(run), position + _MOST_IN_A_ROW):
        found = first.get(tuple(one.shape for one in run[position:end]))
        if found is None:
            break
        length, origin = end - position, found
        end += 1
    return length, origin


def _remember(run: list[_Construct], end: int, first: dict[tuple[str, ...], _Construct]) -> None:
    """Note every stretch that ends here."""
    for start in range(max(0, end - _MOST_IN_A_ROW), end):
        if end - start == 1 or end - start >= _FEWEST_IN_A_ROW:
            first.setdefault(tuple(one.shape for one in run[start:end]), run[start])


def _runs(file: SourceFile) -> Iterator[list[_Construct]]:
    """The constructs that each body of statements makes, in order."""
    for node in file.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            run = [made for statement in node.body for made in _made_by(statement, file)]
            if run:
                yield run


def _made_by(statement: ast.stmt, file: SourceFile) -> Iterator[_Construct]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call) and _makes_construct(value):
        yield _Construct(file, value.lineno, _shape(value), sum(1 for _ in ast.walk(value)))
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            yield from _made_by(child, file)


def _makes_construct(call: ast.Call) -> bool:
    """`Name(scope, "id", ...)`: a class, called with a scope and an id, as every construct is."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if not name[:1].isupper() or len(call.args) < 2:
        return False
    scope, identifier = call.args[:2]
    is_text = isinstance(identifier, ast.JoinedStr) or (
        isinstance(identifier, ast.Constant) and isinstance(identifier.value, str)
    )
    return is_text and isinstance(scope, ast.Name | ast.Attribute)


def _shape(node: ast.AST) -> str:
    """The call with every text and every variable blanked, so that two regions' copies look alike."""
    parts: list[str] = []
    _describe(node, parts)
    return " ".join(parts)


def _describe(node: ast.AST, parts: list[str]) -> None:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            parts.append("text")
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
            parts.append(f"{name}(")
            for part in (*args, *sorted(keywords, key=lambda one: one.arg or "")):
                _describe(part, parts)
            parts.append(")")
        case ast.keyword(arg=name, value=value):
            parts.append(f"{name}=")
            _describe(value, parts)
        case ast.Name() | ast.Attribute():
            parts.append("name")
        case ast.Constant(value=value):
            parts.append(repr(value))
        case _:
            parts.append(type(node).__name__)
            for child in ast.iter_child_nodes(node):
                _describe(child, parts)
            parts.append(";")
