"""Reads a function's zip: which modules it has, and what the handler's module does. Nothing is imported."""

import ast
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http import HTTPStatus
from pathlib import Path

from payinfra.checks.manifest import Missing, Resource, Unreadable

_MOST_SOURCE = 2_000_000
_MOST_MODULES = 200


@dataclass(frozen=True)
class UnreadableSource:
    """Why code cannot be judged.

    Attributes:
        why: in words.
        broken: whether it is surely wrong, not only unknown here.
        planned: whether the zip is only made while Terraform plans.
        in_zip: whether it is about a module that the zip has.
    """

    why: str
    broken: bool
    planned: bool = False
    in_zip: bool = True


@dataclass(frozen=True, eq=False)
class Package:
    """A zip's own Python source files, by their names in it; one object a zip: answers can be kept."""

    sources: dict[str, str]

    @cached_property
    def words(self) -> frozenset[str]:
        """Every name and word in the sources."""
        return frozenset(word for source in self.sources.values() for word in _WORD.findall(source))


_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Handler:
    """A handler that was found.

    Attributes:
        file: its module's file in the zip.
        function: the name in the module.
        package: the zip that it is in.
    """

    file: str
    function: str
    package: Package

    @property
    def tree(self) -> ast.Module:
        """The module's syntax tree."""
        return _parse(self.package.sources[self.file])


CODE_IN_S3 = "the code is in S3, not beside this file"
CODE_IN_IMAGE = "the code is in a container image"


def is_image(function: Resource) -> bool:
    """Whether a function's code is a container image."""
    return function.text("package_type") == "Image" or function.has("image_uri")


def has_layers(function: Resource) -> bool:
    """Whether a function's code has parts beside its zip."""
    layers = function.texts("layers")
    return not isinstance(layers, Missing) and layers != ()


def _is_archived(function: Resource) -> bool:
    """Whether the archive provider makes the function's zip."""
    return any(one.kind in _ARCHIVES for one in function.references("filename"))


_ARCHIVES = ("data.archive_file", "archive_file")


def handler_of(function: Resource) -> Handler | UnreadableSource:
    """The handler of a Python function, looked for in its zip."""
    runtime, handler = function.text("runtime"), function.text("handler")
    file = function.file("filename")
    if isinstance(file, Unreadable):
        if _is_archived(function):
            return UnreadableSource("the zip is made while Terraform plans", broken=False, planned=True)
        if isinstance(file, Missing) and function.has("s3_key"):
            return UnreadableSource(CODE_IN_S3, broken=False)
        if isinstance(file, Missing) and is_image(function):
            return UnreadableSource(CODE_IN_IMAGE, broken=False)
        return UnreadableSource(file.why, broken=isinstance(file, Missing))
    package = _open(file)
    if isinstance(package, UnreadableSource) and not file.exists() and _is_archived(function):
        return UnreadableSource("the zip is made while Terraform plans", broken=False, planned=True)
    if isinstance(package, UnreadableSource):
        makers = function.references("filename")
        if makers and not file.exists():
            return UnreadableSource(
                f"the zip is made by ${{{makers[0].address}}}, and is not there yet", broken=False
            )
        return package
    for gap in (runtime, handler):
        if isinstance(gap, Unreadable):
            return UnreadableSource(gap.why, broken=isinstance(gap, Missing))
    if not str(runtime).startswith("python"):
        return UnreadableSource(f"only Python is read, the runtime is {runtime}", broken=False)
    found = _find(package, str(handler))
    if isinstance(found, UnreadableSource) and not found.in_zip and has_layers(function):
        return UnreadableSource(f"{found.why}: one of its layers may have it", broken=False)
    return found


