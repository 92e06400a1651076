"""Evaluates the part of Terraform's expression language that synthesized files use.

Literals, quoted templates, lists, objects, traversals and a few pure functions. Everything else (operators,
conditionals, `for`, unknown functions) is left standing as the `${…}` that it was, never guessed at.
Source: the HCL native syntax specification, and Terraform's function reference for the functions below.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from payinfra.checks.manifest.templates import is_literal, spans, string_end
from payinfra.checks.manifest.values import Json

_TOKEN = re.compile(r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w-]*)|(?P<sign>\S))")
# By far the most frequent expression: a managed resource's attribute, and nothing around it.
_PLAIN_REFERENCE = re.compile(r"(?!local\b|data\b|path\b)[a-z][a-z0-9]*_\w+\.[\w-]+\.[\w.-]+")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:([nrt\"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_MOST_DEPTH = 40
_MOST_SIZE = 200_000


class Unknown(Exception):
    """An expression, or a part of it, that cannot be evaluated here."""


class Scope(Protocol):
    """Where names lead to."""

    def local(self, name: str) -> Json:
        """The unevaluated value of `local.name`; raises Unknown where there is none."""
        ...

    def attribute(self, address: str, attribute: str) -> Json:
        """The unevaluated, configured value of a resource's attribute; raises Unknown where not set."""
        ...


@dataclass(frozen=True)
class _Known:
    value: Json
    size: int


class Resolver:
    """Replaces what can be known in a value; remembers what names led to.

    Args:
        scope: where names lead to.
        through_resources: whether `aws_x.y.attribute` becomes its configured value, or stays a reference.
    """

    def __init__(self, scope: Scope, *, through_resources: bool) -> None:
        self._scope = scope
        self._through_resources = through_resources
        self._known: dict[str, _Known] = {}
        # Checks ask for the same texts again and again.
        self._expansions: dict[str, Json] = {}
        self._visiting: list[str] = []
        self._size = 0

    def expand(self, value: Json) -> Json:
        """The value with every `${…}` replaced that can be; what cannot stays as it stands."""
        if not isinstance(value, str):
            return self._expanded(value)
        if value not in self._expansions:
            self._expansions[value] = self._expanded(value)
        return self._expansions[value]

    def _expanded(self, value: Json) -> Json:
        self._size = 0
        try:
            return self._expand(value, 0)
        except Unknown:
            return value

    def _expand(self, value: Json, depth: int) -> Json:
        self._spend(1)
        if depth > _MOST_DEPTH:
            raise Unknown
        match value:
            case str():
                return self._template(value, depth)
            case list():
                return [self._expand(item, depth + 1) for item in value]
            case dict():
                return {key: self._expand(item, depth + 1) for key, item in value.items()}
            case _:
                return value

    def _template(self, text: str, depth: int) -> Json:
        found = spans(text)
        if not found:
            return text
        if len(found) == 1 and found[0].closed and (found[0].start, found[0].end) == (0, len(text)):
            return self._interpolation(found[0].expression, text, depth)
        parts: list[str] = []
        position = 0
        for span in found:
            parts.append(text[position : span.start])
            whole = text[span.start : span.end]
            value = self._interpolation(span.expression, whole, depth) if span.closed else whole
            parts.append(_as_text(value, whole))
            position = span.end
        parts.append(text[position:])
        result = "".join(parts)
        self._spend(len(result))
        return result

    def _interpolation(self, expression: str, whole: str, depth: int) -> Json:
        if not self._through_resources and _PLAIN_REFERENCE.fullmatch(expression):
            return whole
        try:
            return _Parser(expression, self._traverse, self._expand, depth + 1).whole()
        except Unknown:
            return whole

    def _traverse(self, steps: tuple[str | int, ...], depth: int) -> Json:
        match steps:
            case ("local", str(name), *rest):
                value = self._name(f"local.{name}", lambda: self._scope.local(name), depth)
            case ("path", "module" | "root" | "cwd"):
                return "."
            case ("data", str(kind), str(name), str(attribute), *rest):
                value = self._attribute(f"data.{kind}.{name}", attribute, depth)
            case (str(kind), str(name), str(attribute), *rest) if "_" in kind:
                value = self._attribute(f"{kind}.{name}", attribute, depth)
            case _:
                raise Unknown
        for step in rest:
            value = _into(value, step)
        return value

    def _attribute(self, address: str, attribute: str, depth: int) -> Json:
        if not self._through_resources:
            raise Unknown
        return self._name(f"{address}.{attribute}", lambda: self._scope.attribute(address, attribute), depth)

    def _name(self, key: str, read: Callable[[], Json], depth: int) -> Json:
        if key in self._visiting:
            raise Unknown
        known = self._known.get(key)
        if known is None:
            before = self._size
            self._visiting.append(key)
            try:
                value = self._expand(read(), depth + 1)
            finally:
                self._visiting.pop()
            known = _Known(value, self._size - before)
            if not self._visiting:
                self._known[key] = known
        else:
            self._spend(known.size)
        return known.value

    def _spend(self, amount: int) -> None:
        """Names that name each other twice grow without end: past a limit they stay unresolved."""
        self._size += amount
        if self._size > _MOST_SIZE:
            raise Unknown


