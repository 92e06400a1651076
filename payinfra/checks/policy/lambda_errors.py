"""What a function's code does with the exceptions of its calls and of its input. Nothing is run.

The handler is followed into the functions that it calls, by their names, through the modules that it imports.
On the way each `try`, `with` and decorator adds what it catches; where the code reads JSON, something must
catch what that raises. What is called through a name that only exists while the code runs is not followed:
there an `except` anywhere in the modules counts.
"""

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from payinfra.checks.policy.lambda_source import CLIENT_ERRORS, Handler, imports, parsed

_BROAD = frozenset({"Exception", "BaseException"})
_AWS = frozenset({"ClientError"})
"""What AWS answers with. `BotoCoreError` is what botocore raises by itself, and is no parent of it."""
_VALUES = frozenset({"ValueError", "JSONDecodeError"})
_MODELS = _VALUES | {"ValidationError"}
_ANSWERED = CLIENT_ERRORS | {"HTTPException", "InternalServerError", "ServiceError"}
"""What Powertools, Chalice and FastAPI turn into an answer."""

_AWS_IMPORT = re.compile(
    r"^\s*(?:import\s+(?:[\w. ]+,\s*)*|from\s+)(?:aio)?(?:boto3|botocore)\b", re.MULTILINE
)
_READS_MODELS = frozenset({"model_validate_json", "parse_raw"})
_OWN_TEXT = re.compile(r"environ|getenv|secret|config|parameter|schema|read_text|dumps", re.IGNORECASE)
"""In what is read: a text that the deployment or the code itself wrote."""

_ROUTES = frozenset({"delete", "get", "head", "options", "patch", "post", "put", "resolver", "route"})
_HANDLERS = frozenset({"errorhandler", "exception_handler"})
_TRANSPARENT = _ROUTES | {
    *("cache", "cached_property", "classmethod", "contextmanager", "lru_cache", "override", "property"),
    *("staticmethod", "wraps", "dataclass", "capture_lambda_handler", "capture_method", "event_parser"),
    *("event_source", "idempotent", "inject_lambda_context", "log_metrics", "metric_scope", "validator"),
}
"""Decorators that let exceptions through. One of a library that is not known here may catch them."""

