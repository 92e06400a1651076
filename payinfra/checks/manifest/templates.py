"""Terraform's `${…}` inside text: where it begins and ends, and what it refers to.

Source: the HCL native syntax specification, "Template Expressions" (`${` interpolates, `$${` is a literal
`${`, `%{` begins a directive).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

_BRACKETS = r"\[(?:\"(?:[^\"\\]|\\.)*\"|[^\]\"])*\]"
_REFERENCE = re.compile(
    r"(?<![\w.\-\"])"
    rf"(?P<module>(?:module\.[\w-]+(?:{_BRACKETS})?\.)*)"
    r"(?P<kind>(?:data\.)?[a-z][a-z0-9]*_[a-z0-9_]+)\.(?P<name>[A-Za-z_][\w-]*)"
    rf"(?P<instance>{_BRACKETS})?"
    rf"(?P<attribute>(?:\.[A-Za-z0-9_*-]+|{_BRACKETS})*)"
)
_LITERAL_KEY = re.compile(r"\[\s*(?:\d+|\"(?:[^\"\\$%]|\\.|[$%](?!\{))*\")\s*\]")

SPAN = re.compile(r"\$\{[^{}]*\}")
"""A `${…}` that holds no other and no braces, as those of references are: enough where texts are compared.
`spans` reads all others."""

AFTER_APPLY = "known_after_apply"
"""Stands, as a function, for a value of a plan of which only the origin is known: it may mean anything."""

# What matters inside quotes (an escaped sign, the closing quote, a `${`), and what inside braces: comments
# too, in which quotes and braces mean nothing.
_IN_QUOTES = re.compile(r'\\.|"|\$\{', re.DOTALL)
_IN_BRACES = re.compile(r'["{}]|#[^\n]*|//[^\n]*|/\*.*?\*/', re.DOTALL)
_OPENED_BY = {'"': '"', "}": "{"}


@dataclass(frozen=True)
class Reference:
    """One mention of a resource or a data source in an expression.

    Attributes:
        address: `aws_kms_key.data`, or `data.aws_iam_policy_document.assume` for a data source; with the
            instance where it is named literally, `aws_kms_key.data["eu"]`, and the module in a plan.
        attribute: what is read of it, `arn` or `replica[0].arn`; empty for the whole resource.
    """

    address: str
    attribute: str

    @property
    def kind(self) -> str:
        """The type, with `data.` in front for a data source: `data.aws_iam_policy_document`."""
        return kind_of_address(self.address)


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
            instance = match["instance"] or ""
            if not _LITERAL_KEY.fullmatch(instance):
                instance = ""
            address = f"{match['module']}{match['kind']}.{match['name']}{instance}"
            found[Reference(address, match["attribute"].removeprefix("."))] = None
    return tuple(found)


def with_addresses(text: str, replace: Callable[[str], str]) -> str:
    """The text with the address of each resource and data source in it replaced."""

    def replaced(match: re.Match[str]) -> str:
        instance = match["instance"] or ""
        base = f"{match['module']}{match['kind']}.{match['name']}"
        if _LITERAL_KEY.fullmatch(instance):
            return replace(f"{base}{instance}") + (match["attribute"] or "")
        return f"{replace(base)}{instance}{match['attribute'] or ''}"

    return _REFERENCE.sub(replaced, text)


@lru_cache(maxsize=16_384)
def kind_of_address(address: str) -> str:
    """The type in an address, with `data.` in front for a data source, without modules and instance."""
    match = _REFERENCE.fullmatch(address)
    return match["kind"] if match else address.rpartition(".")[0]


def base_of(address: str) -> str:
    """The address without the instance of its resource: `aws_kms_key.data` of `aws_kms_key.data["eu"]`."""
    if not address.endswith("]"):
        return address
    match = _REFERENCE.fullmatch(address)
    return address.removesuffix(match["instance"] or "") if match else address


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