def _find(package: Package, handler: str) -> Handler | UnreadableSource:
    module, dot, function = handler.rpartition(".")
    if not (dot and module and function):
        return UnreadableSource(f"the handler {handler!r} is no module and function", broken=True)
    stem = module.replace(".", "/")
    for file in (f"{stem}.py", f"{stem}/__init__.py"):
        if file in package.sources:
            break
    else:
        return UnreadableSource(f"the zip has no module {module}", broken=True, in_zip=False)
    try:
        tree = _parse(package.sources[file])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return UnreadableSource(f"{file} is not Python: {error}", broken=True)
    names = set(_names(tree))
    if function in names:
        return Handler(file, function, package)
    if "*" in names:
        return UnreadableSource(
            f"{file} imports all of another module: {function} may be in it", broken=False
        )
    return UnreadableSource(f"{file} has no function {function}", broken=True)


_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _names(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines at its top level."""
    todo: list[ast.AST] = [*tree.body]
    while todo:
        match todo.pop():
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.AnnAssign(value=None):
                pass
            case node if not isinstance(node, _SCOPES):
                todo += ast.iter_child_nodes(node)


def _open(file: Path) -> Package | UnreadableSource:
    try:
        status = file.stat()
    except (OSError, ValueError):
        return UnreadableSource(f"there is no file {file}", broken=True)
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read(file: Path, _changed_ns: int, _size: int) -> Package | UnreadableSource:
    """The zip's content, remembered until the file changes: several functions share one."""
    try:
        return _unpacked(file.read_bytes())
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        return UnreadableSource(f"{file} is no zip that can be read: {error}", broken=True)


@lru_cache(maxsize=8)
def _unpacked(content: bytes) -> Package:
    """One package for the same bytes: each stack has a copy of its own, and judging one takes a while."""
    sources: dict[str, str] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        vendored = _vendored(info.filename for info in infos)
        own = [
            info for info in infos if info.filename.endswith(".py") and _top(info.filename) not in vendored
        ]
        for info in own[:_MOST_MODULES]:
            if info.file_size <= _MOST_SOURCE:
                sources[info.filename] = archive.read(info).decode("utf-8", "replace")
    return Package(sources)


def _top(filename: str) -> str:
    return filename.partition("/")[0].removesuffix(".py")


def _vendored(files: Iterable[str]) -> frozenset[str]:
    """The packages that are not the function's own: they leave a dist-info folder, or are well known."""
    installed = {
        match[1].replace("-", "_").lower() for file in files if (match := _DIST_INFO.match(file)) is not None
    }
    return frozenset(installed | _WELL_KNOWN)


_DIST_INFO = re.compile(r"([^/]+?)-[^/-]+\.dist-info/")
_WELL_KNOWN = frozenset(
    {
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "fastjsonschema",
        "jmespath",
        "s3transfer",
        "typing_extensions",
    }
)


@lru_cache(maxsize=64)
def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        # What the compiler thinks of somebody's escapes is not for this terminal.
        warnings.simplefilter("ignore")
        return ast.parse(source)


CLIENT_ERRORS = frozenset(
    {
        "BadRequestError",
        "ForbiddenError",
        "NotFoundError",
        "RequestEntityTooLargeError",
        "UnauthorizedError",
    }
)


def parsed(source: str) -> ast.Module | None:
    """The syntax tree; None for what is not Python, which the function would fail on by itself."""
    try:
        return _parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass(frozen=True)
class ClientErrorAnswer:
    """A client error that code can answer with: where, and which."""

    file: str
    line: int
    status: str


@lru_cache(maxsize=64)
def refusal(handler: Handler) -> ClientErrorAnswer | None:
    """The first client error in the handler's module, or else in a module of its own that it uses."""
    seen: set[str] = set()
    todo = [handler.file]
    while todo:
        file = todo.pop(0)
        if file in seen:
            continue
        seen.add(file)
        source = handler.package.sources[file]
        tree = parsed(source)
        if tree is None:
            continue
        for node in _answers(tree) if _MAYBE_REFUSES.search(source) else ():
            status = _client_error(node)
            if status:
                return ClientErrorAnswer(file, getattr(node, "lineno", 0), status)
        todo += imports(tree, file, handler.package)
    return None


_MAYBE_REFUSES = re.compile(
    r"\b4\d\d\b|HTTPStatus|HTTP_4\d\d_|(?:Request|Forbidden|Found|TooLarge|Unauthorized)\w*Error"
)
_NO_ANSWER = (ast.Compare, ast.BinOp, ast.Slice, ast.MatchValue)
"""What a number in it is compared or computed with."""

_WAITS = frozenset({"randint", "range", "sleep", "uniform", "wait"})
_AMOUNTS = frozenset(
    {
        *("age", "amount", "attempts", "batch", "bytes", "chunk", "count", "days", "delay", "depth"),
        *("height", "hours", "interval", "length", "limit", "max", "min", "minutes", "ms", "page", "port"),
        *("retries", "seconds", "size", "timeout", "ttl", "weight", "width"),
    }
)
"""Words in the names of numbers that are no status."""

_TOO_MANY = 429


def _answers(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that may be a status that is answered with, in the order of the code."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        left_out: set[int] = set()
        match node:
            case ast.Dict(keys=keys, values=values):
                named = zip(map(_text_of, keys), values, strict=True)
                left_out = {id(value) for name, value in named if _is_amount(name, value)}
            case ast.Assign(targets=[ast.Name(id=name), *_], value=value) if _is_amount(name, value):
                left_out = {id(value)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _is_amount(
                name, value
            ):
                left_out = {id(value)}
            case ast.keyword(arg=str(name), value=value) if _is_amount(name, value):
                left_out = {id(value)}
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _WAITS:
                continue
            case _:
                pass
        inner = [*ast.iter_child_nodes(node)]
        todo += [
            one for one in reversed(inner) if not isinstance(one, _NO_ANSWER) and id(one) not in left_out
        ]


def _is_amount(name: str, value: ast.expr) -> bool:
    """Whether a number is an amount by its name. What goes beyond a limit may be answered with 429."""
    return (
        isinstance(value, ast.Constant)
        and value.value != _TOO_MANY
        and any(word.lower() in _AMOUNTS for word in _NAME_PARTS.findall(name))
    )


_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def _text_of(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _client_error(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=int(status)) if 400 <= status <= 499:
            return str(status)
        case ast.Constant(value=str(status)) if _STATUS.fullmatch(status):
            return status
        case ast.Attribute(value=ast.Name(id="HTTPStatus") | ast.Attribute(attr="HTTPStatus"), attr=name) if (
            name in _CLIENT_STATUSES
        ):
            return name
        case ast.Attribute(attr=name) | ast.Name(id=name) if _NAMED_STATUS.match(name):
            return name
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in CLIENT_ERRORS:
            return name
        case _:
            return ""


_STATUS = re.compile(r"4\d\d")
_NAMED_STATUS = re.compile(r"HTTP_4\d\d_")
_CLIENT_STATUSES = frozenset(
    {
        *(name for name, status in HTTPStatus.__members__.items() if 400 <= status <= 499),
        # The names of Python 3.13 and of the versions before it.
        *("CONTENT_TOO_LARGE", "REQUEST_ENTITY_TOO_LARGE", "UNPROCESSABLE_CONTENT", "UNPROCESSABLE_ENTITY"),
    }
)


def imports(tree: ast.Module, file: str, package: Package) -> Iterator[str]:
    """The files of the modules in the same zip that a module imports."""
    folder = file.rpartition("/")[0]
    # Imports inside functions are left out: a whole walk over every module costs more than all other checks.
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = folder.split("/")[: len(folder.split("/")) - node.level + 1] if folder else []
                base = ".".join([*up, *([base] if base else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            stem = name.replace(".", "/")
            yield from (one for one in (f"{stem}.py", f"{stem}/__init__.py") if one in package.sources)


def mentions(handler: Handler, names: tuple[str, ...]) -> bool:
    """Whether the function's own code has one of these names in it, as a call or in a text (`getattr`)."""
    return not handler.package.words.isdisjoint(names)
