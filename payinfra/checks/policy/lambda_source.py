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
    """

    why: str
    broken: bool
    planned: bool = False


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
    return _find(package, str(handler))


def _find(package: Package, handler: str) -> Handler | UnreadableSource:
    module, dot, function = handler.rpartition(".")
    if not (dot and module and function):
        return UnreadableSource(f"the handler {handler!r} is no module and function", broken=True)
    stem = module.replace(".", "/")
    for file in (f"{stem}.py", f"{stem}/__init__.py"):
        if file in package.sources:
            break
    else:
        return UnreadableSource(f"the zip has no module {module}", broken=True)
    try:
        tree = _parse(package.sources[file])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return UnreadableSource(f"{file} is not Python: {error}", broken=True)
    names = set(_names(tree.body))
    if function in names:
        return Handler(file, function, package)
    if "*" in names:
        return UnreadableSource(
            f"{file} imports all of another module: {function} may be in it", broken=False
        )
    return UnreadableSource(f"{file} has no function {function}", broken=True)


def _names(body: list[ast.stmt]) -> Iterator[str]:
    """The names that a module defines at its top level."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)
            case ast.If(body=inner, orelse=other):
                yield from _names([*inner, *other])
            case ast.Try(body=inner, handlers=handlers, orelse=other):
                yield from _names([*inner, *other, *(one for each in handlers for one in each.body)])
            case _:
                pass


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


_BROAD = frozenset({"Exception", "BaseException"})
_AWS = frozenset({"ClientError", "BotoCoreError"})
_VALUES = frozenset({"ValueError", "JSONDecodeError", "TypeError", "KeyError", "ValidationError"})
_CLIENT_ERRORS = frozenset(
    {
        "BadRequestError",
        "ForbiddenError",
        "NotFoundError",
        "RequestEntityTooLargeError",
        "UnauthorizedError",
    }
)


@dataclass(frozen=True)
class Catches:
    """What a module catches, and what in it can fail.

    Attributes:
        caught: the names of the exceptions with a handler that does something.
        calls_aws, reads_json: what can fail.
    """

    caught: frozenset[str]
    calls_aws: bool
    reads_json: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """What can fail and is not caught, in words."""
        if self.caught & _BROAD:
            return ()
        missing = []
        if self.calls_aws and not self.caught & _AWS:
            missing.append("errors of AWS calls (ClientError)")
        if self.reads_json and not self.caught & _VALUES:
            missing.append("malformed input (ValueError)")
        if not self.caught:
            missing.append("any exception")
        return tuple(missing)


@lru_cache(maxsize=64)
def catches(handler: Handler) -> Catches:
    """Look for `except` clauses and for Powertools' exception handlers in the handler's module.

    A handler that only puts parts together leaves it to them: the modules of its own that it imports count.
    """
    caught: set[str] = set()
    calls_aws = reads_json = False
    for file in dict.fromkeys((handler.file, *_imports(handler.tree, handler.file, handler.package))):
        source = handler.package.sources[file]
        calls_aws |= _AWS_IMPORT.search(source) is not None
        reads_json |= "json.loads(" in source
        tree = _parsed(source) if "except" in source else None
        if tree is not None:
            caught |= set(_caught(tree))
    return Catches(frozenset(caught), calls_aws, reads_json)


def _caught(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ExceptHandler(body=body) if all(isinstance(one, ast.Pass) for one in body):
                pass
            case ast.ExceptHandler(type=None):
                yield "BaseException"
            case ast.ExceptHandler(type=ast.expr() as kind):
                yield from _last_names(kind)
            case ast.Call(func=ast.Attribute(attr="exception_handler"), args=[kind, *_]):
                yield from _last_names(kind)
            case _:
                pass


def _parsed(source: str) -> ast.Module | None:
    """The syntax tree; None for what is not Python, which the function would fail on by itself."""
    try:
        return _parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_AWS_IMPORT = re.compile(r"^\s*(?:import boto3|from (?:boto3|botocore)\b)", re.MULTILINE)


def _last_names(node: ast.expr) -> Iterator[str]:
    """`ClientError` of `botocore.exceptions.ClientError`; each of a tuple or list."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield name
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _last_names(item)
        case _:
            pass


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
        tree = _parsed(source)
        if tree is None:
            continue
        for node in ast.walk(tree) if _MAYBE_REFUSES.search(source) else ():
            status = _client_error(node)
            if status:
                return ClientErrorAnswer(file, getattr(node, "lineno", 0), status)
        todo += _imports(tree, file, handler.package)
    return None


_MAYBE_REFUSES = re.compile(r"\b4\d\d\b|HTTPStatus|(?:Request|Forbidden|Found|TooLarge|Unauthorized)\w*Error")


def _client_error(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=int(status)) if 400 <= status <= 499:
            return str(status)
        case ast.Attribute(value=ast.Name(id="HTTPStatus"), attr=name) if name in _CLIENT_STATUSES:
            return name
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _CLIENT_ERRORS:
            return name
        case _:
            return ""


_CLIENT_STATUSES = frozenset(
    {
        "BAD_REQUEST",
        "CONFLICT",
        "FORBIDDEN",
        "METHOD_NOT_ALLOWED",
        "NOT_FOUND",
        "REQUEST_ENTITY_TOO_LARGE",
        "TOO_MANY_REQUESTS",
        "UNAUTHORIZED",
        "UNPROCESSABLE_ENTITY",
        "UNSUPPORTED_MEDIA_TYPE",
    }
)


def _imports(tree: ast.Module, file: str, package: Package) -> Iterator[str]:
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
