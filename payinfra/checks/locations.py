"""Where in somebody's sources a resource was made, as a path from the root of the repository.

In this order: the line of the HCL that a plan was made from; the stack trace that CDKTF keeps of TypeScript
in a resource's metadata; the Python below a source folder that makes a construct of the resource's class
under its id.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from payinfra.checks.manifest import Resource
from payinfra.checks.source.model import SourceFile

_FRAME = re.compile(r'(?:\(|^|File "| )(?P<file>(?:/|[A-Za-z]:[\\/])[^():"]+)(?:"?, line |:)(?P<line>\d+)')
_NOT_OURS = re.compile(r"[\\/](?:node_modules|jsii-kernel-[^\\/]*|site-packages|dist-packages)[\\/]")
_WHOLE = 1_000
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Location:
    """A file, as a path from the root of its repository, and the line in it, from 1."""

    file: str = ""
    line: int = 0


NOWHERE = Location()


class Locator:
    """Finds where resources are made.

    Args:
        files: the Python files to look through.
    """

    def __init__(self, files: tuple[SourceFile, ...] = ()) -> None:
        self._files = files

    def of(self, resource: Resource) -> Location:
        """Where a resource is made; NOWHERE where that is not known."""
        file, line = resource.source
        if file and line:
            return Location(from_repository(Path(file)), line)
        trace = resource.raw("//.metadata.stackTrace")
        for frame in trace if isinstance(trace, list) else ():
            match = _FRAME.search(frame) if isinstance(frame, str) else None
            if match is not None and not _NOT_OURS.search(match["file"]):
                return Location(from_repository(Path(match["file"])), int(match["line"]))
        found = self._in_python(resource) if resource.construct and self._files else NOWHERE
        # A file that a program wrote has no lines for a reader: it is named where nothing else is known.
        return Location(from_repository(Path(file))) if file and found == NOWHERE else found

    def _in_python(self, resource: Resource) -> Location:
        wanted = resource.construct.split("/")
        classes = _classes(resource)
        made = [one for name in classes for one in self._calls.get(name, ())]
        best = max((one.fit(wanted[-1]) for one in made), default=0)
        fitting = [one for one in made if best and one.fit(wanted[-1]) == best]
        if len({one.place for one in fitting}) > 1 and len(wanted) > 1:
            fitting = [one for one in fitting if self._is_made_as(one.within, wanted[-2])] or fitting
        places = {one.place for one in fitting}
        # A line that may be another's is worse than none.
        return Location(*next(iter(places))) if len(places) == 1 else NOWHERE

    def _is_made_as(self, name: str, id_: str) -> bool:
        return any(one.fit(id_) for one in self._calls.get(name, ()))

    @cached_property
    def _calls(self) -> dict[str, list["_Made"]]:
        """What may be constructs being made, by the name of the class."""
        found: dict[str, list[_Made]] = {}
        calls = [call for file in self._files for call in _calls_in(file)]
        named: dict[str, list[_Call]] = {}
        for call in calls:
            named.setdefault(call.name, []).append(call)
        for call in calls:
            ids = [one for argument in call.ids() for one in _constants(argument, call, named)]
            if call.name[:1].isupper():
                found.setdefault(call.name, []).append(_Made(tuple(ids), call.within, call.place))
        return found


@dataclass(frozen=True)
class _Made:
    """A call that makes a construct: what may be its id, the class that it stands in, and its place."""

    ids: tuple[str, ...]
    within: str
    place: tuple[str, int]

    def fit(self, id_: str) -> int:
        """How well an id fits: as a whole, as the end, not known because it is no text, or not at all."""
        plain = _plain(id_)
        if any(re.fullmatch(one, plain) for one in self.ids):
            return _WHOLE
        ends = [len(one) for one in self.ids if re.search(f"_{one}$", plain)]
        return max(ends) if ends else 0 if self.ids else 1


@dataclass(frozen=True)
class _Call:
    """A call, the class and the function that it stands in, and its place."""

    name: str
    node: ast.Call
    within: str
    function: ast.FunctionDef | None
    place: tuple[str, int]

    def ids(self) -> Iterator[ast.expr]:
        """What may hold a construct's id: the first arguments, those in `*self.at("x")`, `id` and `id_`."""
        for argument in self.node.args[:2]:
            if isinstance(argument, ast.Starred):
                if isinstance(argument.value, ast.Call):
                    yield from argument.value.args[:2]
            else:
                yield argument
        yield from (keyword.value for keyword in self.node.keywords if keyword.arg in ("id", "id_"))


def _calls_in(file: SourceFile) -> Iterator[_Call]:
    if file.tree is None:
        return
    shown = from_repository(file.path)
    todo: list[tuple[ast.AST, str, ast.FunctionDef | None]] = [(file.tree, "", None)]
    while todo:
        node, within, function = todo.pop()
        if isinstance(node, ast.ClassDef):
            within = node.name
        elif isinstance(node, ast.FunctionDef):
            function = node
        todo += ((child, within, function) for child in ast.iter_child_nodes(node))
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            if isinstance(name, str):
                yield _Call(name, node, within, function, (shown, node.lineno))


def _constants(argument: ast.expr, call: _Call, named: dict[str, list[_Call]]) -> Iterator[str]:
    """Patterns of what an argument may be; that of a helper's parameter, what the helper is called with."""
    match argument:
        case ast.Constant(str(text)):
            yield re.escape(_plain(text))
        case ast.JoinedStr(parts) if any(isinstance(part, ast.Constant) for part in parts):
            # What an f-string puts in may be anything.
            pieces = (
                re.escape(_plain(str(part.value))) if isinstance(part, ast.Constant) else ".+"
                for part in parts
            )
            yield "".join(pieces)
        case ast.Name(name) if call.function is not None and call.function.name != "__init__":
            parameters = [one.arg for one in call.function.args.args if one.arg not in ("self", "cls")]
            if name in parameters:
                position = parameters.index(name)
                for other in named.get(call.function.name, ()):
                    for given in other.node.args[position : position + 1]:
                        if isinstance(given, ast.Constant) and isinstance(given.value, str):
                            yield re.escape(_plain(given.value))


def _plain(text: str) -> str:
    return _SEPARATORS.sub("_", text).lower()


def _classes(resource: Resource) -> tuple[str, ...]:
    """The names that CDKTF's bindings give the class of a type: `S3Bucket`, or `S3BucketA` beside another."""
    words = resource.type.split("_")
    own = "".join(word.capitalize() for word in words[1:])
    if resource.kind.startswith("data."):
        own = f"Data{words[0].capitalize()}{own}"
    return own, f"{own}A"


@lru_cache(maxsize=4096)
def from_repository(path: Path) -> str:
    """A path as it stands in its repository; without one, from the current folder or as it is."""
    try:
        absolute = path.resolve()
    except (OSError, ValueError):  # no system takes it
        return path.as_posix()
    root = next((folder for folder in absolute.parents if (folder / ".git").exists()), Path.cwd())
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else absolute.as_posix()
