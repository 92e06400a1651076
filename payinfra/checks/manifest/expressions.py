"""Evaluates Terraform's expressions as far as the file says what they come to.

What cannot be known is left standing as the `${…}` that it was, never guessed at, with every name in it
replaced that is known: so that what is left says what is missing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from payinfra.checks.manifest import functions
from payinfra.checks.manifest.functions import Unknown, as_flag, as_number, as_text, known
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.syntax import (
    BinaryOperation,
    Conditional,
    For,
    FunctionCall,
    IndexStep,
    Into,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Splat,
    Step,
    Template,
    Traversal,
    Unary,
    Unparsable,
    as_template,
    into,
    of_expression,
    of_template,
    of_value,
    replaced,
    resource_of,
)
from payinfra.checks.manifest.templates import spans
from payinfra.checks.manifest.values import Linked

__all__ = ["KnownNames", "Resolver", "Scope", "Unknown", "bound"]

# By far the most frequent expression: a managed resource's attribute, and nothing around it.
_PLAIN_REFERENCE = re.compile(r"(?!local\b|data\b|path\b)[a-z][a-z0-9]*_\w+\.[\w-]+\.[\w.-]+")
_MOST_DEPTH = 40
_MOST_SIZE = 200_000
_NUMBERS: dict[str, Callable[[float, float], Json]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": lambda left, right: abs(left) % abs(right) * (1 if left >= 0 else -1),
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


class Scope(Protocol):
    """Where names lead to."""

    def local(self, name: str) -> Json:
        """The unevaluated value of `local.name`; raises Unknown where there is none."""
        ...

    def variable(self, name: str) -> Json:
        """The value of `var.name`; raises Unknown where there is none."""
        ...

    def attribute(self, address: str, attribute: str) -> Json:
        """The unevaluated, configured value of a resource's attribute; raises Unknown where not set."""
        ...


class KnownNames:
    """A scope of locals and variables, without any resource."""

    def __init__(
        self, locals: Mapping[str, Json] | None = None, variables: Mapping[str, Json] | None = None
    ) -> None:
        self._locals = locals or {}
        self._variables = variables or {}

    def local(self, name: str) -> Json:
        """The value of a local.

        Raises:
            Unknown: there is no such local.
        """
        return _found(self._locals, name)

    def variable(self, name: str) -> Json:
        """The value of a variable.

        Raises:
            Unknown: there is no such variable, or it has no value.
        """
        return _found(self._variables, name)

    def attribute(self, address: str, attribute: str) -> Json:
        """Nothing is known of resources.

        Raises:
            Unknown: always.
        """
        raise Unknown(address, attribute)