def _into(value: Json, step: str | int) -> Json:
    match value, step:
        case (dict(), str(key)) if key in value:
            return value[key]
        case (list(), int(index)) if 0 <= index < len(value):
            return value[index]
        case _:
            raise Unknown


def _as_text(value: Json, otherwise: str) -> str:
    """A scalar as Terraform writes it into a template; anything else leaves the template unresolved."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return json.dumps(value)
        case _:
            return otherwise


class _Parser:
    """One pass over one expression: it parses and evaluates in the same step."""

    def __init__(
        self,
        text: str,
        traverse: Callable[[tuple[str | int, ...], int], Json],
        expand: Callable[[Json, int], Json],
        depth: int,
    ) -> None:
        self._text = text
        self._traverse = traverse
        self._expand = expand
        self._depth = depth
        self._position = 0
        self._start = 0
        self._kind = ""
        self._piece = ""
        self._advance()

    def whole(self) -> Json:
        """The value of the whole expression.

        Raises:
            Unknown: it has a part that cannot be evaluated here.
        """
        value = self._value(self._depth)
        if self._kind:
            raise Unknown
        return value

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            self._start, self._kind, self._piece = len(self._text), "", ""
            return
        self._kind = match.lastgroup or ""
        self._piece = match[self._kind]
        self._start = match.start(self._kind)
        self._position = match.end()

    def _take(self, sign: str) -> bool:
        if self._kind == "sign" and self._piece == sign:
            self._advance()
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise Unknown

    def _value(self, depth: int) -> Json:
        if depth > _MOST_DEPTH:
            raise Unknown
        if self._kind == "number":
            return self._number()
        if self._kind == "word":
            return self._word(depth)
        if self._kind == "sign" and self._piece == '"':
            return self._expand(self._quoted(), depth + 1)
        if self._take("("):
            value = self._value(depth + 1)
            self._expect(")")
            return value
        if self._take("["):
            return self._items("]", depth)
        if self._take("{"):
            return self._object(depth)
        raise Unknown

    def _number(self) -> Json:
        piece = self._piece
        self._advance()
        return float(piece) if "." in piece else int(piece)

    def _quoted(self) -> str:
        """The inside of a quoted template, its escapes undone outside of `${…}`."""
        begin = self._start + 1
        end = string_end(self._text, begin)
        inside = self._text[begin:end]
        self._position = end + 1
        self._advance()
        parts: list[str] = []
        position = 0
        for span in spans(inside):
            parts += [_ESCAPE.sub(_escaped, inside[position : span.start]), inside[span.start : span.end]]
            position = span.end
        parts.append(_ESCAPE.sub(_escaped, inside[position:]))
        return "".join(parts)

    def _items(self, closing: str, depth: int) -> list[Json]:
        items: list[Json] = []
        while not self._take(closing):
            items.append(self._value_or_reference(depth + 1))
            if not self._take(","):
                self._expect(closing)
                break
        return items

    def _object(self, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        while not self._take("}"):
            key = self._key()
            if not self._take(":"):
                self._expect("=")
            found[key] = self._value_or_reference(depth + 1)
            self._take(",")
        return found

    def _key(self) -> str:
        if self._kind == "word":
            word = self._piece
            self._advance()
            return word
        if self._kind == "sign" and self._piece == '"':
            key = self._quoted()
            if is_literal(key):
                return key
        raise Unknown

    def _value_or_reference(self, depth: int) -> Json:
        """A part of a larger value: a bare traversal that leads nowhere stays in it as `${…}`."""
        begin = self._start
        before = (self._position, self._start, self._kind, self._piece)
        try:
            return self._value(depth)
        except Unknown:
            self._position, self._start, self._kind, self._piece = before
            if self._kind != "word":
                raise
            self._steps()
            if self._kind == "sign" and self._piece not in ",]})":
                raise
            return f"${{{self._text[begin : self._start].strip()}}}"

    def _word(self, depth: int) -> Json:
        constants: Mapping[str, Json] = {"true": True, "false": False, "null": None}
        name = self._piece
        steps = self._steps()
        if len(steps) == 1 and name in constants:
            return constants[name]
        if len(steps) == 1 and self._take("("):
            function = _FUNCTIONS.get(name)
            if function is None:
                raise Unknown
            return function(self._items(")", depth))
        return self._traverse(steps, depth)

    def _steps(self) -> tuple[str | int, ...]:
        steps: list[str | int] = [self._piece]
        self._advance()
        while True:
            if self._take("."):
                steps.append(self._step())
            elif self._take("["):
                steps.append(self._step())
                self._expect("]")
            else:
                return tuple(steps)

    def _step(self) -> str | int:
        piece, kind = self._piece, self._kind
        if kind == "sign" and piece == '"':
            return self._quoted()
        if kind == "word" or (kind == "number" and piece.isdigit()):
            self._advance()
            return int(piece) if kind == "number" else piece
        raise Unknown


def _escaped(match: re.Match[str]) -> str:
    short, four, eight = match.groups()
    if short:
        return _ESCAPES[short]
    code = int(four or eight, 16)
    return chr(code) if code <= 0x10FFFF else match[0]


def _texts(values: list[Json]) -> list[str]:
    """The values as text; Unknown where one is no scalar."""
    found = []
    for value in values:
        if isinstance(value, list | dict) or value is None:
            raise Unknown
        found.append(_as_text(value, ""))
    return found


def _literals(values: list[Json]) -> list[str]:
    """The values as text of which nothing is left unresolved."""
    found = _texts(values)
    if not all(is_literal(text) for text in found):
        raise Unknown
    return found


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise Unknown
    return value


def _one(arguments: list[Json]) -> Json:
    if len(arguments) != 1:
        raise Unknown
    return arguments[0]


def _join(arguments: list[Json]) -> Json:
    if len(arguments) < 2:
        raise Unknown
    separator = _literals(arguments[:1])[0]
    parts = [part for argument in arguments[1:] for part in _texts(_list(argument))]
    return separator.join(parts)


def _format(arguments: list[Json]) -> Json:
    pattern, *values = _texts(arguments) or [""]
    pieces = pattern.split("%s")
    if len(pieces) != len(values) + 1 or any("%" in piece for piece in pieces):
        raise Unknown
    return pieces[0] + "".join(value + piece for value, piece in zip(values, pieces[1:], strict=True))


def _concat(arguments: list[Json]) -> Json:
    return [item for argument in arguments for item in _list(argument)]


def _merge(arguments: list[Json]) -> Json:
    merged: dict[str, Json] = {}
    for argument in arguments:
        if not isinstance(argument, dict):
            raise Unknown
        merged |= argument
    return merged


def _distinct(arguments: list[Json]) -> Json:
    unique: list[Json] = []
    for item in _list(_one(arguments)):
        if item not in unique:
            unique.append(item)
    return unique


def _replace(arguments: list[Json]) -> Json:
    texts = _literals(arguments)
    # A pattern between slashes is a regular expression of another dialect than Python's.
    if len(texts) != 3 or (texts[1].startswith("/") and texts[1].endswith("/")):
        raise Unknown
    return texts[0].replace(texts[1], texts[2])


def _jsonencode(arguments: list[Json]) -> Json:
    return json.dumps(_one(arguments), separators=(",", ":"), ensure_ascii=False)


def _jsondecode(arguments: list[Json]) -> Json:
    try:
        decoded: Json = json.loads(_literals([_one(arguments)])[0])
    except (ValueError, RecursionError):
        raise Unknown from None
    return decoded


_FUNCTIONS: Mapping[str, Callable[[list[Json]], Json]] = {
    "concat": _concat,
    "distinct": _distinct,
    "format": _format,
    "join": _join,
    "jsondecode": _jsondecode,
    "jsonencode": _jsonencode,
    "lower": lambda arguments: _literals([_one(arguments)])[0].lower(),
    "merge": _merge,
    "nonsensitive": _one,
    "replace": _replace,
    "sensitive": _one,
    "tolist": lambda arguments: _list(_one(arguments)),
    "toset": _distinct,
    "tostring": lambda arguments: _texts([_one(arguments)])[0],
    "trimspace": lambda arguments: _literals([_one(arguments)])[0].strip(),
    "upper": lambda arguments: _literals([_one(arguments)])[0].upper(),
}
