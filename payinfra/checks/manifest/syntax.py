"""Parses Terraform's expression language into a tree, and writes a tree as text again.

Nothing is evaluated here. Source: the HCL native syntax specification, "Expressions".
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from payinfra.checks.manifest.templates import Span, spans, string_end

if TYPE_CHECKING:
    from payinfra.checks.manifest.json_value import Json

_MOST_DEPTH = 40
_SPACE = re.compile(r"(?:\s+|#[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>[^\W\d][\w-]*)"
    r"|(?P<heredoc><<-?[^\W\d][\w-]*\n)|(?P<sign>==|!=|<=|>=|&&|\|\||=>|\.\.\.|.)",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:([nrt\"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")
_CONSTANTS = {"true": True, "false": False, "null": None}


class Unparsable(ValueError):
    """A text that is no expression of the language, or is nested too deeply."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A scalar. A text is as in a template: `$${` stands for `${`."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions in it: pieces of text and trees, in order."""

    parts: "tuple[str | Node, ...]"


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """`{a = 1, "b" : 2, (c) = 3}`."""

    pairs: "tuple[tuple[Node, Node], ...]"


@dataclass(frozen=True, slots=True)
class IndexStep:
    """`[key]` behind a value."""

    key: "Node"


@dataclass(frozen=True, slots=True)
class Splat:
    """`[*]` or `.*` behind a value."""


Step = str | IndexStep | Splat


@dataclass(frozen=True, slots=True)
class Traversal:
    """A name and the way into it: `aws_s3_bucket.audit[0].arn` has the root `aws_s3_bucket`, and steps."""

    root: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Into:
    """A way into a value that is no name: `{a = 1}.a`, `f(x)[0]`."""

    value: "Node"
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`name(a, b)`; `spread` where the last argument has `...` behind it."""

    name: str
    arguments: "tuple[Node, ...]"
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Unary:
    """`!a` or `-a`."""

    sign: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class BinaryOperation:
    """`a == b` and the like."""

    sign: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? yes : no`."""

    condition: "Node"
    yes: "Node"
    no: "Node"


@dataclass(frozen=True, slots=True)
class For:
    """`[for key, value in over : result if condition]`; an object where there is a `result_key`."""

    key: str
    value: str
    over: "Node"
    result_key: "Node | None"
    result: "Node"
    condition: "Node | None"
    grouped: bool


Node = (
    Literal
    | Template
    | ListOf
    | ObjectOf
    | Traversal
    | Into
    | FunctionCall
    | Unary
    | BinaryOperation
    | Conditional
    | For
)


def of_value(value: "Json") -> Node:
    """The tree of a JSON value, whose texts are templates."""
    match value:
        case str():
            return of_template(value)
        case list():
            return ListOf(tuple(of_value(item) for item in value))
        case dict():
            return ObjectOf(tuple((of_template(key), of_value(item)) for key, item in value.items()))
        case _:
            return Literal(value)


@lru_cache(maxsize=16_384)
def of_template(text: str) -> Node:
    """The tree of a text with `${…}` in it. A text that is one `${…}` is what stands inside.

    Raises:
        Unparsable: an expression in it cannot be read.
    """
    return _template(text, 0)


@lru_cache(maxsize=16_384)
def of_expression(text: str) -> Node:
    """The tree of an expression, without `${` around it.

    Raises:
        Unparsable: it cannot be read.
    """
    return _Parser(text, 0).whole()


def expression_at(text: str, position: int) -> tuple[Node, int]:
    """The tree of the expression that begins at a position of a file, and where what follows it begins.

    Raises:
        Unparsable: it cannot be read.
    """
    return _Parser(text, 0, position).first()


def skip_space(text: str, position: int) -> int:
    """The position behind spaces, line ends and comments."""
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _template(text: str, depth: int) -> Node:
    found = spans(text)
    if not found:
        return Literal(text)
    if not all(span.closed for span in found):
        raise Unparsable("a brace is not closed")
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(text)):
        return _Parser(found[0].expression, depth + 1).whole()
    parts: list[str | Node] = []
    position = 0
    for span in found:
        if span.start > position:
            parts.append(text[position : span.start])
        parts.append(_Parser(span.expression, depth + 1).whole())
        position = span.end
    if position < len(text):
        parts.append(text[position:])
    return Template(tuple(parts))


class _Parser:
    """One pass over one expression."""

    def __init__(self, text: str, depth: int, position: int = 0) -> None:
        self._text = text
        self._depth = depth
        self._position = position
        self._start = 0
        self._kind = ""
        self._piece = ""
        self._new_line = False
        self._advance()

    def whole(self) -> Node:
        """The tree of the whole text."""
        found = self._expression(self._depth)
        if self._kind:
            raise Unparsable(f"{self._piece!r} is not expected")
        return found

    def first(self) -> tuple[Node, int]:
        """The tree of the expression that the text begins with, and where the next thing begins."""
        return self._expression(self._depth), self._start

    def _advance(self) -> None:
        space = _SPACE.match(self._text, self._position)
        begin = space.end() if space else self._position
        self._new_line = "\n" in self._text[self._position : begin]
        match = _TOKEN.match(self._text, begin)
        if match is None:
            self._start, self._kind, self._piece, self._position = len(self._text), "", "", len(self._text)
            return
        self._kind = match.lastgroup or ""
        self._piece = match[0]
        self._start, self._position = match.span()

    def _is(self, sign: str) -> bool:
        return self._kind == "sign" and self._piece == sign

    def _take(self, sign: str) -> bool:
        if self._is(sign):
            self._advance()
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise Unparsable(f"{sign} is missing")

    def _expression(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise Unparsable("nested too deeply")
        condition = self._binary(0, depth)
        if not self._take("?"):
            return condition
        yes = self._expression(depth + 1)
        self._expect(":")
        return Conditional(condition, yes, self._expression(depth + 1))

    def _binary(self, level: int, depth: int) -> Node:
        if level == len(_LEVELS):
            return self._unary(depth)
        left = self._binary(level + 1, depth)
        while self._kind == "sign" and self._piece in _LEVELS[level]:
            sign = self._piece
            self._advance()
            left = BinaryOperation(sign, left, self._binary(level + 1, depth))
        return left

    def _unary(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise Unparsable("nested too deeply")
        for sign in ("!", "-"):
            if self._take(sign):
                operand = self._unary(depth + 1)
                if sign == "-" and isinstance(operand, Literal) and isinstance(operand.value, int | float):
                    return Literal(-operand.value)
                return Unary(sign, operand)
        return self._postfix(depth)

    def _postfix(self, depth: int) -> Node:
        if self._kind == "word":
            return self._word(depth)
        value = self._primary(depth)
        steps = self._steps(depth)
        if not steps:
            return value
        # Parentheses around a name change nothing.
        if isinstance(value, Traversal):
            return Traversal(value.root, (*value.steps, *steps))
        return Into(value, steps)

    def _primary(self, depth: int) -> Node:
        if self._kind == "number":
            piece = self._piece
            self._advance()
            return Literal(int(piece) if piece.isdigit() else float(piece))
        if self._is('"'):
            return self._quoted(depth)
        if self._kind == "heredoc":
            return self._heredoc(depth)
        if self._take("("):
            value = self._expression(depth + 1)
            self._expect(")")
            return value
        if self._take("["):
            return self._for("]", depth) if self._opens_for() else ListOf(self._items("]", depth)[0])
        if self._take("{"):
            return self._for("}", depth) if self._opens_for() else self._object(depth)
        raise Unparsable(f"{self._piece or 'the end'} is not expected")

    def _word(self, depth: int) -> Node:
        name = self._piece
        self._advance()
        if self._is("(") and not self._new_line:
            self._advance()
            arguments, spread = self._items(")", depth)
            call = FunctionCall(name, arguments, spread)
            steps = self._steps(depth)
            return Into(call, steps) if steps else call
        steps = self._steps(depth)
        if not steps and name in _CONSTANTS:
            return Literal(_CONSTANTS[name])
        return Traversal(name, steps)

    def _steps(self, depth: int) -> tuple[Step, ...]:
        steps: list[Step] = []
        while not self._new_line or self._is("."):
            if self._take("."):
                steps.append(self._attribute())
            elif self._take("["):
                if self._take("*"):
                    steps.append(Splat())
                else:
                    steps.append(IndexStep(self._expression(depth + 1)))
                self._expect("]")
            else:
                break
        return tuple(steps)

    def _attribute(self) -> Step:
        if self._take("*"):
            return Splat()
        piece, kind = self._piece, self._kind
        if kind == "word":
            self._advance()
            return piece
        if kind == "number" and piece.isdigit():
            self._advance()
            return IndexStep(Literal(int(piece)))
        raise Unparsable(f"{piece!r} is no name")

    def _quoted(self, depth: int) -> Node:
        """A quoted template, its escapes undone outside of `${…}`."""
        begin = self._start + 1
        end = string_end(self._text, begin)
        if end >= len(self._text):
            raise Unparsable("a quote is not closed")
        inside = self._text[begin:end]
        self._position = end + 1
        self._advance()
        parts: list[str] = []
        position = 0
        for span in spans(inside):
            parts += [_ESCAPE.sub(_escaped, inside[position : span.start]), inside[span.start : span.end]]
            position = span.end
        parts.append(_ESCAPE.sub(_escaped, inside[position:]))
        return _template("".join(parts), depth)

    def _heredoc(self, depth: int) -> Node:
        """`<<EOT` to the line that is `EOT`; with `<<-EOT` the lines' common indent is taken away."""
        indented = self._piece.startswith("<<-")
        mark = self._piece.lstrip("<-").rstrip("\n")
        ending = re.compile(rf"^[ \t]*{re.escape(mark)}[ \t]*$", re.MULTILINE)
        found = ending.search(self._text, self._position)
        if found is None:
            raise Unparsable(f"{mark} is missing")
        lines = self._text[self._position : found.start()].splitlines(keepends=True)
        if indented:
            margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
            lines = [line[margin:] for line in lines]
        self._position = found.end()
        self._advance()
        return _template("".join(lines), depth)

    def _items(self, closing: str, depth: int) -> tuple[tuple[Node, ...], bool]:
        items: list[Node] = []
        while not self._take(closing):
            items.append(self._expression(depth + 1))
            if self._take("..."):
                self._take(",")
                self._expect(closing)
                return tuple(items), True
            if not self._take(","):
                self._expect(closing)
                break
        return tuple(items), False

    def _object(self, depth: int) -> Node:
        pairs: list[tuple[Node, Node]] = []
        while not self._take("}"):
            key = self._key(depth)
            if not self._take(":"):
                self._expect("=")
            pairs.append((key, self._expression(depth + 1)))
            self._take(",")
        return ObjectOf(tuple(pairs))

    def _key(self, depth: int) -> Node:
        if self._kind == "word":
            word = self._piece
            self._advance()
            while self._take("."):  # `aws.home`, as in the providers that a module is given
                word += f".{self._name()}"
            return Literal(word)
        if self._kind == "number" or self._is('"') or self._is("("):
            return self._primary(depth)
        raise Unparsable(f"{self._piece!r} is no key")

    def _opens_for(self) -> bool:
        if self._kind != "word" or self._piece != "for":
            return False
        rest = _SPACE.match(self._text, self._position)
        return _IDENTIFIER.match(self._text, rest.end() if rest else self._position) is not None

    def _name(self) -> str:
        if self._kind != "word":
            raise Unparsable(f"{self._piece!r} is no name")
        name = self._piece
        self._advance()
        return name

    def _for(self, closing: str, depth: int) -> Node:
        self._advance()
        key, value = "", self._name()
        if self._take(","):
            key, value = value, self._name()
        if self._name() != "in":
            raise Unparsable("in is missing")
        over = self._expression(depth + 1)
        self._expect(":")
        result_key, result = None, self._expression(depth + 1)
        if closing == "}":
            self._expect("=>")
            result_key, result = result, self._expression(depth + 1)
        grouped = self._take("...")
        condition = None
        if self._kind == "word" and self._piece == "if":
            self._advance()
            condition = self._expression(depth + 1)
        self._expect(closing)
        return For(key, value, over, result_key, result, condition, grouped)


def _escaped(match: re.Match[str]) -> str:
    short, four, eight = match.groups()
    if short:
        return _ESCAPES[short]
    code = int(four or eight, 16)
    return chr(code) if code <= 0x10FFFF else match[0]


# -- writing -----------------------------------------------------------------------------------------


def as_template(node: Node) -> str:
    """A tree as the text of a JSON file: `${…}` around all but plain text."""
    if isinstance(node, Literal) and isinstance(node.value, str):
        return node.value
    if isinstance(node, Template):
        return "".join(part if isinstance(part, str) else as_template(part) for part in node.parts)
    return f"${{{as_expression(node)}}}"


def as_json(node: Node) -> "Json":
    """A tree as a value of the JSON syntax."""
    match node:
        case Literal(value):
            return value
        case ListOf(items):
            return [as_json(item) for item in items]
        case ObjectOf(pairs):
            found: dict[str, Json] = {}
            for key, item in pairs:
                if not isinstance(key, Literal) or not isinstance(key.value, str):
                    return as_template(node)
                found[key.value] = as_json(item)
            return found
        case _:
            return as_template(node)


def as_expression(node: Node) -> str:
    """A tree as the text of an expression."""
    match node:
        case Literal(str(value)):
            return _quote(value)
        case Literal(value):
            return json.dumps(value)
        case Template(parts):
            pieces = (_escape(part) if isinstance(part, str) else as_template(part) for part in parts)
            return f'"{"".join(pieces)}"'
        case ListOf(items):
            return f"[{', '.join(map(as_expression, items))}]"
        case ObjectOf(pairs):
            return "{" + ", ".join(f"{_as_key(key)} = {as_expression(value)}" for key, value in pairs) + "}"
        case Traversal(root, steps):
            return root + _as_steps(steps)
        case Into(value, steps):
            return f"({as_expression(value)}){_as_steps(steps)}"
        case FunctionCall(name, arguments, spread):
            return f"{name}({', '.join(map(as_expression, arguments))}{'...' if spread else ''})"
        case Unary(sign, operand):
            return f"{sign}{_grouped(operand)}"
        case BinaryOperation(sign, left, right):
            return f"{_grouped(left)} {sign} {_grouped(right)}"
        case Conditional(condition, yes, no):
            return f"{_grouped(condition)} ? {_grouped(yes)} : {_grouped(no)}"
        case _:
            return _as_for(node)


def _as_for(node: For) -> str:
    names = f"{node.key}, {node.value}" if node.key else node.value
    opening, closing = ("[", "]") if node.result_key is None else ("{", "}")
    key = "" if node.result_key is None else f"{as_expression(node.result_key)} => "
    grouped = "..." if node.grouped else ""
    condition = "" if node.condition is None else f" if {as_expression(node.condition)}"
    over, result = as_expression(node.over), as_expression(node.result)
    return f"{opening}for {names} in {over} : {key}{result}{grouped}{condition}{closing}"


def _as_steps(steps: tuple[Step, ...]) -> str:
    return "".join(
        "[*]"
        if isinstance(step, Splat)
        else f"[{as_expression(step.key)}]"
        if isinstance(step, IndexStep)
        else f".{step}"
        for step in steps
    )


def _as_key(key: Node) -> str:
    if isinstance(key, Literal) and isinstance(key.value, str):
        return key.value if _IDENTIFIER.fullmatch(key.value) else _quote(key.value)
    return f"({as_expression(key)})"


def _grouped(node: Node) -> str:
    text = as_expression(node)
    return f"({text})" if isinstance(node, Unary | BinaryOperation | Conditional) else text


def _quote(text: str) -> str:
    return f'"{_escape(text)}"'


def _escape(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1].replace("\\b", "\\u0008").replace("\\f", "\\u000c")


# -- walking -----------------------------------------------------------------------------------------

Replace = Callable[[Traversal], "Node | None"]
Called = Callable[[FunctionCall], "Node | None"]


def replaced(node: Node, replace: Replace, called: Called | None = None) -> Node:
    """The tree with every name given to `replace`, which gives another tree, or None to leave it.

    The names that a `for` makes are left alone inside of it. Calls of functions are given to `called`, with
    their arguments replaced, which does likewise.
    """
    again = partial(replaced, replace=replace, called=called)
    match node:
        case Literal():
            return node
        case Template(parts):
            return Template(tuple(one if isinstance(one, str) else again(one) for one in parts))
        case ListOf(items):
            return ListOf(tuple(again(one) for one in items))
        case ObjectOf(pairs):
            return ObjectOf(tuple((again(key), again(value)) for key, value in pairs))
        case Traversal(root, steps):
            whole = Traversal(root, _replaced_steps(steps, again))
            return replace(whole) or whole
        case Into(value, steps):
            return into(again(value), _replaced_steps(steps, again))
        case FunctionCall(name, arguments, spread):
            call = FunctionCall(name, tuple(again(one) for one in arguments), spread)
            return (called(call) if called is not None else None) or call
        case Unary(sign, operand):
            return Unary(sign, again(operand))
        case BinaryOperation(sign, left, right):
            return BinaryOperation(sign, again(left), again(right))
        case Conditional(condition, yes, no):
            return Conditional(again(condition), again(yes), again(no))
        case _:
            return _replaced_for(node, replace, called)


def _replaced_for(node: For, replace: Replace, called: Called | None) -> For:
    own = {node.key, node.value}

    def inner(name: Traversal) -> Node | None:
        return None if name.root in own else replace(name)

    return For(
        node.key,
        node.value,
        replaced(node.over, replace, called),
        None if node.result_key is None else replaced(node.result_key, inner, called),
        replaced(node.result, inner, called),
        None if node.condition is None else replaced(node.condition, inner, called),
        node.grouped,
    )


def _replaced_steps(steps: tuple[Step, ...], again: Callable[[Node], Node]) -> tuple[Step, ...]:
    return tuple(IndexStep(again(step.key)) if isinstance(step, IndexStep) else step for step in steps)


def into(value: Node, steps: tuple[Step, ...]) -> Node:
    """The tree of a way into a value; a literal object or list is stepped into at once."""
    while steps:
        step = steps[0]
        key = step.key if isinstance(step, IndexStep) else Literal(step) if isinstance(step, str) else None
        inner = None
        if isinstance(value, ObjectOf) and key is not None:
            inner = next((item for name, item in value.pairs if name == key), None)
        elif isinstance(value, ListOf) and isinstance(key, Literal) and type(key.value) is int:
            inner = value.items[key.value] if 0 <= key.value < len(value.items) else None
        if inner is None:
            break
        value, steps = inner, steps[1:]
    if not steps:
        return value
    if isinstance(value, Traversal):
        return Traversal(value.root, (*value.steps, *steps))
    if isinstance(value, Into):
        return Into(value.value, (*value.steps, *steps))
    return Into(value, steps)


def size_of(node: Node, limit: int) -> int:
    """How many nodes a tree has, counted up to a limit."""
    todo: list[object] = [node]
    count = 0
    while todo and count < limit:
        one = todo.pop()
        if isinstance(one, tuple):
            todo += one
        elif is_dataclass(one) and not isinstance(one, type):
            count += 1
            todo += (getattr(one, field.name) for field in fields(one))
    return count


def names_in(node: Node) -> tuple[Traversal, ...]:
    """Every name in a tree, in order, each once; those that a `for` makes are left out."""
    found: dict[Traversal, None] = {}

    def note(name: Traversal) -> None:
        found[name] = None

    replaced(node, note)
    return tuple(found)


def resource_of(name: Traversal) -> tuple[str, tuple[Step, ...]] | None:
    """The address of the resource or data source that a name begins with, and the way on from there.

    An index that is no literal is left out of the address. None where the name is of something else.
    """
    steps: tuple[Step, ...] = (name.root, *name.steps)
    address = ""
    while len(steps) > 2 and steps[0] == "module" and isinstance(steps[1], str):
        instance, rest = _instance(steps[2:])
        address += f"module.{steps[1]}{instance}."
        steps = rest
    if steps[:1] == ("data",):
        address += "data."
        steps = steps[1:]
    match steps:
        case (str(kind), str(own), *_) if "_" in kind:
            instance, rest = _instance(steps[2:])
            return f"{address}{kind}.{own}{instance}", rest
        case _:
            return None


def instance_key(key: "Json") -> str:
    """How an address names one instance of several: `[0]`, `["eu"]`."""
    return f"[{json.dumps(key, ensure_ascii=False)}]"


def _instance(steps: tuple[Step, ...]) -> tuple[str, tuple[Step, ...]]:
    match steps:
        case (IndexStep(Literal(str(key) | int(key))), *_):
            return instance_key(key), steps[1:]
        case (IndexStep() | Splat(), *_):
            return "", steps[1:]
        case _:
            return "", steps


# -- showing -----------------------------------------------------------------------------------------

_OMITTED = "…"
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')


def shown(text: str) -> str:
    """What a message may quote of a text that cannot be resolved: its expressions, without any text in them.

    A literal may be a secret, wherever it stands; a name is none. A text without an expression is a sentence.
    """
    found = spans(text)
    if not found:
        return "a template directive" if "%{" in text else text
    return " ".join(dict.fromkeys(map(_shown, found)))


def _shown(span: Span) -> str:
    try:
        node = _without_texts(of_expression(span.expression))
    except Unparsable:
        return f"${{{_QUOTED.sub(_OMITTED, span.expression).strip()}}}"
    return f"${{{as_expression(node)}}}"


def _without_texts(node: Node) -> Node:
    """The tree with every literal text left out, but for keys of instances and of attributes."""
    match node:
        case Literal(str()):
            return Traversal(_OMITTED, ())
        case Literal():
            return node
        case Template(parts):
            inner = tuple(_without_texts(part) for part in parts if not isinstance(part, str))
            return inner[0] if len(inner) == 1 else ListOf(inner)
        case ListOf(items):
            return ListOf(tuple(map(_without_texts, items)))
        case ObjectOf(pairs):
            return ObjectOf(tuple((key, _without_texts(value)) for key, value in pairs))
        case Traversal():
            return node
        case Into(value, steps):
            return Into(_without_texts(value), steps)
        case FunctionCall(name, arguments, spread):
            return FunctionCall(name, tuple(map(_without_texts, arguments)), spread)
        case Unary(sign, operand):
            return Unary(sign, _without_texts(operand))
        case BinaryOperation(sign, left, right):
            return BinaryOperation(sign, _without_texts(left), _without_texts(right))
        case Conditional(condition, yes, no):
            return Conditional(*map(_without_texts, (condition, yes, no)))
        case _:
            return ListOf((_without_texts(node.over), Traversal(_OMITTED, ())))
