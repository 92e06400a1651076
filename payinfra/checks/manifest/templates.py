"""Terraform's `${…}` inside text: where it begins and ends, and what it refers to.

Source: the HCL native syntax specification, "Template Expressions" (`${` interpolates, `$${` is a literal
`${`, `%{` begins a directive).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_REFERENCE = re.compile(
    r"(?<![\w.\-\"])"
    r"(?P<data>data\.)?(?P<type>[a-z][a-z0-9]*_[a-z0-9_]+)\.(?P<name>[A-Za-z_][\w-]*)"
    r"(?P<instance>\[[^\]]*\])?"
    r"(?P<attribute>(?:\.[A-Za-z0-9_*-]+|\[[^\]]*\])*)"
)

# What matters inside quotes (an escaped sign, the closing quote, a `${`), and what inside braces.
_IN_QUOTES = re.compile(r'\\.|"|\$\{', re.DOTALL)
_IN_BRACES = re.compile(r'["{}]')
_OPENED_BY = {'"': '"', "}": "{"}


@dataclass(frozen=True)
class Reference:
    """One mention of a resource or a data source in an expression.

    Attributes:
        address: `aws_kms_key.data`, or `data.aws_iam_policy_document.assume` for a data source.
        attribute: what is read of it, `arn` or `replica[0].arn`; empty for the whole resource.
    """

    address: str
    attribute: str


@dataclass(frozen=True)
class Span:
    """Where one `${…}` stands in a text, braces included; `expression` is what is between them."""

    start: int
    end: int
    expression: str
    closed: bool


@lru_cache(maxsize=16_384)
def spans(text: str) -> tuple[Span, ...]:
    """Every outermost `${…}` of a template, in order; one without its brace reaches to the end."""
    found = []
    position = text.find("${")
    while position >= 0:
        if _is_escaped(text, position):
            position = text.find("${", position + 2)
            continue
        end, closed = _closing_brace(text, position + 2)
        found.append(Span(position, end, text[position + 2 : end - 1 if closed else end], closed))
        position = text.find("${", end)
    return tuple(found)


def is_literal(text: str) -> bool:
    """Whether Terraform would take the text as it stands: no `${…}` and no `%{…}` in it."""
    if "{" not in text:
        return True
    return not spans(text) and not _has_directive(text)


def unescape(text: str) -> str:
    """What a literal text means: `$${` and `%%{` stand for `${` and `%{`."""
    return text.replace("$${", "${").replace("%%{", "%{") if "{" in text else text


@lru_cache(maxsize=16_384)
def references_in(text: str) -> tuple[Reference, ...]:
    """The references inside the `${…}` of one text, in order, each once."""
    found: dict[Reference, None] = {}
    for span in spans(text):
        for match in _REFERENCE.finditer(span.expression):
            address = f"{match['data'] or ''}{match['type']}.{match['name']}"
            found[Reference(address, match["attribute"].removeprefix("."))] = None
    return tuple(found)


def string_end(text: str, position: int) -> int:
    """The index of the quote that closes a quoted template whose inside begins at `position`, or the end."""
    end = _scan(text, position, '"')
    return len(text) if end < 0 else end


def _is_escaped(text: str, position: int) -> bool:
    return position > 0 and text[position - 1] == "$"


def _has_directive(text: str) -> bool:
    position = text.find("%{")
    while position >= 0:
        if position == 0 or text[position - 1] != "%":
            return True
        position = text.find("%{", position + 2)
    return False


def _closing_brace(text: str, position: int) -> tuple[int, bool]:
    end = _scan(text, position, "{")
    return (len(text), False) if end < 0 else (end + 1, True)


def _scan(text: str, position: int, opened: str) -> int:
    """Walk to the sign that closes `opened`: a quote closes a quote, a brace a brace; -1 without one."""
    stack = [opened]
    while True:
        found = (_IN_QUOTES if stack[-1] == '"' else _IN_BRACES).search(text, position)
        if found is None:
            return -1
        sign = found[0]
        position = found.end()
        if sign in ('"', "}") and stack[-1] == _OPENED_BY[sign]:
            stack.pop()
            if not stack:
                return position - 1
        elif sign in ('"', "{"):
            stack.append(sign)
        elif sign == "${" and not _is_escaped(text, position - 2):
            stack.append("{")