_COMMON = frozenset(
    {
        *("add", "append", "close", "copy", "count", "decode", "encode", "format", "get", "index", "items"),
        *("join", "keys", "load", "pop", "put", "read", "remove", "send", "set", "split", "update"),
        *("values", "write"),
    }
)
"""Names that dicts, lists, texts and files have methods of: one's own is followed after `self` only."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Names = frozenset[str]


@dataclass(frozen=True)
class Catches:
    """What a handler catches, and what in it can fail.

    Attributes:
        caught: the names of the exceptions with an `except` that does something.
        calls_aws: whether it can fail in AWS.
        open_input: whether it reads input where nothing catches what is malformed.
        around: what decorators, context managers and batch processors catch of what they call.
    """

    caught: Names
    calls_aws: bool
    open_input: bool
    around: Names = frozenset()

    @property
    def missing(self) -> tuple[str, ...]:
        """What can fail and is not caught, in words."""
        missing = []
        caught = self.caught | self.around
        if self.calls_aws and not caught & (_AWS | _BROAD):
            missing.append("errors of AWS calls (ClientError)")
        if self.open_input:
            missing.append("malformed input (ValueError)")
        if not caught:
            missing.append("any exception")
        return tuple(missing)


@lru_cache(maxsize=64)
def catches(handler: Handler) -> Catches:
    """Follow a handler through its module and those of its own that it imports."""
    modules: list[_Module] = []
    calls_aws = False
    for file in dict.fromkeys((handler.file, *imports(handler.tree, handler.file, handler.package))):
        source = handler.package.sources[file]
        calls_aws |= _AWS_IMPORT.search(source) is not None
        tree = parsed(source)
        if tree is not None:
            modules.append(_Module(tree, _other_names(tree)))
    caught = frozenset(name for one in modules for name in _caught(one))
    walk = _Walk(modules)
    walk.follow(handler.function)
    around = frozenset(name for _, names in walk.seen for name in names)
    return Catches(caught, calls_aws, walk.is_open(caught), around - caught)


@dataclass(frozen=True, eq=False)
class _Module:
    """A module, and what its own names for exceptions mean."""

    tree: ast.Module
    meant: Mapping[str, tuple[str, ...]]


@dataclass
class _Walk:
    """Follows calls with what is caught around them."""

    modules: Sequence[_Module]
    functions: dict[str, list[tuple[_Function, _Module]]] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    variables: dict[str, list[tuple[ast.expr, _Module]]] = field(default_factory=dict)
    registered: Names = frozenset()
    around_routes: Names = frozenset()
    reads: dict[int, tuple[Names, Names | None]] = field(default_factory=dict)
    seen: set[tuple[int, Names]] = field(default_factory=set)
    entry: _Function | None = None

    def __post_init__(self) -> None:
        for module in self.modules:
            for node in ast.walk(module.tree):
                match node:
                    case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                        self.functions.setdefault(name, []).append((node, module))
                    case ast.ClassDef(name=name, bases=bases):
                        self.classes[name] = [base for one in bases for base in _last_names(one, {})]
                    case ast.Call(func=ast.Attribute(attr=attr), args=[kind, *_]) if attr in _HANDLERS:
                        self.registered |= set(_last_names(kind, module.meant))
                    case ast.Call(func=ast.Attribute(attr="use"), keywords=keywords):
                        self.registered |= self._middlewares(keywords)
                    case _:
                        pass
                if isinstance(node, ast.expr) and (wanted := _read(node)):
                    self.reads[id(node)] = (wanted, None)
            for statement in module.tree.body:
                if isinstance(statement, ast.Assign):
                    for target in statement.targets:
                        for name in _last_names(target, {}):
                            self.variables.setdefault(name, []).append((statement.value, module))

    def follow(self, name: str) -> None:
        """Follow the handler, then the routes that a framework calls, then what is done on import."""
        nobody: Names = frozenset()
        found = self.functions.get(name, [])
        self.entry = found[0][0] if found else None
        self._named(name, nobody)
        for functions in self.functions.values():
            for function, module in functions:
                for decorator in function.decorator_list:
                    if isinstance(decorator, ast.Call) and _decorator_name(decorator) in _ROUTES:
                        more = self._middlewares(decorator.keywords)
                        self._function(function, module, self.around_routes | self.registered | more)
                        break
        for module in self.modules:
            for statement in module.tree.body:
                if not isinstance(statement, (*_FUNCTIONS, ast.ClassDef, ast.If)):
                    self._visit(statement, nobody, module, importing=True)

    def is_open(self, anywhere: Names) -> bool:
        """Whether input is read where nothing catches; for what was not reached, what is caught anywhere."""
        return any(
            not wanted & (anywhere if around is None else around) for wanted, around in self.reads.values()
        )

    def _named(self, name: str, around: Names) -> None:
        for function, module in self.functions.get(name, ()):
            self._function(function, module, around)
        if name in self.classes:
            self._named("__init__", around)
        if name not in self.functions:
            for value, module in self.variables.get(name, ()):
                if (id(value), around) not in self.seen:
                    self.seen.add((id(value), around))
                    self._visit(value, around, module)

    def _function(self, function: _Function, module: _Module, around: Names) -> None:
        around |= self._decorators(function)
        if (id(function), around) in self.seen:
            return
        self.seen.add((id(function), around))
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call):
                self._arguments(decorator, around, module)
        for statement in function.body:
            self._visit(statement, around, module, entry=function is self.entry)

    def _visit(
        self, node: ast.AST, around: Names, module: _Module, *, importing: bool = False, entry: bool = False
    ) -> None:
        here = self.reads.get(id(node))
        if here is not None:
            wanted, before = here
            # Of several ways here the one that catches least counts.
            self.reads[id(node)] = (wanted, around if before is None or not wanted & around else before)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return
            case ast.Lambda() if importing:
                return
            case ast.Try() | ast.TryStar():
                inside = around | self._handled(node, module, around, entry=entry)
                for one in node.body:
                    self._visit(one, inside, module, importing=importing, entry=entry)
                for part in (*node.handlers, *node.orelse, *node.finalbody):
                    self._visit(part, around, module, importing=importing, entry=entry)
                return
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                inside = around
                for item in items:
                    self._visit(item, around, module, importing=importing)
                    inside |= self._entered(item.context_expr, body, module, entry=entry)
                self.seen.add((id(node), inside))
                for one in body:
                    self._visit(one, inside, module, importing=importing, entry=entry)
                return
            case ast.Call():
                if isinstance(node.func, ast.Attribute) and node.func.attr == "resolve":
                    self.around_routes |= around
                self._visit(node.func, around, module)
                self._arguments(node, around, module, importing=importing)
                return
            case ast.Name(id=name, ctx=ast.Load()) if not importing:
                self._named(name, around)
            case ast.Attribute(attr=attr, value=value) if not importing and _is_own(attr, value):
                for function, owner in self.functions.get(attr, ()):
                    self._function(function, owner, around)
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            self._visit(child, around, module, importing=importing, entry=entry)

    def _arguments(self, call: ast.Call, around: Names, module: _Module, *, importing: bool = False) -> None:
        """What is handed over is called by whom it is handed to, inside of what that catches."""
        inside = around | self._wrapped(_decorator_name(call)) if isinstance(call.func, ast.Name) else around
        for one in call.args:
            self._visit(one, inside, module, importing=importing)
        for keyword in call.keywords:
            # Powertools' batch processor reports a record that raises, and goes on.
            batch = keyword.arg == "record_handler"
            caught = around | _BROAD if batch else inside
            self._visit(keyword.value, caught, module, importing=importing)

    def _decorators(self, function: _Function) -> Names:
        """What the decorators of a function catch of it."""
        found: set[str] = set()
        for decorator in function.decorator_list:
            name = _decorator_name(decorator)
            if name in self.functions or name in self.classes:
                found |= self._wrapped(name)
            elif name not in _TRANSPARENT and name not in _HANDLERS:
                found |= _BROAD
        return frozenset(found)

    def _wrapped(self, name: str) -> Names:
        """What a function of one's own catches of a function that it is given."""
        found: set[str] = set()
        for function, module in self.functions.get(name, ()):
            given = {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)}
            for node in ast.walk(function):
                if isinstance(node, ast.Try) and _calls_one_of(node.body, given):
                    found |= self._handled(node, module, frozenset())
        return frozenset(found | _BROAD) if name in self.classes else frozenset(found)

    def _middlewares(self, keywords: Sequence[ast.keyword]) -> Names:
        return frozenset(
            caught
            for keyword in keywords
            if keyword.arg == "middlewares"
            for name in _last_names(keyword.value, {})
            for caught in self._wrapped(name)
        )

    def _entered(self, context: ast.expr, body: Sequence[ast.stmt], module: _Module, *, entry: bool) -> Names:
        """What a context manager catches of its body."""
        name = _decorator_name(context)
        if name == "suppress" and isinstance(context, ast.Call):
            names = {one for given in context.args for one in _last_names(given, module.meant)}
            return frozenset() if entry and _returns(body) else frozenset(names)
        if name in self.classes:
            return _BROAD
        found: set[str] = set()
        for function, owner in self.functions.get(name, ()):
            for node in ast.walk(function):
                if isinstance(node, ast.Try) and any(
                    isinstance(one, ast.Yield) for part in node.body for one in ast.walk(part)
                ):
                    found |= self._handled(node, owner, frozenset())
        return frozenset(found)

    def _handled(
        self, node: ast.Try | ast.TryStar, module: _Module, around: Names, *, entry: bool = False
    ) -> Names:
        """What the clauses of a `try` keep from whoever called."""
        found: set[str] = set()
        for clause in node.handlers:
            if _raises_again(clause) or (entry and _only_passes(clause) and _returns(node.body)):
                continue
            raised = _raised(clause)
            if raised and not self._is_caught(raised, around | self.registered):
                continue
            found |= set(_clause_names(clause, module))
        return frozenset(found)

    def _is_caught(self, raised: str, around: Names) -> bool:
        """Whether an exception, or one that it is a kind of, is caught further out.

        One that another module defines may be a kind of what is caught there.
        """
        todo, seen = [raised], set[str]()
        while todo:
            name = todo.pop()
            if name in around or name in _ANSWERED or around & _BROAD:
                return True
            if around and name not in self.classes and not hasattr(builtins, name):
                return True
            seen.add(name)
            todo += [one for one in self.classes.get(name, ()) if one not in seen]
        return False


