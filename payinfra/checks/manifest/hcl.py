"""Reads Terraform's native syntax into the shape of its JSON syntax, and knows the line of each block.

Blocks become objects, labels become keys, attributes become values: literals as they are, anything else as
text with `${…}` around it. Nothing is evaluated.
Source: the HCL native syntax specification, "Structural Elements".
"""

import re
from dataclasses import dataclass, field

from payinfra.checks.manifest.syntax import (
    Unparsable,
    as_json,
    expression_at,
    skip_space,
)
from payinfra.checks.manifest.values import Json

_WORD = re.compile(r"[^\W\d][\w-]*")
_LABEL = re.compile(r'"((?:[^"\\]|\\.)*)"')


class NotHcl(ValueError):
    """A text that is not in the native syntax; the message says where."""


@dataclass
class Document:
    """One file.

    Attributes:
        root: what it says, in the shape of the JSON syntax.
        lines: the line of each block with labels, by section and labels: `("resource", "aws_x", "y")`.
    """

    root: dict[str, Json] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)


def parse(text: str) -> Document:
    """Read a file's text.

    Raises:
        NotHcl: it is no HCL.
    """
    reader = _Reader(text)
    document = Document()
    document.root = reader.body(top=document)
    return document


def attributes(text: str) -> dict[str, Json]:
    """Read a file of values, such as `terraform.tfvars`.

    Raises:
        NotHcl: it is none.
    """
    return _Reader(text).body()


class _Reader:
    """One pass over one file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = skip_space(text, 0)

    def body(self, *, top: Document | None = None, nested: bool = False) -> dict[str, Json]:
        """Attributes and blocks, up to the end or the closing brace."""
        found: dict[str, Json] = {}
        while True:
            if self._position >= len(self._text):
                if nested:
                    raise self._problem("a brace is not closed")
                return found
            if nested and self._take("}"):
                return found
            begin = self._position
            word = _WORD.match(self._text, begin)
            if word is None:
                raise self._problem(f"{self._text[begin]!r} is not expected")
            self._move(word.end())
            if self._text.startswith("=", self._position) and not self._text.startswith("==", self._position):
                self._move(self._position + 1)
                found[word[0]] = self._value()
            else:
                labels = self._labels()
                block = self.body(nested=True)
                if top is not None:
                    top.lines[word[0], *labels] = self._text.count("\n", 0, begin) + 1
                _put(found, (word[0], *labels), block)

    def _labels(self) -> tuple[str, ...]:
        labels: list[str] = []
        while not self._take("{"):
            label = _LABEL.match(self._text, self._position) or _WORD.match(self._text, self._position)
            if label is None:
                raise self._problem("a block has no brace")
            labels.append(label[1] if label.re is _LABEL else label[0])
            self._move(label.end())
        return tuple(labels)

    def _value(self) -> Json:
        try:
            node, self._position = expression_at(self._text, self._position)
        except Unparsable as problem:
            raise self._problem(str(problem)) from None
        return as_json(node)

    def _take(self, sign: str) -> bool:
        if self._text.startswith(sign, self._position):
            self._move(self._position + 1)
            return True
        return False

    def _move(self, position: int) -> None:
        self._position = skip_space(self._text, position)

    def _problem(self, what: str) -> NotHcl:
        line = self._text.count("\n", 0, self._position) + 1
        return NotHcl(f"{what} at line {line}")


def _put(found: dict[str, Json], path: tuple[str, ...], block: dict[str, Json]) -> None:
    """Put a block under its labels: a list, because there may be several of it."""
    at = found
    for label in path[:-1]:
        inner = at.setdefault(label, {})
        if not isinstance(inner, dict):
            raise NotHcl(f"{label} is an attribute and a block")
        at = inner
    before = at.setdefault(path[-1], [])
    if not isinstance(before, list):
        raise NotHcl(f"{path[-1]} is an attribute and a block")
    before.append(block)