def _found(values: Mapping[str, Json], name: str) -> Json:
    if name not in values:
        raise Unknown(name)
    return values[name]


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
            case Linked() if self._through_resources:
                return value.known
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
            parts.append(_in_text(value, whole))
            position = span.end
        parts.append(text[position:])
        return self._sized("".join(parts))

    def _interpolation(self, expression: str, whole: str, depth: int) -> Json:
        if not self._through_resources and _PLAIN_REFERENCE.fullmatch(expression):
            return whole
        try:
            node = of_expression(expression)
        except Unparsable:
            return whole
        try:
            return self._value(node, depth + 1)
        except Unknown:
            return whole if isinstance(node, Traversal) and not node.steps else self._rest(node, depth + 1)

    def _rest(self, node: Node, depth: int) -> str:
        """What is left of a tree that has no value: the names in it that have one are replaced."""
        if depth > _MOST_DEPTH:
            raise Unknown

        def value_of(name: Traversal) -> Node | None:
            if name.root not in ("local", "var"):
                return None
            try:
                return of_value(self._traverse(name.root, name.steps, depth + 1))
            except (Unknown, Unparsable):
                return None

        return self._sized(as_template(replaced(node, value_of)))

    def _value(self, node: Node, depth: int) -> Json:
        """The value of a tree; items of lists and objects that have none stay in them as `${…}`."""
        self._spend(1)
        if depth > _MOST_DEPTH:
            raise Unknown
        match node:
            case Literal(value):
                return value
            case Template(parts):
                return self._sized("".join(self._part(part, depth) for part in parts))
            case ListOf(items):
                return [self._item(item, depth + 1) for item in items]
            case ObjectOf(pairs):
                return {self._key(key, depth): self._item(value, depth + 1) for key, value in pairs}
            case Traversal(root, steps):
                return self._traverse(root, steps, depth)
            case Into(value, steps):
                return self._into(self._value(value, depth + 1), steps, depth)
            case FunctionCall():
                return self._call(node, depth)
            case Unary(sign, operand):
                inner = known(self._value(operand, depth + 1))
                return not as_flag(inner) if sign == "!" else -as_number(inner)
            case BinaryOperation():
                return self._binary(node, depth)
            case Conditional(condition, yes, no):
                holds = as_flag(known(self._value(condition, depth + 1)))
                return self._value(yes if holds else no, depth + 1)
            case _:
                return self._for(node, depth)

    def _part(self, part: str | Node, depth: int) -> str:
        if isinstance(part, str):
            return part
        try:
            return as_text(self._value(part, depth + 1))
        except Unknown:
            return self._rest(part, depth + 1)

    def _item(self, item: Node, depth: int) -> Json:
        try:
            return self._value(item, depth)
        except Unknown:
            return self._rest(item, depth)

    def _key(self, key: Node, depth: int) -> str:
        return as_text(known(self._value(key, depth + 1)))

    def _call(self, node: FunctionCall, depth: int) -> Json:
        if node.name not in functions.FUNCTIONS:
            raise Unknown
        # What `format` puts into a text stays as it is written where it is not known, as in a template.
        read = self._item if node.name == "format" else self._value
        arguments = [read(one, depth + 1) for one in node.arguments]
        if node.spread:
            arguments[-1:] = functions.as_list(arguments[-1])
        return functions.call(node.name, arguments)

    def _binary(self, node: BinaryOperation, depth: int) -> Json:
        left = known(self._value(node.left, depth + 1))
        match node.sign:
            case "&&" | "||":
                if as_flag(left) is (node.sign == "||"):
                    return as_flag(left)
                return as_flag(known(self._value(node.right, depth + 1)))
            case "==" | "!=":
                right = known(self._value(node.right, depth + 1))
                return _equal(left, right) is (node.sign == "==")
            case sign:
                right = known(self._value(node.right, depth + 1))
                try:
                    return _NUMBERS[sign](as_number(left), as_number(right))
                except ZeroDivisionError:
                    raise Unknown from None

    def _for(self, node: For, depth: int) -> Json:
        over = self._value(node.over, depth + 1)
        match over:
            case list():
                entries: list[tuple[Json, Json]] = list(enumerate(over))
            case dict():
                entries = [(key, over[key]) for key in sorted(over)]
            case _:
                raise Unknown
        items: list[Json] = []
        fields: dict[str, Json] = {}
        for key, value in entries:
            names = {node.key: of_value(key), node.value: of_value(value)}
            if node.condition is not None:
                condition = self._value(bound(node.condition, names), depth + 1)
                if not as_flag(known(condition)):
                    continue
            result = self._item(bound(node.result, names), depth + 1)
            if node.result_key is None:
                items.append(result)
                continue
            name = self._key(bound(node.result_key, names), depth)
            if node.grouped:
                fields[name] = [*functions.as_list(fields.get(name, [])), result]
            else:
                fields[name] = result
        return items if node.result_key is None else fields

    def _traverse(self, root: str, steps: tuple[Step, ...], depth: int) -> Json:
        match root, steps:
            case "local", (str(name), *rest):
                value = self._name(f"local.{name}", lambda: self._scope.local(name), depth)
                return self._into(value, tuple(rest), depth)
            case "var", (str(name), *rest):
                value = self._name(f"var.{name}", lambda: self._scope.variable(name), depth)
                return self._into(value, tuple(rest), depth)
            case "path", ("module" | "root" | "cwd",):
                return "."
        if not self._through_resources:
            raise Unknown
        located = tuple(
            IndexStep(Literal(self._index(step, depth))) if isinstance(step, IndexStep) else step
            for step in steps
        )
        found = resource_of(Traversal(root, located))
        if found is None:
            raise Unknown
        match found:
            case address, (str(attribute), *rest):
                key = f"{address}.{attribute}"
                value = self._name(key, lambda: self._scope.attribute(address, attribute), depth)
                return self._into(value, tuple(rest), depth)
            case _:
                raise Unknown

    def _index(self, step: IndexStep, depth: int) -> str | int:
        key = known(self._value(step.key, depth + 1))
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise Unknown
        return key

    def _into(self, value: Json, steps: tuple[Step, ...], depth: int) -> Json:
        for number, step in enumerate(steps):
            if isinstance(step, Splat):
                items = [] if value is None else value if isinstance(value, list) else [value]
                return [self._into(item, steps[number + 1 :], depth) for item in items]
            if isinstance(value, str) and "${" in value:
                return _onward(value, steps[number:])
            value = _step(value, self._index(step, depth) if isinstance(step, IndexStep) else step)
        return value

    def _name(self, key: str, read: Callable[[], Json], depth: int) -> Json:
        if key in self._visiting:
            raise Unknown
        found = self._known.get(key)
        if found is None:
            before = self._size
            self._visiting.append(key)
            try:
                value = self._expand(read(), depth + 1)
            finally:
                self._visiting.pop()
            found = _Known(value, self._size - before)
            if not self._visiting:
                self._known[key] = found
        else:
            self._spend(found.size)
        return found.value

    def _sized(self, text: str) -> str:
        self._spend(len(text))
        return text

    def _spend(self, amount: int) -> None:
        """KnownNames that name each other twice grow without end: past a limit they stay unresolved."""
        self._size += amount
        if self._size > _MOST_SIZE:
            raise Unknown


def bound(node: Node, names: Mapping[str, Node]) -> Node:
    """The tree with some names, such as those of a `for`, replaced by trees."""

    def value_of(name: Traversal) -> Node | None:
        value = names.get(name.root)
        return None if value is None else into(value, name.steps)

    return replaced(node, value_of)


def _equal(left: Json, right: Json) -> bool:
    """Terraform's `==`: values of different types are not equal, and true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _onward(value: str, steps: tuple[Step, ...]) -> str:
    """A way into something that is not known yet, as another text that is not known yet."""
    try:
        node = of_template(value)
    except Unparsable:
        raise Unknown from None
    if not isinstance(node, Traversal):
        raise Unknown
    return as_template(into(node, steps))


def _step(value: Json, step: str | int) -> Json:
    match value, step:
        case (list(), str(key)) if key in value:
            return key  # of a set, as `each.value` has it
        case (dict(), str(key)) if key in value:
            return value[key]
        case (list(), int(index)) if 0 <= index < len(value):
            return value[index]
        case _:
            raise Unknown


def _in_text(value: Json, otherwise: str) -> str:
    """A scalar as text; anything else leaves the template unresolved."""
    try:
        return as_text(value)
    except Unknown:
        return otherwise