def _read(node: ast.expr) -> Names:
    """What has to be caught around an expression that reads input; nothing where it reads none."""
    match node:
        case ast.Attribute(attr="json_body", ctx=ast.Load()):
            return _VALUES | _BROAD
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args):
            if name in _READS_MODELS:
                return _MODELS | _BROAD
            if name == "loads" and not any(_OWN_TEXT.search(ast.unparse(one)) for one in args):
                return _VALUES | _BROAD
            return frozenset()
        case _:
            return frozenset()


def _is_own(attr: str, value: ast.expr) -> bool:
    return attr not in _COMMON or (isinstance(value, ast.Name) and value.id in ("self", "cls"))


def _decorator_name(node: ast.expr) -> str:
    """`post` of `@app.post("/payments")`."""
    called = node.func if isinstance(node, ast.Call) else node
    return next(_last_names(called, {}), "")


def _calls_one_of(body: Sequence[ast.stmt], names: set[str]) -> bool:
    return any(
        isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in names
        for part in body
        for one in ast.walk(part)
    )


def _returns(body: Sequence[ast.stmt]) -> bool:
    """Whether the answer is given inside: what is swallowed then leaves none."""
    return any(isinstance(one, ast.Return) for part in body for one in ast.walk(part))


def _caught(module: _Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.ExceptHandler() if not (_raises_again(node) or _only_passes(node)):
                yield from _clause_names(node, module)
            case ast.Call(func=ast.Attribute(attr=attr), args=[kind, *_]) if attr in _HANDLERS:
                yield from _last_names(kind, module.meant)
            case _:
                pass


def _clause_names(clause: ast.ExceptHandler, module: _Module) -> Iterator[str]:
    if clause.type is None:
        yield "BaseException"
    else:
        yield from _last_names(clause.type, module.meant)


def _other_names(tree: ast.Module) -> Mapping[str, tuple[str, ...]]:
    """What the module's own names for exceptions mean: those of imports, and of tuples."""
    found: dict[str, tuple[str, ...]] = {}
    for node in tree.body:
        match node:
            case ast.ImportFrom(names=names):
                found |= {alias.asname: (alias.name,) for alias in names if alias.asname}
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = tuple(_last_names(value, found)) or (name,)
            case _:
                pass
    return found


_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Pass)


