"""A folder of Python files, parsed, and the shape of a check over it."""

import ast
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from payinfra.checks.verdicts import Rule, Severity, Verdict, Verdicts
from payinfra.core.errors import EnvironmentUnusable

_LEFT_OUT = frozenset({"__pycache__", "node_modules", "build", "dist", "cdktf.out", "site-packages", "venv"})
_MOST_FILES = 20_000


@dataclass(frozen=True)
class SourceFile:
    """One Python file.

    Attributes:
        path: where it is.
        shown: its path from the folder that was given, with `/`.
        text: its text; empty where it could not be read.
        tree: what it parses to; None where it does not.
        problem: why it does not; empty where it does.
    """

    path: Path
    shown: str
    text: str
    tree: ast.Module | None
    problem: str

    @property
    def is_test(self) -> bool:
        """Whether pytest's default patterns take it for a test module."""
        name = self.path.name
        return name.startswith("test_") or name.endswith("_test.py")

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, outermost first; none where it does not parse."""
        return tuple(ast.walk(self.tree)) if self.tree is not None else ()

    def unparsed(self) -> Verdict:
        """That nothing can be said about this file."""
        return Verdict.unknown(self.problem, file=self.shown)


@dataclass(frozen=True)
class SourceTree:
    """The Python files below a folder, sorted by path."""

    root: Path
    files: tuple[SourceFile, ...]


SourceJudge = Callable[[SourceTree], Verdicts]


@dataclass(frozen=True)
class SourceCheck:
    """A check of a whole folder; call it as the function it was made from."""

    rule: Rule
    judge: SourceJudge

    def __call__(self, tree: SourceTree) -> Verdicts:
        """Judge the folder."""
        return self.judge(tree)


def source_check(
    *, id: str, title: str, severity: Severity, risk: str, fix: str
) -> Callable[[SourceJudge], SourceCheck]:
    """Make a source check out of a function, which gives at least one verdict, each with its file.

    Raises:
        ValueError: the id is malformed or a text is empty.
    """
    rule = Rule(id, title, severity, risk, fix)
    return lambda judge: SourceCheck(rule, judge)


def read_tree(root: Path, most_files: int = _MOST_FILES) -> SourceTree:
    """Read and parse every Python file below a folder; hidden and generated folders are left out.

    Raises:
        EnvironmentUnusable: it is no folder, or has no Python file (or more than 20,000).
    """
    if not root.is_dir():
        raise EnvironmentUnusable(f"{root} is no folder.", "Give the folder that holds the project's code.")
    paths = sorted(_python_files(root))
    if not paths:
        raise EnvironmentUnusable(f"{root} has no Python file: there is nothing to check.")
    if len(paths) > most_files:
        raise EnvironmentUnusable(
            f"{root} has {len(paths)} Python files.", "Give the folder of one project, not of its packages."
        )
    return SourceTree(root, tuple(read_file(path, path.relative_to(root).as_posix()) for path in paths))


def has_python(root: Path) -> bool:
    """Whether there is a Python file below a folder."""
    return next(_python_files(root), None) is not None


def read_file(path: Path, shown: str) -> SourceFile:
    """Read and parse one file; what goes wrong is kept in its `problem`."""
    try:
        text = path.read_bytes()
    except OSError as problem:
        return SourceFile(path, shown, "", None, f"cannot be read: {problem.strerror}")
    try:
        # From bytes, so that Python itself looks for the file's encoding.
        tree = ast.parse(text, filename=shown)
    except SyntaxError as problem:
        return SourceFile(path, shown, "", None, f"is no Python: {problem.msg} in line {problem.lineno}")
    except (ValueError, RecursionError, MemoryError) as problem:
        return SourceFile(path, shown, "", None, f"is no Python: {problem}")
    return SourceFile(path, shown, text.decode("utf-8", "replace"), tree, "")


def _python_files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [one for one in folders if one not in _LEFT_OUT and not one.startswith(".")]
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        yield from (here / name for name in names if name.endswith(".py"))