def _raises_again(clause: ast.ExceptHandler) -> bool:
    """Whether an `except` raises what it caught again, whatever it notes before."""
    *before, last = clause.body
    match last:
        case ast.Raise(exc=None):
            again = True
        case ast.Raise(exc=ast.Name(id=name)):
            again = name == clause.name
        case _:
            again = False
    return again and all(isinstance(one, _SIMPLE) for one in before)


def _only_passes(clause: ast.ExceptHandler) -> bool:
    return all(
        isinstance(one, ast.Pass) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in clause.body
    )


def _raised(clause: ast.ExceptHandler) -> str:
    """The class of exceptions that an `except` ends with raising; empty for one that is made elsewhere."""
    match clause.body[-1]:
        case ast.Raise(exc=ast.expr() as raised):
            name = _decorator_name(raised)
            return name if name[:1].isupper() else ""
        case _:
            return ""


def _last_names(node: ast.expr, meant: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """`ClientError` of `botocore.exceptions.ClientError`; each of a tuple or list."""
    match node:
        case ast.Name(id=name):
            yield from meant.get(name, (name,))
        case ast.Attribute(attr=name):
            yield name
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _last_names(item, meant)
        case ast.Starred(value=value):
            yield from _last_names(value, meant)
        case _:
            pass
